"""Losses of deterministic actors and their centralized critics (MADDPG, Lowe et al. 2017)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.losses.masking import masked_mean
from marlcomm.types import ActorCriticUnroll, Episodes


def critic_loss(unroll: ActorCriticUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean squared TD error of the critics over valid steps (eq. 6), also of agents not alive, whose team may win."""
    real = jnp.broadcast_to(episodes.valid[..., None], unroll.value.shape).astype(jnp.float32)
    error = jnp.where(real > 0, unroll.value - unroll.target, 0.0)
    return masked_mean(error**2, real), {
        "error_size": masked_mean(jnp.abs(error), real),
        "value": masked_mean(unroll.value, real),
    }


def actor_loss(unroll: ActorCriticUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Deterministic policy gradient: minus each agent's critic at its current action, others' from replay (eq. 5).

    Mean over the steps at which agents are alive.
    """
    return -masked_mean(unroll.policy_value, unroll.weight), {}


def saturation_loss(
    unroll: ActorCriticUnroll, episodes: Episodes, hparams: Any
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean square of the actors' outputs before tanh or softmax, which keeps both out of saturation."""
    steps = unroll.outputs.shape[1]
    counts = unroll.weight[..., None] * episodes.action_mask[:, :steps]
    outputs = jnp.where(counts > 0, unroll.outputs, 0.0)
    return masked_mean(outputs**2, counts), {"output_size": masked_mean(jnp.abs(outputs), counts)}
