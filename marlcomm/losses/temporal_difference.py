"""The temporal-difference loss and its target (PyMARL's Q-learner; NDQ section 2.6 of the released code)."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp

from marlcomm.types import Episodes, Unroll


def double_q_target(
    reward: chex.Array, terminal: chex.Array, next_value: chex.Array, discount: chex.Numeric
) -> chex.Array:
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
) -> tuple[chex.Array, dict[str, chex.Array]]:
    """Mean squared temporal-difference error over the real steps.

    With `hparams.optimism` w below 1, errors of values that are *above* their target weigh w instead of 1
    (optimistic weighting: Rashid et al. 2020, weighted QMIX, eq. 6; w = 1 is QMIX).
    """
    error = unroll.value - unroll.target
    weight = unroll.weight * jnp.where(error > 0, hparams.optimism, 1.0)
    count = jnp.maximum(unroll.weight.sum(), 1.0)
    loss = (weight * error**2).sum() / count
    return loss, {
        "error_size": (unroll.weight * jnp.abs(error)).sum() / count,
        "value": (unroll.weight * unroll.value).sum() / count,
    }
