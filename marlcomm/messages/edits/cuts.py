"""Edits that decide what is sent: by importance, by a budget, or nothing at all."""

from __future__ import annotations

from numbers import Integral
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from marlcomm.messages.edits.edit import INFINITY, between_agents, require, to_whole
from marlcomm.types import Messages, Scalar

_MOST_ENTRIES = 2**31 - 1  # more than any message has


class CutBelow(struct.PyTreeNode):
    """Cuts every entry whose importance is below `threshold`; what an agent tells itself is never cut.

    NDQ's threshold cut, with the paper's mask of sent dimensions (B.1), which costs one bit an entry. With `whole`, a
    message is cut as one where its most important entry is below; the mask then costs one bit a message.

    Raises:
      ValueError: `threshold` is below 0. (Every edit checks its number so, unless it is traced.)
    """

    threshold: Scalar = 0.0
    whole: bool = struct.field(pytree_node=False, default=False)

    def __post_init__(self) -> None:
        require("threshold", self.threshold, 0.0, INFINITY)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        keep = (_worth(messages, self.whole) >= self.threshold) | ~between_agents(messages)
        return _cut(messages, keep)


class RankCut(struct.PyTreeNode):
    """Cuts the share `fraction` of least important entries that are said, ranked over all environments at each step.

    As released with NDQ: the rank counts finished environments and what agents tell themselves, and cuts both.
    It spends the same number of entries on every step, also on those when nobody needs to talk. With `whole`, it ranks
    and cuts messages by their most important entry. Where the share is no whole number of entries, one more is cut.
    """

    ACROSS: ClassVar[bool] = True

    fraction: Scalar = 0.8
    whole: bool = struct.field(pytree_node=False, default=False)

    def __post_init__(self) -> None:
        require("fraction", self.fraction, 0.0, 1.0)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        said, worth = _said(messages, self.whole), _worth(messages, self.whole)
        rank = jnp.argsort(jnp.argsort(jnp.where(said, worth, jnp.inf).reshape(-1))).reshape(worth.shape)
        return _cut(messages, rank >= _count(self.fraction, said.sum()))


class Budget(struct.PyTreeNode):
    """Lets each sender say only its `entries` most important entries to others, over all receivers, in a round.

    What agents tell themselves is free. Among equals, the first receiver's come first. `entries` may be [] or one
    number a sender, [..., N]. With `whole`, it counts messages, ranked by their most important entry. What a channel
    withholds takes nobody's place.
    """

    entries: Scalar = 1
    whole: bool = struct.field(pytree_node=False, default=False)

    def __post_init__(self) -> None:
        require("entries", self.entries, 0, INFINITY, whole=True)
        if isinstance(self.entries, Integral):
            object.__setattr__(self, "entries", min(int(self.entries), _MOST_ENTRIES))

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        between = between_agents(messages)
        worth = jnp.where(_said(messages, self.whole) & between, _worth(messages, self.whole), -jnp.inf)
        by_sender = worth.reshape(*worth.shape[:-2], -1)  # [..., N, N*D]
        rank = jnp.argsort(jnp.argsort(-by_sender)).reshape(worth.shape)
        return _cut(messages, (rank < jnp.asarray(self.entries)[..., None, None]) | ~between)


class Silence(struct.PyTreeNode):
    """Cuts everything that passes between agents. Nothing is sent, so not even a mask is paid for."""

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        between = between_agents(messages)
        return messages._replace(
            content=jnp.where(between, 0.0, messages.content),
            sent=messages.sent & ~between,
            overhead=jnp.zeros_like(messages.overhead),
            mask=None,
        )


class CalibratedCut(struct.PyTreeNode):
    """Cuts the share `fraction` of what is said by one fixed threshold, which evaluation puts in its place."""

    fraction: float
    whole: bool = struct.field(pytree_node=False, default=False)

    def __post_init__(self) -> None:
        require("fraction", self.fraction, 0.0, 1.0)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """Raises TypeError: evaluation replaces this by a `CutBelow`."""
        raise TypeError("a calibrated cut needs episodes to find its threshold: pass it to evaluate(edits=...)")


def with_mask(messages: Messages, decisions: int) -> Messages:
    """The messages with a mask that tells each receiver what was sent, one bit a decision; a second mask over the same
    entries costs no more."""
    mask = jnp.full(messages.overhead.shape, decisions, jnp.float32)
    return messages._replace(mask=mask if messages.mask is None else jnp.maximum(messages.mask, mask))


def importance_quantile(importance: jax.Array, counts: jax.Array, fraction: Scalar) -> jax.Array:
    """[] the least importance that the share `fraction` of the entries, or more, does not exceed; 0 for no entries.

    Args:
      importance: [..., D]; counts: [..., D] bool, or [..., 1], the entries that count.
      fraction: 0 .. 1.
    """
    counts = jnp.broadcast_to(counts, importance.shape)
    ordered = jnp.sort(jnp.where(counts, importance, jnp.inf).reshape(-1))
    below = _count(fraction, counts.sum())
    return jnp.where(counts.any(), ordered[jnp.clip(below - 1, 0, ordered.size - 1)], 0.0)


def _worth(messages: Messages, whole: bool) -> jax.Array:
    """[..., N, N, D] importance of entries or, of whole messages, that of what is said of them, [..., N, N, 1]."""
    if not whole:
        return messages.importance
    return jnp.where(messages.sent, messages.importance, 0.0).max(-1, keepdims=True, initial=0.0)


def _said(messages: Messages, whole: bool) -> jax.Array:
    """[..., N, N, D] bool: which entries are said or, of whole messages, which of them have any, [..., N, N, 1]."""
    return messages.sent.any(-1, keepdims=True) if whole else messages.sent


def _count(fraction: Scalar, total: jax.Array) -> jax.Array:
    """[] int32: the share `fraction` of `total` things, rounded up."""
    return to_whole(fraction * total.astype(jnp.float32), jnp.ceil).astype(jnp.int32)


def _cut(messages: Messages, keep: jax.Array) -> Messages:
    return with_mask(messages, min(keep.shape[-1], messages.sent.shape[-1]))._replace(
        content=jnp.where(keep, messages.content, 0.0),  # for gradients; delivery looks at `sent`
        sent=messages.sent & keep,
    )
