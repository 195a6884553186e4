"""What happens to messages between sender and receiver, in one place for all channels."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.messages.channel import Channel, Heard, Received, as_heard, deliver
from marlcomm.messages.edits import Budget, Edit, ReplaceSender, with_mask
from marlcomm.types import Messages, others
from marlcomm.validation import UsageError

Scores = Callable[[Heard | None], jax.Array]  # what agents hear, None for nothing -> action values [..., N, A]


class Transmission:
    """Delivers the messages of one step, in as many rounds as the channel wants, and counts their bits.

    `Channel.talk` is given one: ``arrived = transmit(messages)`` is one round. Each goes the same way, in this order:
    the channel's graph and who is alive, the edit, the channel's bandwidth, the delay. The bits of all rounds count.
    Entries that the edit cuts leave their part of the bandwidth to others. The mask of the bandwidth is paid for where
    the edit lets a pair talk at all: one that takes masks away, such as `Silence`, takes that one too.

    Attributes:
      channel: whose `graph`, `bandwidth` and `delay` hold.
      alive: [..., N] bool.
      key: randomness of edits.
      edit: what happens to messages on their way; None for nothing.
      under_way: what was sent `delay` steps ago, as `account()` gave it. None where the first axis is time: messages
        then arrive `delay` places later on it.
      state: what the channel carried over from the last step, as `Channel.initial_state`; None if it carries nothing.
      training: True while the team trains, False while it is evaluated. Static.
      action_mask: [..., N, A] bool, what each agent may do now; None where nobody says so. Only channels that talk
        after the memory are given it.
      delay: steps that a message is under way. Static.
      reaches: [..., N, N] bool, sender first: who can tell whom something now, by the graph and by who is alive.
    """

    def __init__(
        self,
        channel: Channel,
        alive: jax.Array,
        key: jax.Array,
        edit: Edit | None = None,
        under_way: Messages | None = None,
        *,
        state: Any = None,
        training: bool = False,
        action_mask: jax.Array | None = None,
        scores: Scores | None = None,
    ) -> None:
        self.channel, self.alive, self.key, self.edit, self.under_way = channel, alive, key, edit, under_way
        self.state, self.training, self.action_mask, self._scores = state, training, action_mask, scores
        n = alive.shape[-1]
        self._links = None if channel.graph is None else jnp.asarray(channel.graph) | ~others(n)
        everybody = alive[..., :, None] & alive[..., None, :]
        self.delay, self.reaches = channel.delay, everybody if self._links is None else everybody & self._links
        self._open = self.reaches[..., None]  # [..., N, N, 1]
        self._between = others(n)[..., None]  # [N, N, 1]
        self._rounds: list[Messages] = []
        self._spent: list[jax.Array] = []  # [..., N] entries of the bandwidth, a round
        self._changes: tuple[Callable[[Messages], Messages], ...] = ()

    def __call__(self, messages: Messages) -> Messages:
        """What arrives of the messages [..., N, N, D] that one round offers.

        Raises:
          UsageError: a field of the messages has a wrong shape.
        """
        for change in self._changes:
            messages = change(messages)
        _check_messages(type(self.channel).__name__, messages, self.alive.shape)
        withheld, offered = ~messages.sent & self._open, messages.sent & self._open
        messages = self._edited(messages._replace(sent=offered, offered=offered))
        self._left = messages.sent & self._open
        arriving = jax.tree.map(_in_32_bits, deliver(messages, self.alive, self._links))
        # what a channel itself holds back is zero but for its gradient: else a shut gate could never learn to open
        shadow = jnp.where(withheld, messages.content - jax.lax.stop_gradient(messages.content), 0.0)
        arriving = arriving._replace(content=arriving.content + shadow)
        self._rounds.append(arriving)
        return self._delayed(arriving) if self.channel.delay else arriving

    def left(self) -> jax.Array:
        """[..., N, N, D] bool: what left the senders in the last round, by its cuts and bandwidth; some may be lost."""
        return self._left

    def scores(self, heard: Received | None = None) -> jax.Array:
        """[..., N, A] the action values (or logits) that the agents would have if they heard this; None for nothing.

        For channels that talk after the memory: to ask those who are unsure, or to learn what a reply changes.

        Raises:
          TypeError: the channel talks before the memory, when no agent has made up its mind yet.
        """
        if self._scores is None:
            raise TypeError(
                f"{type(self.channel).__name__} asks for scores before the memory: set after_memory=True, so that it "
                "talks when the agents know what they would do"
            )
        return self._scores(None if heard is None else as_heard(heard))

    def through(self, change: Callable[[Messages], Messages]) -> Transmission:
        """The same transmission for a channel inside another one: what it offers passes through `change` first."""
        inner = copy.copy(self)  # shares the account of rounds
        inner._changes = (change, *self._changes)
        return inner

    def account(self) -> Messages:
        """What was sent in all rounds, side by side: D is the sum of theirs."""
        if not self._rounds:
            raise TypeError(f"{type(self.channel).__name__}.talk sent no messages: it must call `transmit`")
        self._require_under_way(sum(messages.sent.shape[-1] for messages in self._rounds))
        if len(self._rounds) == 1:
            return self._rounds[0]
        side_by_side = {
            name: jnp.concatenate([getattr(messages, name) for messages in self._rounds], -1)
            for name in ("content", "importance", "sent", "price", "offered")
        }
        return Messages(**side_by_side, overhead=jnp.stack([messages.overhead for messages in self._rounds]).sum(0))

    def _require_under_way(self, entries: int, or_more: bool = False) -> None:
        """Raises UsageError where a delayed channel does not send as many entries as are under way, or not so many."""
        if self.under_way is None:
            return
        expected = self.under_way.sent.shape[-1]
        if entries > expected or (entries < expected and not or_more):
            raise UsageError(
                f"{type(self.channel).__name__} sends messages of {entries} entries, and has {expected} under way: "
                "with delay they must be as many in training as in evaluation; what is left out is not `sent`"
            )

    def _edited(self, messages: Messages) -> Messages:
        bandwidth = self.channel.bandwidth
        if bandwidth is not None:  # its mask is there before the edit, which takes it from pairs that it closes
            messages = with_mask(messages, messages.sent.shape[-1])
        if self.edit is not None:
            first = sum(earlier.sent.shape[-1] for earlier in self._rounds)
            entries = slice(first, first + messages.sent.shape[-1])
            edit = self.edit.only(entries) if isinstance(self.edit, ReplaceSender) else self.edit
            messages = edit(messages, jax.random.fold_in(self.key, len(self._rounds)))
        if bandwidth is not None:
            left = Budget(bandwidth - sum(self._spent))
            messages = left(messages, self.key)._replace(mask=messages.mask)
            self._spent.append((messages.sent & self._between).sum((-2, -1)))  # what is lost has been sent
        return messages

    def _delayed(self, now: Messages) -> Messages:
        end = sum(messages.sent.shape[-1] for messages in self._rounds)
        entries = slice(end - now.sent.shape[-1], end)
        self._require_under_way(end, or_more=True)

        def late(name: str) -> jax.Array:
            if self.under_way is None:
                return _later(getattr(now, name), self.channel.delay)
            return getattr(self.under_way, name)[..., entries]

        def arriving(name: str) -> jax.Array:
            x = jnp.where(self._between, late(name), getattr(now, name))
            return jnp.where(self._open, x, jnp.zeros((), x.dtype))

        return now._replace(**{name: arriving(name) for name in ("content", "importance", "sent")})


def checked_heard(channel: Channel, received: Received, alive: jax.Array, state: Any) -> Heard:
    """What a channel's receivers heard, in float32.

    Args:
      channel: which gave it; received: what it gave.
      alive: [..., N] bool; state: what the channel carried before.

    Raises:
      UsageError: a part has a wrong shape, or the channel carries on something else than it began with.
    """
    name, lead = type(channel).__name__, alive.shape
    heard = as_heard(received)
    features = jnp.zeros((*lead, 0), jnp.float32) if heard.features is None else heard.features
    if features.shape[:-1] != lead or features.ndim != len(lead) + 1:
        raise UsageError(f"{name} gives features of shape {features.shape}: must be {_axes(lead)}, one row a receiver")
    values = heard.action_values
    if values is not None and values.shape != (*lead, channel.num_actions):
        raise UsageError(
            f"{name} gives action_values of shape {values.shape}: must be {_axes(lead, channel.num_actions)}"
        )
    before, after = (jax.tree.map(lambda x: (jnp.shape(x), jnp.result_type(x)), tree) for tree in (state, heard.state))
    if before != after:
        raise UsageError(
            f"{name} carries {after} to the next step, and began with {before}: Heard.state must be like initial_state"
        )
    values = None if values is None else values.astype(jnp.float32)
    carried = jax.tree.map(lambda new, old: jnp.asarray(new, jnp.result_type(old)), heard.state, state)
    return Heard(features.astype(jnp.float32), values, carried)


def _check_messages(name: str, messages: Messages, lead: tuple[int, ...]) -> None:
    """Raises UsageError where a field of the messages that `name` offers to agents [..., N] has a wrong shape."""
    pairs = (*lead, lead[-1])
    shape = messages.content.shape
    if shape[:-1] != pairs or len(shape) != len(pairs) + 1:
        raise UsageError(f"{name} sends content of shape {shape}: must be {_axes(pairs)}, sender before receiver")
    wanted = {"importance": shape, "sent": shape, "price": shape, "overhead": pairs}
    for field, right in wanted.items():
        if (found := jnp.shape(getattr(messages, field))) != right:
            raise UsageError(f"{name} sends {field} of shape {found}: must be {right}, as content is {shape}")
    if messages.sent.dtype != jnp.bool_:
        raise UsageError(f"{name} sends sent of type {messages.sent.dtype}: must be bool")


def _axes(lead: tuple[int, ...], last: int | str = "any") -> str:
    return f"({', '.join(map(str, (*lead, last)))})"


def _in_32_bits(x: jax.Array) -> jax.Array:
    return x.astype(jnp.float32) if jnp.issubdtype(x.dtype, jnp.floating) else x


def _later(x: jax.Array, steps: int) -> jax.Array:
    """[T, ...] moved `steps` places later, with zeros before."""
    return jnp.pad(x, [(steps, 0)] + [(0, 0)] * (x.ndim - 1))[: x.shape[0]]
