"""MASIA's losses (Guan et al. 2022): representations are to tell the state, and what comes next; masked."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.losses.masking import masked_mean
from marlcomm.types import AnyUnroll, Episodes
from marlcomm.validation import UsageError


def reconstruction_loss(unroll: AnyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean squared error of the global state as each agent estimates it (state reconstruction).

    A mean over S features, and over agents that are alive at valid steps. Needs `state_estimate` [B, T+1, N, S] in
    `unroll.auxiliary`, which the aggregation channel reports in training.
    """
    steps = episodes.valid.shape[1]
    counts = episodes.valid[..., None] & episodes.alive[:, :steps]
    estimate = jnp.where(counts[..., None], unroll.auxiliary["state_estimate"][:, :steps], 0.0)
    state = jnp.where(counts[..., None], episodes.global_state[:, :steps, None], 0.0)
    error = jnp.square(estimate - state).sum(-1) / max(state.shape[-1], 1)
    return masked_mean(error, counts.astype(jnp.float32)), {}


def prediction_loss(unroll: AnyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Squared error of the next representation, foretold from this one and the joint action (latent prediction).

    Foretold is next_j(z_j) + sum_i effect_ji(z_j)[a_i] W_j(z_j), over agents i that are alive. What it is to
    be is z_j of the next step, of the target network where there is one, without a gradient. A sum over Z features, and
    a mean over agents j that are alive at two valid steps in a row.

    Needs `representation` and `next_representation` [B, T+1, N, Z], `effect_of_action` [B, T+1, N, N, A, R] and W as
    `effect_basis` [B, T+1, N, R, Z] in `unroll.auxiliary`, which the aggregation channel reports in training with
    `predicts=True`.

    Raises:
      UsageError: the episodes have one step, as single steps from replay, and so none that comes next.
    """
    if episodes.valid.shape[1] < 2:
        raise UsageError(
            "The loss 'prediction' looks a step ahead, and is given single steps: set channel.predicts=False"
        )
    reported = unroll.auxiliary
    settled = getattr(unroll, "target_auxiliary", None) or reported
    target = jax.lax.stop_gradient(settled["representation"][:, 1:])
    steps = min(target.shape[1], episodes.valid.shape[1] - 1)
    now, then = episodes.alive[:, :steps], episodes.alive[:, 1 : steps + 1]
    both = episodes.valid[:, :steps] & episodes.valid[:, 1 : steps + 1]
    counts = both[..., None] & now & then  # [B, T-1, N]
    effect = reported["effect_of_action"][:, :steps]
    taken = jnp.take_along_axis(effect, episodes.action[:, :steps, None, :, None, None], -2)[..., 0, :]
    together = jnp.where((counts[..., None] & now[..., None, :])[..., None], taken, 0.0).sum(-2)  # [B, T-1, N, R]
    basis = jnp.where(counts[..., None, None], reported["effect_basis"][:, :steps], 0.0)
    added = jnp.einsum("...r,...rz->...z", together, basis)
    foretold = jnp.where(counts[..., None], reported["next_representation"][:, :steps] + added, 0.0)
    error = jnp.square(foretold - jnp.where(counts[..., None], target[:, :steps], 0.0)).sum(-1)
    return masked_mean(error, counts.astype(jnp.float32)), {}
