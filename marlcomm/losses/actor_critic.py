"""Losses of actors and action critics (MADDPG, Lowe et al. 2017)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.types import ActorCriticUnroll, Episodes


def critic_loss(unroll: ActorCriticUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean squared error of the critics over real steps (eq. 6); also for the dead, whose team may win."""
    real = jnp.broadcast_to(episodes.valid[..., None], unroll.value.shape).astype(jnp.float32)
    error = jnp.where(real > 0, unroll.value - unroll.target, 0.0)
    return _mean(error**2, real), {
        "error_size": _mean(jnp.abs(error), real),
        "value": _mean(unroll.value, real),
    }


def actor_loss(unroll: ActorCriticUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Each agent's critic of its own action, the others' as they were; negated, mean over living agents (eq. 5)."""
    return -_mean(unroll.policy_value, unroll.weight), {}


def saturation_loss(
    unroll: ActorCriticUnroll, episodes: Episodes, hparams: Any
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean square of the actors' outputs that count, which keeps tanh and softmax where they have a gradient."""
    steps = unroll.outputs.shape[1]
    counts = unroll.weight[..., None] * episodes.action_mask[:, :steps]
    outputs = jnp.where(counts > 0, unroll.outputs, 0.0)
    return _mean(outputs**2, counts), {"output_size": _mean(jnp.abs(outputs), counts)}


def _mean(x: jax.Array, weight: jax.Array) -> jax.Array:
    return jnp.where(weight > 0, x, 0.0).sum() / jnp.maximum(weight.sum(), 1.0)
