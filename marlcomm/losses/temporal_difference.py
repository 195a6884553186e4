"""The temporal-difference loss and its target (PyMARL's Q-learner; NDQ section 2.6 of the released code)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.types import Episodes, Scalar, Unroll


def double_q_target(reward: jax.Array, terminal: jax.Array, next_value: jax.Array, discount: Scalar) -> jax.Array:
    """reward + discount * next value, without the bootstrap where the task ended. No gradient.

    Args:
      reward: [B, T, G]; terminal: [B, T] bool; next_value: [B, T, G], the mixed value at t + 1.
      discount: in 0 .. 1.

    Returns:
      [B, T, G].
    """
    alive = 1.0 - terminal[..., None].astype(jnp.float32)
    return jax.lax.stop_gradient(reward + discount * alive * next_value)


def temporal_difference_loss(
    unroll: Unroll, episodes: Episodes, hparams: Any
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean squared temporal-difference error over the real steps."""
    error = unroll.value - unroll.target
    count = jnp.maximum(unroll.weight.sum(), 1.0)
    loss = (unroll.weight * error**2).sum() / count
    return loss, {
        "error_size": (unroll.weight * jnp.abs(error)).sum() / count,
        "value": (unroll.weight * unroll.value).sum() / count,
    }
