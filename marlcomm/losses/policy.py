"""On-policy losses: policy gradient with clipped ratios, regression of the critic, entropy; and the advantages."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.types import Episodes, PolicyUnroll, Scalar


def policy_loss(unroll: PolicyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The clipped surrogate objective, negated, mean over the steps of living agents (Schulman et al. 2017, eq. 7).

    At the first gradient step on a batch every ratio is 1 and nothing is clipped: this is REINFORCE.
    """
    # masked before the exponential: an infinite ratio that does not count would still make its gradient a NaN
    ratio = jnp.exp(jnp.where(unroll.weight > 0, unroll.log_prob - unroll.old_log_prob, 0.0))
    low, high = 1.0 - hparams.clip_ratio, 1.0 + hparams.clip_ratio
    advantage = jnp.where(unroll.weight > 0, unroll.advantage, 0.0)
    gain = jnp.minimum(ratio * advantage, jnp.clip(ratio, low, high) * advantage)
    clipped = (ratio < low) | (ratio > high)
    return -_mean(gain, unroll.weight), {
        "ratio": _mean(ratio, unroll.weight),
        "clipped": _mean(clipped.astype(jnp.float32), unroll.weight),
    }


def gate_loss(unroll: PolicyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """REINFORCE for gates that are drawn: needs `gate` and `gate_log_prob` [B, T+1, N] in `unroll.auxiliary`.

    The critic has heard what passed the gates of its own step, so they would look worthless against its value: a gate
    is held against the step before, as in IC3Net, which draws it there, and at the first step against the batch's mean.
    A gate that now falls otherwise than when the team acted is not taught by what came of the other.
    """
    steps = episodes.valid.shape[1]
    log_prob, gate = (unroll.auxiliary[name][:, :steps] for name in ("gate_log_prob", "gate"))
    first = (unroll.target[:, :1] - unroll.target[:, :1].mean(0)) / unroll.scale
    advantage = jnp.concatenate([first, unroll.advantage[:, :-1]], 1)
    same = jax.lax.stop_gradient(gate) == unroll.acted["gate"]
    worth = jnp.where(unroll.weight > 0, same * advantage, 0.0)
    return -_mean(worth * log_prob, unroll.weight), {"open": _mean(gate, unroll.weight)}


def talk_loss(unroll: PolicyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """How probable an open gate is, mean over the steps of living agents: its weight is the price of an open gate.

    The price is in deviations of the return, the units of `advantage`, and is paid beside the reward: it teaches gates
    only, each at its own step. Needs the same of `unroll.auxiliary` as `gate_loss`.
    """
    steps = episodes.valid.shape[1]
    log_prob, gate = (unroll.auxiliary[name][:, :steps] for name in ("gate_log_prob", "gate"))
    log_prob = jnp.where(unroll.weight > 0, log_prob, 0.0)
    return _mean(jnp.where(gate > 0.5, jnp.exp(log_prob), -jnp.expm1(log_prob)), unroll.weight), {}


def value_loss(unroll: PolicyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean squared error of the critic in units of `scale`, over real steps; also for the dead, whose team may win."""
    real = jnp.broadcast_to(episodes.valid[..., None], unroll.value.shape).astype(jnp.float32)
    error = _mean(jnp.where(real > 0, unroll.value - unroll.target, 0.0) ** 2, real)
    spread = _mean((unroll.target - _mean(unroll.target, real)) ** 2, real)
    explained = 1.0 - error / jnp.maximum(spread, 1e-8)
    return error / unroll.scale**2, {"value": _mean(unroll.value, real), "explained": explained}


def entropy_loss(unroll: PolicyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Negated entropy of the policy in nats, mean over the steps of living agents: its weight keeps agents trying."""
    return -_mean(unroll.entropy, unroll.weight), {}


def generalized_advantage(
    reward: jax.Array, value: jax.Array, terminal: jax.Array, valid: jax.Array, discount: Scalar, gae_lambda: Scalar
) -> jax.Array:
    """[B, T, N] how much better than the critic's expectation things went (Schulman et al. 2016, eq. 16).

    Where the task ended nothing is added; where a time limit cut the episode, the critic's value of what came next.

    Args:
      reward: [B, T, N]; value: [B, T+1, N]; terminal: [B, T] bool; valid: [B, T] bool.
      discount: gamma, in 0 .. 1.
      gae_lambda: lambda, in 0 .. 1: 1 takes whole returns, 0 the one-step error.
    """
    goes_on = ~terminal[..., None]
    followed = goes_on & jnp.pad(valid[:, 1:], ((0, 0), (0, 1)))[..., None]  # by another real step
    error = reward + discount * jnp.where(goes_on, value[:, 1:], 0.0) - value[:, :-1]

    def step(later: jax.Array, x: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        error, followed = x
        now = error + discount * gae_lambda * jnp.where(followed, later, 0.0)
        return now, now

    time_first = jnp.moveaxis(error, 1, 0), jnp.moveaxis(followed, 1, 0)
    _, advantage = jax.lax.scan(step, jnp.zeros_like(error[:, 0]), time_first, reverse=True)
    return jnp.where(valid[..., None], jnp.moveaxis(advantage, 0, 1), 0.0)


def normalize(x: jax.Array, weight: jax.Array) -> jax.Array:
    """`x` with mean 0 and standard deviation 1 over what `weight` counts (the same shape, 0 or 1)."""
    centered = x - _mean(x, weight)
    return centered / jnp.sqrt(_mean(centered**2, weight) + 1e-8)


def _mean(x: jax.Array, weight: jax.Array) -> jax.Array:
    return jnp.where(weight > 0, x, 0.0).sum() / jnp.maximum(weight.sum(), 1.0)
