"""On-policy losses: clipped surrogate objective, value regression, entropy bonus; and advantage estimation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.losses.masking import masked_mean
from marlcomm.types import Episodes, PolicyUnroll, Scalar


def policy_loss(unroll: PolicyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Clipped surrogate objective (PPO, Schulman et al. 2017, eq. 7), negated; mean over steps of agents alive.

    At the first gradient step on a batch every ratio is 1 and nothing is clipped: the gradient is REINFORCE's.
    """
    # masked before the exponential: an infinite ratio that does not count would still make its gradient a NaN
    ratio = jnp.exp(jnp.where(unroll.weight > 0, unroll.log_prob - unroll.old_log_prob, 0.0))
    low, high = 1.0 - hparams.clip_ratio, 1.0 + hparams.clip_ratio
    advantage = jnp.where(unroll.weight > 0, unroll.advantage, 0.0)
    gain = jnp.minimum(ratio * advantage, jnp.clip(ratio, low, high) * advantage)
    clipped = (ratio < low) | (ratio > high)
    return -masked_mean(gain, unroll.weight), {
        "ratio": masked_mean(ratio, unroll.weight),
        "clipped": masked_mean(clipped.astype(jnp.float32), unroll.weight),
    }


def gate_loss(unroll: PolicyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """REINFORCE for sampled communication gates (IC3Net, Singh et al. 2019).

    Needs `gate` and `gate_log_prob` [B, T+1, N] in `unroll.auxiliary`. The critic of a step has heard what passed its
    gates, so it is no baseline for them: a gate is credited with the advantage of the step before, where IC3Net
    samples it, and at the first step with the target less its mean over the batch. A gate that is sampled differently
    than when the team acted gets no credit.
    """
    steps = episodes.valid.shape[1]
    log_prob, gate = (unroll.auxiliary[name][:, :steps] for name in ("gate_log_prob", "gate"))
    first = (unroll.target[:, :1] - unroll.target[:, :1].mean(0)) / unroll.scale
    advantage = jnp.concatenate([first, unroll.advantage[:, :-1]], 1)
    same = jax.lax.stop_gradient(gate) == unroll.acted["gate"]
    worth = jnp.where(unroll.weight > 0, same * advantage, 0.0)
    return -masked_mean(worth * log_prob, unroll.weight), {"open": masked_mean(gate, unroll.weight)}


def talk_loss(unroll: PolicyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Probability of an open gate, mean over the steps of agents alive: its weight is the price of communicating.

    In units of `advantage`, standard deviations of the return. It trains gates only, each at its own step. Needs what
    `gate_loss` needs. Ours.
    """
    steps = episodes.valid.shape[1]
    log_prob, gate = (unroll.auxiliary[name][:, :steps] for name in ("gate_log_prob", "gate"))
    log_prob = jnp.where(unroll.weight > 0, log_prob, 0.0)
    return masked_mean(jnp.where(gate > 0.5, jnp.exp(log_prob), -jnp.expm1(log_prob)), unroll.weight), {}


def value_loss(unroll: PolicyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean squared error of the critic in units of `scale`, over valid steps, also of agents not alive."""
    real = jnp.broadcast_to(episodes.valid[..., None], unroll.value.shape).astype(jnp.float32)
    error = masked_mean(jnp.where(real > 0, unroll.value - unroll.target, 0.0) ** 2, real)
    spread = masked_mean((unroll.target - masked_mean(unroll.target, real)) ** 2, real)
    explained = 1.0 - error / jnp.maximum(spread, 1e-8)
    return error / unroll.scale**2, {"value": masked_mean(unroll.value, real), "explained": explained}


def entropy_loss(unroll: PolicyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Entropy of the policy in nats, negated; mean over the steps of agents alive."""
    return -masked_mean(unroll.entropy, unroll.weight), {}


def generalized_advantage(
    reward: jax.Array, value: jax.Array, terminal: jax.Array, valid: jax.Array, discount: Scalar, gae_lambda: Scalar
) -> jax.Array:
    """Generalized advantage estimation (GAE, Schulman et al. 2016, eq. 16); returns [B, T, N].

    Nothing is bootstrapped after a terminal step; a truncated episode bootstraps from the critic's last value.

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
    centered = x - masked_mean(x, weight)
    return centered / jnp.sqrt(masked_mean(centered**2, weight) + 1e-8)
