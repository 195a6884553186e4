"""NDQ's two regularizers (Wang et al. 2020, eq. 7), masked, with the normalization of the released code.

Sums run over agents and dimensions; the divisor is the number of real environment steps in the batch.
"""

from __future__ import annotations

from typing import Any

import distrax
import jax
import jax.numpy as jnp

from marlcomm.types import Episodes, Unroll

RELEASED_FLOOR = 1e-6  # what the released NDQ adds to a probability before it takes the logarithm


def expressiveness_loss(
    unroll: Unroll, episodes: Episodes, hparams: Any, floor: float = 0.0
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Cross entropy between the receiver's best action and the posterior that reads its messages.

    The label is the target network's best available action at the same step. Needs `posterior_logits`
    [B, T+1, N, A] in `unroll.auxiliary`, as the gaussian channel gives.

    Ours is the logarithm itself, computed from logits, so that an action thought impossible teaches at full strength.
    The released code takes log(q + 1e-6) (`floor=RELEASED_FLOOR`, so `ndq(paper=True)`): below about one in a million
    it hardly teaches.
    """
    steps = episodes.valid.shape[1]
    allowed = episodes.action_mask[:, :steps]
    label = jnp.argmax(jnp.where(allowed, unroll.target_q[:, :steps], -jnp.inf), -1)
    counts = episodes.valid[..., None] & episodes.alive[:, :steps]
    logits = jnp.where(counts[..., None], unroll.auxiliary["posterior_logits"][:, :steps], 0.0)
    posterior = distrax.Categorical(logits=logits)
    log_prob = jnp.asarray(posterior.log_prob(jax.lax.stop_gradient(label)))  # [B, T, N]
    surprise = -jnp.log(jnp.exp(log_prob) + floor) if floor else -log_prob
    guessed = counts & (posterior.mode() == label)
    loss = jnp.where(counts, surprise, 0.0).sum() / jnp.maximum(episodes.valid.sum(), 1)
    return loss, {"posterior_accuracy": guessed.sum() / jnp.maximum(counts.sum(), 1)}


def succinctness_loss(unroll: Unroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """KL divergence of every message distribution from the unit Gaussian.

    Needs `message_mean` [B, T+1, N, N, D] in `unroll.auxiliary`. Includes what agents tell themselves, as released.
    """
    steps = episodes.valid.shape[1]
    alive = episodes.alive[:, :steps]
    counts = episodes.valid[..., None, None] & alive[..., :, None] & alive[..., None, :]
    mean = jnp.where(counts[..., None], unroll.auxiliary["message_mean"][:, :steps], 0.0)
    unit = distrax.Normal(jnp.zeros_like(mean), jnp.ones_like(mean))
    divergence = distrax.Normal(mean, jnp.ones_like(mean)).kl_divergence(unit).sum(-1)  # [B, T, N, N]
    loss = jnp.where(counts, divergence, 0.0).sum() / jnp.maximum(episodes.valid.sum(), 1)
    return loss, {}
