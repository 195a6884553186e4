"""MAIC's two losses (Yuan et al. 2022): of the teammate models, and of the sparsity of attention; masked.

Each is a mean over what counts: pairs of different agents, or senders, that are alive at valid steps. The released code
also counts padding, agents that are not alive, and what an agent models of itself.
"""

from __future__ import annotations

from typing import Any

import distrax
import jax
import jax.numpy as jnp

from marlcomm.losses.masking import masked_mean
from marlcomm.types import AnyUnroll, Episodes, pairs_at_work


def teammate_model_loss(unroll: AnyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Variational bound on the mutual information of a teammate's latent and its action (teammate modeling).

    KL(p(z_ij | h_i, j) || q(z_ij | h_i, j, a_j)) of diagonal Gaussians, summed over L dimensions, in nats; both are
    taught. Needs `teammate_mean`, `teammate_variance`, `posterior_mean` and `posterior_variance` [B, T+1, N, N, L] in
    `unroll.auxiliary`, which the incentive channel reports in training.
    """
    counts = pairs_at_work(episodes)
    steps = counts.shape[1]

    def gaussian(name: str) -> distrax.Normal:
        mean, variance = (unroll.auxiliary[f"{name}_{part}"][:, :steps] for part in ("mean", "variance"))
        mean, variance = (jnp.where(counts[..., None], x, fill) for x, fill in ((mean, 0.0), (variance, 1.0)))
        return distrax.Normal(mean, jnp.sqrt(variance))

    divergence = gaussian("teammate").kl_divergence(gaussian("posterior")).sum(-1)  # [B, T, N, N]
    return masked_mean(divergence, counts.astype(jnp.float32)), {}


def attention_entropy_loss(
    unroll: AnyUnroll, episodes: Episodes, hparams: Any
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Entropy of each sender's attention to its teammates, in bits (sparsity of communication).

    Needs `attention_entropy` [B, T+1, N] in `unroll.auxiliary`, which the incentive channel reports in training.
    """
    steps = episodes.valid.shape[1]
    counts = episodes.valid[..., None] & episodes.alive[:, :steps]
    return masked_mean(unroll.auxiliary["attention_entropy"][:, :steps], counts.astype(jnp.float32)), {}
