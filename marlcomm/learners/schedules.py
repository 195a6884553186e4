"""What changes in the course of a run: how far it has come, the learning rate, exploration."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from marlcomm.types import Scalar


class Progress(NamedTuple):
    """How far a run has come."""

    share: jax.Array  #: [] of its environment steps; 0 where it has no end
    has_end: jax.Array  #: [] bool


def progress_of(env_steps: jax.Array, total_steps: Scalar) -> Progress:
    """How far a run of `total_steps` environment steps, infinity for one without an end, has come."""
    return Progress(share_done(env_steps, total_steps), jnp.isfinite(total_steps))


def share_done(env_steps: jax.Array, total_steps: Scalar) -> jax.Array:
    """[] float32 the share of `total_steps` environment steps that is done; 0 where there is no end."""
    return env_steps.astype(jnp.float32) / jnp.asarray(total_steps, jnp.float32)


def first_half(progress: Progress) -> jax.Array:
    """[] 0 to 1 over the run's first half."""
    return jnp.clip(2.0 * progress.share, 0.0, 1.0)


def decayed(rate: Scalar, decay_to: Scalar, progress: Progress) -> jax.Array:
    """[] a learning rate: falls over the run's second half to the share `decay_to` of itself."""
    second_half = jnp.clip(2.0 * progress.share - 1.0, 0.0, 1.0)
    return rate * (1.0 + second_half * (decay_to - 1.0))


def explored(state: Any) -> jax.Array:
    """[] how far exploration has come: 0 at the start, 1 once it is at its final."""
    return jnp.clip(state.env_steps.astype(jnp.float32) / state.hparams.exploration_steps, 0.0, 1.0)


def linear_exploration(state: Any) -> jax.Array:
    """[] linear in environment steps: from `exploration_start` to `exploration_final` over `exploration_steps`."""
    h = state.hparams
    return h.exploration_start + explored(state) * (h.exploration_final - h.exploration_start)
