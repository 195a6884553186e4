"""Temporal-difference loss of (mixed) action values, and its double Q-learning targets, as in PyMARL."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.losses.policy import generalized_advantage
from marlcomm.types import Episodes, Scalar, Unroll


def double_q_target(reward: jax.Array, terminal: jax.Array, next_value: jax.Array, discount: Scalar) -> jax.Array:
    """One-step TD target: reward + discount * next value, without the bootstrap at terminal steps. No gradient.

    Args:
      reward: [B, T, G]; terminal: [B, T] bool; next_value: [B, T, G], the mixed value at t + 1.
      discount: in 0 .. 1.

    Returns:
      [B, T, G].
    """
    return jax.lax.stop_gradient(reward + discount * jnp.where(terminal[..., None], 0.0, next_value))


def lambda_return(
    reward: jax.Array,
    terminal: jax.Array,
    valid: jax.Array,
    next_value: jax.Array,
    discount: Scalar,
    td_lambda: Scalar,
) -> jax.Array:
    """Lambda-return, the mixture of n-step targets with weights (1 - lambda) lambda^(n - 1). No gradient.

    Nothing is bootstrapped after a terminal step; a truncated episode bootstraps from its last value. Returns are not
    cut where an agent explored: Peng and Williams's Q(lambda) (1996), as in PyMARL.

    Args:
      reward, terminal, next_value, discount: as in `double_q_target`.
      valid: [B, T] bool.
      td_lambda: lambda, in 0 .. 1: 1 takes whole returns, 0 is `double_q_target`.

    Returns:
      [B, T, G]; where not valid, whatever is there.
    """
    value = jnp.pad(next_value, ((0, 0), (1, 0), (0, 0)))  # [B, T+1, G]; the first cancels
    advantage = generalized_advantage(reward, value, terminal, valid, discount, td_lambda)
    return jax.lax.stop_gradient(value[:, :-1] + advantage)


def temporal_difference_loss(
    unroll: Unroll, episodes: Episodes, hparams: Any
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean squared TD error over valid steps, optimistically weighted at terminal ones.

    At terminal steps, errors of values above their target are weighted by `hparams.overestimate_weight`. Below 1,
    values lean towards the best outcome seen, so that a joint action that needs everybody is not averaged with the
    failures of partners that still explore: the weighting of OW-QMIX (Rashid et al. 2020, eq. 7), restricted to
    terminal steps (ours), as it makes bootstrapped values diverge.
    """
    counts = unroll.weight > 0  # masked before anything is made of it: 0 times what is not finite is not 0
    value, error = (jnp.where(counts, x, 0.0) for x in (unroll.value, unroll.value - unroll.target))
    too_high = episodes.terminal[..., None] & (error > 0)
    squared = jnp.where(too_high, hparams.overestimate_weight, 1.0) * error**2
    count = jnp.maximum(unroll.weight.sum(), 1.0)
    return (unroll.weight * squared).sum() / count, {
        "error_size": (unroll.weight * jnp.abs(error)).sum() / count,
        "value": (unroll.weight * value).sum() / count,
    }
