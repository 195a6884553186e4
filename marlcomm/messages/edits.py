"""Edits stand between sender and receiver: they cut, drop, blur, delay, shuffle or silence messages of any channel.

An edit is a pytree whose numbers may be traced, so that one compiled program serves a sweep over them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from marlcomm.names import EDITS, edit_name, load
from marlcomm.types import Episodes, Messages, Scalar, others

_INFINITY = float("inf")
_LOUDEST_NOISE = 1e6  # beyond it nothing is left of a message, and networks overflow
_MOST_ENTRIES = 2**31 - 1  # more than any message has


class Edit(Protocol):
    """Takes the messages [..., N, N, D] on their way and gives them back changed."""

    def __call__(self, messages: Messages, key: jax.Array) -> Messages: ...


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
        _require("threshold", self.threshold, 0.0, _INFINITY)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        keep = (_worth(messages, self.whole) >= self.threshold) | ~_between_agents(messages)
        return _cut(messages, keep)


class RankCut(struct.PyTreeNode):
    """Cuts the share `fraction` of least important entries that are said, ranked over all environments at each step.

    As released with NDQ: the rank counts finished environments and what agents tell themselves, and cuts both.
    It spends the same number of entries on every step, also on those when nobody needs to talk. With `whole`, it ranks
    and cuts messages by their most important entry. Where the share is no whole number of entries, one more is cut.
    """

    fraction: Scalar = 0.8
    whole: bool = struct.field(pytree_node=False, default=False)

    def __post_init__(self) -> None:
        _require("fraction", self.fraction, 0.0, 1.0)

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
        _require("entries", self.entries, 0, _INFINITY, whole=True)
        if isinstance(self.entries, Integral):
            object.__setattr__(self, "entries", min(int(self.entries), _MOST_ENTRIES))

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        between = _between_agents(messages)
        worth = jnp.where(_said(messages, self.whole) & between, _worth(messages, self.whole), -jnp.inf)
        by_sender = worth.reshape(*worth.shape[:-2], -1)  # [..., N, N*D]
        rank = jnp.argsort(jnp.argsort(-by_sender)).reshape(worth.shape)
        return _cut(messages, (rank < jnp.asarray(self.entries)[..., None, None]) | ~between)


class Drop(struct.PyTreeNode):
    """Loses each message as a whole with `probability`: the receiver finds zeros in its place, the sender has paid."""

    probability: Scalar = 0.5

    def __post_init__(self) -> None:
        _require("probability", self.probability, 0.0, 1.0)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        kept = jax.random.uniform(key, messages.sent.shape[:-1])[..., None] >= self.probability
        return messages._replace(content=jnp.where(kept | ~_between_agents(messages), messages.content, 0.0))


class Noise(struct.PyTreeNode):
    """Adds Gaussian noise of standard deviation `sigma` to every entry that passes between agents."""

    sigma: Scalar = 1.0

    def __post_init__(self) -> None:
        _require("sigma", self.sigma, 0.0, _LOUDEST_NOISE)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        blur = self.sigma * jax.random.normal(key, messages.content.shape)
        return messages._replace(content=messages.content + jnp.where(_between_agents(messages), blur, 0.0))


class Quantize(struct.PyTreeNode):
    """Sends every number in `bits` bits, at that price; entries that cost no more than that anyway stay as they are.

    The 2^bits values are evenly spaced in x / (1 + |x|): fine around 0, coarse for large numbers, the largest being
    2^bits - 1, so that no range needs to be agreed on. One bit says -1 or 1. Gradient passes straight through.
    """

    bits: Scalar = 8.0

    def __post_init__(self) -> None:
        _require("bits", self.bits, 1.0, 32.0)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        content, levels = messages.content, 2.0**self.bits
        within = content / (1.0 + jnp.abs(content))  # -1 .. 1
        cell = jnp.clip(jnp.floor((within + 1.0) / 2.0 * levels), 0.0, levels - 1.0)
        middle = (cell + 0.5) / levels * 2.0 - 1.0
        # from 24 bits on, the outermost middle is rounded to 1
        nearest = jnp.clip(middle / (1.0 - jnp.abs(middle)), 1.0 - levels, levels - 1.0)
        rounded = jax.lax.stop_gradient(nearest) + (content - jax.lax.stop_gradient(content))
        coarser = (messages.price > self.bits) & _between_agents(messages)
        return messages._replace(
            content=jnp.where(coarser, rounded, content), price=jnp.where(coarser, self.bits, messages.price)
        )


class Shuffle(struct.PyTreeNode):
    """Gives every receiver the messages of another environment, all of the same one: the same distribution, no
    information. Who sent what, and its price, move along: that somebody says nothing is a message too.

    Needs at least two environments on the first axis.
    """

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        count = messages.content.shape[0]
        if messages.content.ndim < 4 or count < 2:
            raise ValueError("shuffle takes messages of another environment: it needs at least 2 on the first axis")
        shift = jax.random.randint(key, (), 1, count)
        return _between(messages, jax.tree.map(lambda x: jnp.roll(x, shift, axis=0), messages))


class Random(struct.PyTreeNode):
    """Puts in place of each message one drawn from all that pass between agents in all environments at this step.

    Each is drawn by itself, so that, unlike with `Shuffle`, not even the messages of one receiver belong together.
    """

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        shape = messages.sent.shape[:-1]  # [..., N, N]
        n = shape[-1]
        count = math.prod(shape)  # not -1: a message may have no entries
        every = jax.tree.map(lambda x: x.reshape(count, *x.shape[len(shape) :]), messages)
        first_key, second_key = jax.random.split(key)
        environment_and_sender = jax.random.randint(first_key, shape, 0, max(every.sent.shape[0] // max(n, 1), 1))
        sender = environment_and_sender % n
        receiver = (sender + jax.random.randint(second_key, shape, 1, max(n, 2))) % n
        return _between(messages, jax.tree.map(lambda x: x[environment_and_sender * n + receiver], every))


class SelfOnly(struct.PyTreeNode):
    """Lets every receiver find its own message wherever another's would stand: as much to hear, nothing about others.

    Nothing passes between agents, so nothing is paid for, though all entries count as sent.
    """

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        n = messages.sent.shape[-2]
        free = jnp.zeros_like(messages.overhead)
        own = messages._replace(overhead=None, mask=None)
        own = jax.tree.map(lambda x: x[..., jnp.arange(n), jnp.arange(n), :], own)
        own = jax.tree.map(lambda x: jnp.broadcast_to(x[..., None, :, :], messages.sent.shape), own)
        own = own._replace(price=jnp.zeros_like(own.price), overhead=free)
        return _between(messages._replace(mask=None), own)


class Silence(struct.PyTreeNode):
    """Cuts everything that passes between agents. Nothing is sent, so not even a mask is paid for."""

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        between = _between_agents(messages)
        return messages._replace(
            content=jnp.where(between, 0.0, messages.content),
            sent=messages.sent & ~between,
            overhead=jnp.zeros_like(messages.overhead),
            mask=None,
        )


class Delay(struct.PyTreeNode):
    """Lets messages arrive `steps` steps later than they otherwise would.

    What is under way is part of a team's memory, so this edit holds for whole episodes only (`Algorithm.play`,
    `evaluate`, learning), where `split_delay` takes it out of a chain: its place in the chain makes no difference.
    """

    steps: int = struct.field(pytree_node=False, default=1)

    def __post_init__(self) -> None:
        _require("steps", self.steps, 0, _INFINITY, whole=True)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """Raises TypeError: the team's memory must know of the delay from the first step."""
        raise TypeError("a delay works on whole episodes: pass it to evaluate(edits=...) or Algorithm.play(edit=...)")


class CalibratedCut(struct.PyTreeNode):
    """Asks evaluation for the threshold that cuts the share `fraction` of what is said; it is replaced before anything
    runs."""

    fraction: float
    whole: bool = struct.field(pytree_node=False, default=False)

    def __post_init__(self) -> None:
        _require("fraction", self.fraction, 0.0, 1.0)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """Raises TypeError: evaluation replaces this by a `CutBelow`."""
        raise TypeError("a calibrated cut needs episodes to find its threshold: pass it to evaluate(edits=...)")


class _Chain(struct.PyTreeNode):
    edits: tuple[Edit, ...]

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        for number, edit in enumerate(self.edits):
            messages = edit(messages, jax.random.fold_in(key, number))
        return messages


class OneOf(struct.PyTreeNode):
    """One of several edits, or none: as which is traced, one compiled program serves all.

    Attributes:
      which: [] int32, its place among `edits`.
      edits: None stands for no edit.
    """

    which: jax.Array
    edits: tuple[Edit | None, ...]

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        if messages.mask is None:
            messages = messages._replace(mask=jnp.zeros_like(messages.overhead))  # costs as little
        edited = [messages if edit is None else edit(messages, key) for edit in self.edits]
        free = jnp.zeros_like(messages.overhead)  # some edits take the mask away
        edited = [each._replace(mask=free) if each.mask is None else each for each in edited]
        return jax.tree.map(lambda *x: jax.lax.select_n(self.which, *x), *edited)


def chain_edits(edits: Sequence[Edit]) -> Edit | None:
    """Several edits, one after the other; None for none."""
    flat = tuple(single for edit in edits for single in (edit.edits if isinstance(edit, _Chain) else (edit,)))
    return None if not flat else flat[0] if len(flat) == 1 else _Chain(flat)


def split_delay(edit: Edit | None) -> tuple[Edit | None, int]:
    """The edit without its delays, and how many steps they delay in all."""
    edits = edit.edits if isinstance(edit, _Chain) else () if edit is None else (edit,)
    delays = [one.steps for one in edits if isinstance(one, Delay)]
    if not delays:
        return edit, 0
    return chain_edits([one for one in edits if not isinstance(one, Delay)]), sum(delays)


def pairs_at_work(episodes: Episodes) -> Any:
    """[B, T, N, N] bool: pairs of different living agents at real steps, sender first; an array of the kind that
    `alive` is, of JAX or NumPy."""
    alive = episodes.alive[:, :-1]
    pairs = alive[..., :, None] & alive[..., None, :] & ~np.eye(alive.shape[-1], dtype=bool)
    return pairs & episodes.valid[..., None, None]


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


def parse_edit(text: str) -> Edit:
    """The edit that `name`, `name:number` or `name:number,whole` stands for, such as `cut:0.8` or `silence`.

    Raises:
      ValueError: an unknown name, a missing or needless number, a number out of range, or an edit that cannot decide
        on whole messages.
    """
    name, colon, argument = edit_name(text), *text.partition(":")[1:]
    edit, make = EDITS[name], load(EDITS[name].make)
    if not edit.number:
        if colon:
            raise ValueError(f"edit {text!r}: {name} takes no number")
        return make()
    number, comma, word = argument.partition(",")
    if comma and (word != "whole" or not edit.whole):
        raise ValueError(f"edit {text!r}: {word!r} is nothing that {name} knows{' (whole is)' if edit.whole else ''}")
    try:
        value = int(number) if edit.integer else float(number)
    except ValueError:
        wanted = "a whole number" if edit.integer else "a number"
        raise ValueError(f"edit {text!r}: needs {wanted} after the colon, as in cut:0.8 or budget:2") from None
    try:
        return make(value, whole=True) if comma else make(value)
    except ValueError as error:
        raise ValueError(f"edit {text!r}: {error}") from None


def parse_edits(edits: Edit | str | Sequence[Edit | str]) -> list[Edit]:
    """Edits or their names, one or several, as edits. Raises as `parse_edit`."""
    listed = edits if isinstance(edits, Sequence) and not isinstance(edits, str) else [edits]
    return [parse_edit(edit) if isinstance(edit, str) else edit for edit in listed]


def _require(name: str, value: Any, low: float, high: float, whole: bool = False) -> None:
    """Raises ValueError where a plain number, one that is not traced, is out of its range."""
    if not isinstance(value, int | float | np.number):
        return
    if whole and not isinstance(value, int | np.integer):
        raise ValueError(f"{name} is {value}: must be a whole number")
    if not low <= value <= high:
        raise ValueError(f"{name} {value} is outside {low} .. {high}")


def _between_agents(messages: Messages) -> jax.Array:
    return others(messages.sent.shape[-2])[..., None]


def _between(messages: Messages, changed: Messages) -> Messages:
    """The changed messages between agents, and what agents tell themselves as it was."""
    between = others(messages.sent.shape[-2])

    def choose(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(between[..., None] if old.ndim == messages.sent.ndim else between, new, old)

    return jax.tree.map(choose, changed, messages)


def _worth(messages: Messages, whole: bool) -> jax.Array:
    """[..., N, N, D] importance of entries or, of whole messages, that of what is said of them, [..., N, N, 1]."""
    if not whole:
        return messages.importance
    return jnp.where(messages.sent, messages.importance, 0.0).max(-1, keepdims=True, initial=0.0)


def _said(messages: Messages, whole: bool) -> jax.Array:
    """[..., N, N, D] bool: which entries are said or, of whole messages, which of them have any, [..., N, N, 1]."""
    return messages.sent.any(-1, keepdims=True) if whole else messages.sent


def _count(fraction: Scalar, total: jax.Array) -> jax.Array:
    """[] int32: the share `fraction` of `total` things, rounded up; what is whole but for its float32 is whole."""
    exact = fraction * total.astype(jnp.float32)
    nearest = jnp.round(exact)
    return jnp.where(jnp.abs(exact - nearest) <= exact * 2.0**-22, nearest, jnp.ceil(exact)).astype(jnp.int32)


def _cut(messages: Messages, keep: jax.Array) -> Messages:
    # the receiver is told what was sent: one bit a decision; a second mask over the same entries costs no more
    mask = jnp.full(messages.overhead.shape, min(keep.shape[-1], messages.sent.shape[-1]), jnp.float32)
    return messages._replace(
        content=jnp.where(keep, messages.content, 0.0),  # for gradients; delivery looks at `sent`
        sent=messages.sent & keep,
        mask=mask if messages.mask is None else jnp.maximum(messages.mask, mask),
    )
