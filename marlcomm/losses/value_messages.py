"""Regularizers of messages that add to action values: VBC's variance, TMC's smoothness and robustness; masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.losses.masking import masked_mean
from marlcomm.types import AnyUnroll, Episodes


def variance_loss(unroll: AnyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Variance of each message over its entries, summed over agents (VBC, Zhang et al. 2019, eq. 1).

    Mean over valid steps. Needs `message` [B, T+1, N, A] in `unroll.auxiliary`.
    """
    message, counts = _of_real_steps(unroll, episodes, "message")
    total = jnp.where(counts, message.var(-1), 0.0).sum()
    return total / jnp.maximum(episodes.valid.sum(), 1), {}


def smoothness_loss(
    unroll: AnyUnroll, episodes: Episodes, hparams: Any, factors: Sequence[float] = (1.5, 1.0, 0.5)
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Change of messages against the last few steps, in units of their size (TMC, Zhang et al. 2020).

    With s = min(t, len(factors)) steps to look back on, that of an agent at a step is
    sum_k factor_k |m_t - m_{t-k}|^2 / (s A |m_t|^2), k = 1 .. s, and 0 at the first; mean over steps of agents alive.
    The size is no way out: no gradient passes to it. Needs `message` [B, T+1, N, A] in `unroll.auxiliary`.

    Args:
      unroll, episodes, hparams: as of every loss.
      factors: beta of one step back, of two, and so on (released: 1.5, 1, 0.5).
    """
    message, counts = _of_real_steps(unroll, episodes, "message")
    size = jax.lax.stop_gradient((message**2).sum(-1)) + 1e-6
    total = jnp.zeros_like(size)
    for back, factor in enumerate(factors[: message.shape[1] - 1], 1):
        both = counts[:, back:] & counts[:, :-back]
        change = ((message[:, back:] - message[:, :-back]) ** 2).sum(-1)
        total = total.at[:, back:].add(jnp.where(both, factor * change, 0.0))
    looked_back = jnp.clip(jnp.arange(message.shape[1]), 1, len(factors))[:, None]
    relative = total / (looked_back * message.shape[-1] * size)
    return masked_mean(relative, counts.astype(jnp.float32)), {}


def robustness_loss(
    unroll: AnyUnroll, episodes: Episodes, hparams: Any, steepness: float = 25.0
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """exp(-steepness * difference of the two best actions' values) (TMC, Zhang et al. 2020).

    Mean over the steps of agents alive. Needs `action_gap` [B, T+1, N] in `unroll.auxiliary`.

    Args:
      unroll, episodes, hparams: as of every loss.
      steepness: in units of 1 / action values (released: 25).
    """
    gap, counts = _of_real_steps(unroll, episodes, "action_gap")
    weight = counts.astype(jnp.float32)
    surer = counts & jnp.isfinite(gap)
    return masked_mean(jnp.exp(-steepness * gap), weight), {
        "gap": masked_mean(jnp.where(surer, gap, 0.0), surer.astype(jnp.float32))
    }


def _of_real_steps(unroll: AnyUnroll, episodes: Episodes, name: str) -> tuple[jax.Array, jax.Array]:
    """What is reported by that name [B, T, N, ...], 0 where it does not count, and where it counts [B, T, N]."""
    steps = episodes.valid.shape[1]
    counts = episodes.valid[..., None] & episodes.alive[:, :steps]
    found = unroll.auxiliary[name][:, :steps]
    return jnp.where(counts.reshape(*counts.shape, *(1,) * (found.ndim - 3)), found, 0.0), counts
