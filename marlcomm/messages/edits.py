"""Edits stand between sender and receiver: they cut, drop, blur, shuffle or silence messages of any channel.

An edit is a pytree whose numbers may be traced, so that one compiled program serves a sweep over them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import jax
import jax.numpy as jnp
from flax import struct

from marlcomm.types import Episodes, Messages, Scalar, others


class Edit(Protocol):
    """Takes the messages [..., N, N, D] on their way and gives them back changed."""

    def __call__(self, messages: Messages, key: jax.Array) -> Messages: ...


class CutBelow(struct.PyTreeNode):
    """Cuts every entry whose importance is below `threshold`; what an agent tells itself is never cut.

    NDQ's threshold cut, with the paper's mask of sent dimensions (B.1), which costs one bit an entry.
    """

    threshold: Scalar = 0.0

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        keep = (messages.importance >= self.threshold) | ~_between_agents(messages)
        return _cut(messages, keep)


class RankCut(struct.PyTreeNode):
    """Cuts the share `fraction` of least important entries, ranked over all environments at each step.

    As released with NDQ: the rank counts finished environments and what agents tell themselves, and cuts both.
    It spends the same number of entries on every step, also on those when nobody needs to talk.
    """

    fraction: Scalar = 0.8

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        flat = messages.importance.reshape(-1)
        rank = jnp.argsort(jnp.argsort(flat)) / max(flat.size, 1)
        return _cut(messages, (rank >= self.fraction).reshape(messages.importance.shape))


class Drop(struct.PyTreeNode):
    """Loses each message as a whole with `probability`; the receiver finds zeros in its place."""

    probability: Scalar = 0.5

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        kept = jax.random.uniform(key, messages.sent.shape[:-1])[..., None] >= self.probability
        return messages._replace(sent=messages.sent & (kept | ~_between_agents(messages)))


class Noise(struct.PyTreeNode):
    """Adds Gaussian noise of standard deviation `sigma` to every entry that passes between agents."""

    sigma: Scalar = 1.0

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        blur = self.sigma * jax.random.normal(key, messages.content.shape)
        return messages._replace(content=messages.content + jnp.where(_between_agents(messages), blur, 0.0))


class Shuffle(struct.PyTreeNode):
    """Gives every receiver the messages of another environment: the same distribution, no information.

    Needs at least two environments on the first axis.
    """

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        count = messages.content.shape[0]
        shift = jax.random.randint(key, (), 1, max(count, 2))
        moved = jnp.roll(messages.content, shift, axis=0)
        return messages._replace(content=jnp.where(_between_agents(messages), moved, messages.content))


class Silence(struct.PyTreeNode):
    """Cuts everything that passes between agents. Nothing is sent, so not even a mask is paid for."""

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        return messages._replace(
            sent=messages.sent & ~_between_agents(messages), overhead=jnp.zeros_like(messages.overhead)
        )


class _Chain(struct.PyTreeNode):
    edits: tuple[Edit, ...]

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        for number, edit in enumerate(self.edits):
            messages = edit(messages, jax.random.fold_in(key, number))
        return messages


def chain_edits(edits: Sequence[Edit]) -> Edit | None:
    """Several edits, one after the other; None for none."""
    return None if not edits else edits[0] if len(edits) == 1 else _Chain(tuple(edits))


def pairs_at_work(episodes: Episodes) -> jax.Array:
    """[B, T, N, N] bool: pairs of different living agents at real steps, sender first."""
    alive = episodes.alive[:, :-1]
    pairs = alive[..., :, None] & alive[..., None, :] & others(alive.shape[-1])
    return pairs & episodes.valid[..., None, None]


def importance_quantile(importance: jax.Array, counts: jax.Array, fraction: Scalar) -> jax.Array:
    """[] the importance below which the share `fraction` of the entries lies.

    Args:
      importance: [B, T, N, N, D]; counts: [B, T, N, N] bool, the messages that count.
    """
    counted = jnp.where(jnp.broadcast_to(counts[..., None], importance.shape), importance, jnp.nan)
    return jnp.nanquantile(counted, fraction)


# name on the command line -> (edit, its range); `cut` is calibrated by evaluation, which then uses CutBelow
_EDITS: dict[str, tuple[Callable[..., Edit], tuple[float, float] | None]] = {
    "cut_below": (CutBelow, (0.0, float("inf"))),
    "rank_cut": (RankCut, (0.0, 1.0)),
    "drop": (Drop, (0.0, 1.0)),
    "noise": (Noise, (0.0, float("inf"))),
    "shuffle": (Shuffle, None),
    "silence": (Silence, None),
}


class CalibratedCut(struct.PyTreeNode):
    """Asks evaluation for the threshold that cuts the share `fraction`; it is replaced before anything runs."""

    fraction: float

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """Raises TypeError: evaluation replaces this by a `CutBelow`."""
        raise TypeError("a calibrated cut needs episodes to find its threshold: pass it to evaluate(edits=...)")


def parse_edit(text: str) -> Edit:
    """The edit that `name` or `name:number` stands for, such as `cut:0.8` or `silence`.

    Raises:
      ValueError: an unknown name, a missing or needless number, or a number out of range.
    """
    name, colon, number = text.partition(":")
    if name == "cut":
        return CalibratedCut(_number_in_range(text, number, (0.0, 1.0)))
    if name not in _EDITS:
        raise ValueError(f"edit {text!r}: unknown name; one of cut:f, {', '.join(sorted(_EDITS))}")
    make, bounds = _EDITS[name]
    if bounds is None:
        if colon:
            raise ValueError(f"edit {text!r}: {name} takes no number")
        return make()
    return make(_number_in_range(text, number, bounds))


def _number_in_range(text: str, number: str, bounds: tuple[float, float]) -> float:
    try:
        value = float(number)
    except ValueError:
        raise ValueError(f"edit {text!r}: needs a number after the colon, as in cut:0.8") from None
    if not bounds[0] <= value <= bounds[1]:
        raise ValueError(f"edit {text!r}: {value} is outside {bounds[0]} .. {bounds[1]}")
    return value


def _between_agents(messages: Messages) -> jax.Array:
    return others(messages.sent.shape[-2])[..., None]


def _cut(messages: Messages, keep: jax.Array) -> Messages:
    # the receiver is told which entries were sent: one bit an entry, between agents
    mask_bits = jnp.float32(messages.sent.shape[-1])
    return messages._replace(sent=messages.sent & keep, overhead=messages.overhead + mask_bits)
