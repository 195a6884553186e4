"""Online clustering of action-value vectors, which trains RGMComm's message network (Chen et al. 2024, eq. 13).

For one sender; `jax.vmap` makes it several. K1 observations of the sender are rows, K2 observations and actions of the
others are columns; M is the vocabulary size. In this order: `most_frequent` chooses columns, `action_value_matrix`
evaluates the critic, `action_value_vectors` normalizes rows, so that only their direction counts, and
`clustering_loss` assigns labels to rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.types import Scalar

# Eq. 13 weighs labels of neighbors by their distance, which pulls together what is unlike, and its information is not
# weighted. Its lambda is not given; with sums for means it is `neighbors` times `information_weight`.
AS_PRINTED: Mapping[str, Any] = {"pull": "distance", "entropy_weight": 1.0}

# The released code: 1e-4 * (sum over 256 rows and 15 neighbors) + 10 * (conditional entropy - 4 * entropy), with
# labels as numbers, so that no gradient of the first term reaches the network.
AS_RELEASED: Mapping[str, Any] = {
    "labels": "integer",
    "information_weight": 10.0 / (1e-4 * 256 * 15),
    "entropy_weight": 4.0,
}


def most_frequent(rows: jax.Array, count: int) -> jax.Array:
    """The K2 rows of a batch that occur most often, of each only its first occurrence.

    Where there are fewer different rows than `count`, repetitions fill up; where no row occurs twice, as with
    continuous observations, these are the first rows.

    Args:
      rows: [B, F] what the others saw and did.
      count: K2.

    Returns:
      [K2] int32 indices into the batch, the most frequent first.

    Raises:
      ValueError: K2 is not in 1 .. B.
    """
    if not 1 <= count <= len(rows):
        raise ValueError(f"K2 is {count}: must be in 1 .. {len(rows)}, the size of the batch that columns come from")
    return with_frequency(rows, count)[0]


def with_frequency(rows: jax.Array, count: int, real: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
    """As `most_frequent`, and how often each of these rows occurs: 0 for repetitions and for what is not real.

    Args:
      rows: [B, F]; count: K, at most B.
      real: [B] bool: which rows count; all by default.

    Returns:
      indices [K] int32, and frequency [K] float32.
    """
    real = jnp.ones(len(rows), bool) if real is None else real
    digest = _fingerprint(rows)
    same = (digest[:, None] == digest[None]).all(-1) & real
    is_first = real & (jnp.argmax(same, -1) == jnp.arange(len(rows)))
    frequency = jnp.where(is_first, same.sum(-1), 0)
    chosen = jnp.argsort(-frequency, stable=True)[:count]
    return chosen, frequency[chosen].astype(jnp.float32)


def _fingerprint(rows: jax.Array) -> jax.Array:
    """[B, F] -> [B, 2] uint32, equal for equal rows, and for others by chance only: cheaper to compare in pairs."""
    rows = jnp.where(rows == 0, 0.0, rows.astype(jnp.float32))  # -0 is 0; adding 0 would be optimized away
    bits = jax.lax.bitcast_convert_type(rows, jnp.uint32)
    odd = jax.random.bits(jax.random.PRNGKey(0), (2, 2, rows.shape[-1]), jnp.uint32) | 1
    mixed = (bits[:, None] ^ (bits[:, None] >> 15)) * odd[0]
    return ((mixed ^ (mixed >> 13)) * odd[1]).sum(-1, dtype=jnp.uint32)


def in_batches(function: Callable[[Any], Any], xs: Any, at_once: int) -> Any:
    """`jax.vmap(function)(xs)` over the leading axis, of at most `at_once` entries (at least one) at a time."""
    count = len(jax.tree.leaves(xs)[0])
    return jax.vmap(function)(xs) if count <= at_once else jax.lax.map(function, xs, batch_size=max(at_once, 1))


def action_value_matrix(
    critic: Callable[[Any, Any], jax.Array], own: Any, other: Any, at_once: int | None = None
) -> jax.Array:
    """Critic values of every row (sender) with every column (others), in batched calls. No gradient.

    Args:
      critic: (one entry of `own`, one entry of `other`) -> [] action value, or [G] those of G alternatives.
      own: pytree with leading axis K1: what the sender saw and did.
      other: pytree with leading axis K2: what the others saw and did.
      at_once: pairs in one call, which bounds the memory that it takes; by default all.

    Returns:
      [K1, K2], or [K1, K2 G] with alternatives side by side.

    Raises:
      ValueError: the critic gives anything else for one pair.
    """
    columns = len(jax.tree.leaves(other)[0])
    most = len(jax.tree.leaves(own)[0]) * columns if at_once is None else at_once

    def row(own: Any) -> jax.Array:
        return in_batches(lambda other: critic(own, other), other, most)

    values = in_batches(row, own, most // columns)
    if values.ndim not in (2, 3):
        raise ValueError(
            f"the critic gives shape {values.shape[2:]} for one pair: it must give one number, shape (), or one for "
            "each alternative"
        )
    return jax.lax.stop_gradient(values.reshape(len(values), -1))


def action_value_vectors(
    values: jax.Array, normalization: str = "range", activation: str = "tanh", num_actions: int | None = None
) -> jax.Array:
    """f((Q - alpha) / beta), row by row (section 4.2). Rows that do not vary become zero, but by "none" or "softmax".

    Args:
      values: [..., K1, K2] action values.
      normalization: alpha and beta.

        - "range": the middle of the row's range and half of the range, so that rows fill -1 .. 1.
        - "published": the middle and the row's maximum, as released; it turns the signs of rows below zero, and blows
          up near zero.
        - "advantage": the mean over actions and the largest difference from it. The best surrogate of the return gap
          in random games.
        - "none": 0 and 1.
      activation: "tanh", "softmax" or "none".
      num_actions: for "advantage": columns are contexts x actions, actions last, and each context is centered by
        itself; by default all columns are one context.

    Raises:
      ValueError: an unknown name, or K2 that is no multiple of `num_actions`.
    """
    check_names(normalization=normalization, activation=activation)
    columns = values.shape[-1]
    group = columns if num_actions is None else num_actions
    if group < 1 or columns % group:
        raise ValueError(f"num_actions is {num_actions}: must divide the {columns} columns")
    return _ACTIVATIONS[activation](_NORMALIZATIONS[normalization](values, group))


def check_names(**chosen: str) -> None:
    """Raises ValueError where `normalization`, `activation`, `pull` or `labels` is none of those that there are."""
    for what, name in chosen.items():
        if name not in _NAMES[what]:
            raise ValueError(f"{what} is {name!r}: must be one of {', '.join(_NAMES[what])}")


def cosine_similarity(vectors: jax.Array) -> jax.Array:
    """[K1, K2] -> [K1, K1] cosines of the angles between rows; 0 with a row of zeros."""
    unit = _divide(vectors, jnp.linalg.norm(vectors, axis=-1, keepdims=True))
    return unit @ unit.T


def nearest_neighbors(similarity: jax.Array, count: int) -> jax.Array:
    """[K1, count] indices of the rows most similar to each, itself left out, the nearest first.

    Raises:
      ValueError: `count` is not in 1 .. K1 - 1.
    """
    rows = len(similarity)
    if not 1 <= count < rows:
        raise ValueError(f"neighbors is {count}: must be in 1 .. {rows - 1}, as there are {rows} rows")
    return jax.lax.top_k(jnp.where(jnp.eye(rows, dtype=bool), -jnp.inf, similarity), count)[1]


def clustering_loss(
    logits: jax.Array,
    vectors: jax.Array,
    *,
    neighbors: int = 15,
    information_weight: Scalar = 1.0,
    entropy_weight: Scalar = 2.0,
    pull: str = "similarity",
    labels: str = "soft",
    frequency: jax.Array | None = None,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Regularized information maximization (eq. 13): neighbors share a label, and labels are informative.

    locality - information_weight * (entropy_weight * H(label) - H(label | observation)), where locality is the mean
    over rows and their nearest neighbors of w * |p - p'|^2. `AS_PRINTED` and `AS_RELEASED` hold what differs in the
    published material. Labels of probability 0 are safe.

    Args:
      logits: [K1, M] of the labels, from the message network.
      vectors: [K1, K2] from `action_value_vectors`; no gradient enters them.
      neighbors: j, so that a label is best shared by j + 1 rows or more. (The released 16 counts the row itself.)
      information_weight: lambda. Large values (the released one is 26) let information decide alone: labels then
        follow whatever varies most in the network's input.
      entropy_weight: weight of the entropy of labels, H(label), against that of each row's label; 1 makes the
        difference their mutual information, the released code has 4.
      pull: w, the cosine "similarity" of the two vectors clipped to 0 .. 1, or their "distance", 1 - similarity.
      labels: p, "soft" for the probabilities of labels, or "integer" for the number of the most probable one, through
        which no gradient passes.
      frequency: [K1] how often each row occurs, as any multiple; 0 leaves a row out, both as a row and as a
        neighbor. Equal rows of a discrete task are best given once, with their frequency: else each row's nearest
        neighbors are its own copies.

    Returns:
      the loss, and metrics: `locality`, `label_entropy` and `label_information` (in nats).

    Raises:
      ValueError: an unknown name, numbers of rows that differ, or too many neighbors.
    """
    check_names(pull=pull, labels=labels)
    if len(logits) != len(vectors):
        raise ValueError(f"logits have {len(logits)} rows and vectors {len(vectors)}: must be one each an observation")
    share = jnp.ones(len(logits)) if frequency is None else frequency
    share = share / jnp.maximum(share.sum(), 1e-12)
    assignment = jax.nn.softmax(logits) if labels == "soft" else jnp.argmax(logits, -1)[:, None].astype(jnp.float32)
    locality = _locality(assignment, jax.lax.stop_gradient(vectors), share, neighbors, pull)
    entropy, remaining = _entropies(logits, share)
    information = entropy_weight * entropy - remaining
    metrics = {"locality": locality, "label_entropy": entropy, "label_information": entropy - remaining}
    return locality - information_weight * information, metrics


def _locality(assignment: jax.Array, vectors: jax.Array, share: jax.Array, neighbors: int, pull: str) -> jax.Array:
    similarity = cosine_similarity(vectors)
    near = nearest_neighbors(jnp.where(share > 0, similarity, -jnp.inf), neighbors)  # [K1, j]
    found = jnp.take_along_axis(similarity, near, -1)
    strength = jnp.clip(found, 0.0, 1.0) if pull == "similarity" else 1.0 - found
    disagreement = ((assignment[:, None] - assignment[near]) ** 2).sum(-1)
    counts = share[near] > 0
    pulled = jnp.where(counts, strength * disagreement, 0.0).sum(-1) / jnp.maximum(counts.sum(-1), 1)
    return (share * pulled).sum()


def _entropies(logits: jax.Array, share: jax.Array) -> tuple[jax.Array, jax.Array]:
    """H(label) and H(label | observation)."""
    chance = jax.nn.softmax(logits)
    return _entropy(share @ chance), share @ _entropy(chance)


def _entropy(chance: jax.Array) -> jax.Array:
    # a label that nobody uses has probability 0, where the logarithm has no gradient
    return -(chance * jnp.log(jnp.maximum(chance, 1e-30))).sum(-1)


def _divide(values: jax.Array, by: jax.Array) -> jax.Array:
    return jnp.where(by == 0, 0.0, values / jnp.where(by == 0, 1.0, by))


def _middle(values: jax.Array) -> jax.Array:
    return (values.max(-1, keepdims=True) + values.min(-1, keepdims=True)) / 2


def _by_range(values: jax.Array, _: int) -> jax.Array:
    centered = values - _middle(values)
    return _divide(centered, centered.max(-1, keepdims=True))


def _as_published(values: jax.Array, _: int) -> jax.Array:
    return _divide(values - _middle(values), values.max(-1, keepdims=True))


def _advantage(values: jax.Array, num_actions: int) -> jax.Array:
    contexts = values.reshape(*values.shape[:-1], -1, num_actions)
    advantage = (contexts - contexts.mean(-1, keepdims=True)).reshape(values.shape)
    return _divide(advantage, jnp.abs(advantage).max(-1, keepdims=True))


_NORMALIZATIONS: Mapping[str, Callable[[jax.Array, int], jax.Array]] = {
    "range": _by_range,
    "published": _as_published,
    "advantage": _advantage,
    "none": lambda values, _: values,
}
_ACTIVATIONS: Mapping[str, Callable[[jax.Array], jax.Array]] = {
    "tanh": jnp.tanh,
    "softmax": jax.nn.softmax,
    "none": lambda values: values,
}
_NAMES: Mapping[str, Collection[str]] = {
    "normalization": _NORMALIZATIONS,
    "activation": _ACTIVATIONS,
    "pull": ("similarity", "distance"),
    "labels": ("soft", "integer"),
}
