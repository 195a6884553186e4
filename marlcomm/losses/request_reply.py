"""What teaches request and reply (CACOM, Li and Zhang 2024): gates by labels, replies by the others' values; masked."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from marlcomm.losses.masking import masked_mean
from marlcomm.types import AnyUnroll, Episodes, pairs_at_work


def reply_gate_loss(unroll: AnyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Binary cross entropy of gates and labels: whether a reply is worth sending.

    Mean over pairs of different agents alive of which it is known. Needs `gate_logit`, and 1 or 0 as `gate_label` and
    `gate_taught`, each [B, T+1, N, N], in `unroll.auxiliary`.
    """
    pairs = pairs_at_work(episodes)
    steps = pairs.shape[1]
    taught = pairs & (unroll.auxiliary["gate_taught"][:, :steps] > 0)
    given = (unroll.auxiliary[name][:, :steps] for name in ("gate_logit", "gate_label"))
    logit, label = (jnp.where(taught, x, 0.0) for x in given)
    weight = taught.astype(jnp.float32)
    surprise = optax.sigmoid_binary_cross_entropy(logit, label)
    return masked_mean(surprise, weight), {
        "worth_it": masked_mean(label, weight),
        "open": masked_mean((logit > 0).astype(jnp.float32), weight),
        "right": masked_mean(((logit > 0) == (label > 0)).astype(jnp.float32), weight),
    }


def teammate_value_loss(unroll: AnyUnroll, episodes: Episodes, hparams: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean squared error of the action values of others, as they are predicted from what is heard of them.

    Mean over pairs of different agents alive, and actions. Needs `teammate_values` [B, T+1, N, N, A], of receiver and
    other, and `own_values` [B, T+1, N, A] in `unroll.auxiliary`. No gradient reaches what is predicted.
    """
    pairs = pairs_at_work(episodes)
    steps = pairs.shape[1]
    predicted, own = (unroll.auxiliary[name][:, :steps] for name in ("teammate_values", "own_values"))
    error = jnp.where(pairs[..., None], predicted - jax.lax.stop_gradient(own)[..., None, :, :], 0.0)
    return masked_mean((error**2).mean(-1), pairs.astype(jnp.float32)), {}
