"""NDQ's two information-theoretic regularizers of messages (Wang et al. 2020, eq. 7), masked.

Sums run over agents and dimensions; the divisor is the number of valid environment steps in the batch, as released.
"""

from __future__ import annotations

from typing import Any

import distrax
import jax
import jax.numpy as jnp

from marlcomm.types import AnyUnroll, Episodes

RELEASED_FLOOR = 1e-6  # what the released NDQ adds to a probability before it takes the logarithm


def expressiveness_loss(
    unroll: AnyUnroll, episodes: Episodes, hparams: Any, floor: float = 0.0
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Variational bound on the mutual information of messages and the receiver's greedy action (expressiveness).

    Cross entropy between the greedy action and a posterior that reads the messages received. The greedy action is the
    best that is allowed by `unroll.scores`: the target network's values (published), a policy's logits, or an actor's,
    of discrete actions. Needs `posterior_logits` [B, T+1, N, A] in `unroll.auxiliary`, which the Gaussian channel
    reports.

    Args:
      unroll, episodes, hparams: as of every loss.
      floor: is added to the posterior probability before the logarithm, which bounds its gradient. The released code
        has 1e-6 (`RELEASED_FLOOR`, in `ndq(paper=True)`); by default 0, computed from logits.
    """
    steps = episodes.valid.shape[1]
    allowed = episodes.action_mask[:, :steps]
    label = jnp.argmax(jnp.where(allowed, unroll.scores[:, :steps], -jnp.inf), -1)
    counts = episodes.valid[..., None] & episodes.alive[:, :steps]
    logits = jnp.where(counts[..., None], unroll.auxiliary["posterior_logits"][:, :steps], 0.0)
    posterior = distrax.Categorical(logits=logits)
    log_prob = jnp.asarray(posterior.log_prob(jax.lax.stop_gradient(label)))  # [B, T, N]
    surprise = -jnp.log(jnp.exp(log_prob) + floor) if floor else -log_prob
    guessed = counts & (posterior.mode() == label)
    loss = jnp.where(counts, surprise, 0.0).sum() / jnp.maximum(episodes.valid.sum(), 1)
    return loss, {"posterior_accuracy": guessed.sum() / jnp.maximum(counts.sum(), 1)}


def succinctness_loss(unroll: AnyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """KL divergence of message distributions from the unit Gaussian: a bound on their entropy (succinctness).

    Needs `message_mean` [B, T+1, N, N, D] in `unroll.auxiliary`. Counts messages to oneself, as the released code.
    """
    steps = episodes.valid.shape[1]
    alive = episodes.alive[:, :steps]
    counts = episodes.valid[..., None, None] & alive[..., :, None] & alive[..., None, :]
    mean = jnp.where(counts[..., None], unroll.auxiliary["message_mean"][:, :steps], 0.0)
    unit = distrax.Normal(jnp.zeros_like(mean), jnp.ones_like(mean))
    divergence = distrax.Normal(mean, jnp.ones_like(mean)).kl_divergence(unit).sum(-1)  # [B, T, N, N]
    loss = jnp.where(counts, divergence, 0.0).sum() / jnp.maximum(episodes.valid.sum(), 1)
    return loss, {}
