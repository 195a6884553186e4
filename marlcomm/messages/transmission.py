"""What happens to messages between sender and receiver, in one place for all channels."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from marlcomm.messages.channel import Channel, deliver
from marlcomm.messages.edits import Budget, Edit
from marlcomm.types import Messages, others


class Transmission:
    """Carries the messages of one step, in as many rounds as the channel wants, and keeps the account of them.

    Every round goes the same way: the channel's graph, the edit, the channel's bandwidth, the dead, the delay.

    Attributes:
      channel: whose `graph`, `bandwidth` and `delay` hold.
      alive: [..., N] bool.
      key: randomness of edits.
      edit: what happens to messages on their way; None for nothing.
      under_way: what was sent `delay` steps ago, as `account()` gave it. None where the first axis is time: messages
        then arrive `delay` places later on it.
    """

    def __init__(
        self, channel: Channel, alive: jax.Array, key: jax.Array, edit: Edit | None, under_way: Messages | None = None
    ) -> None:
        self.channel, self.alive, self.key, self.edit, self.under_way = channel, alive, key, edit, under_way
        n = alive.shape[-1]
        self._links = None if channel.graph is None else jnp.asarray(channel.graph) | ~others(n)
        everybody = alive[..., :, None] & alive[..., None, :]
        self._open = (everybody if self._links is None else everybody & self._links)[..., None]  # [..., N, N, 1]
        self._between = others(n)[..., None]  # [N, N, 1]
        self._rounds: list[Messages] = []

    def __call__(self, messages: Messages) -> Messages:
        """What arrives of the messages [..., N, N, D] that one round offers."""
        withheld, offered = ~messages.sent & self._open, messages.sent & self._open
        messages = self._edited(messages._replace(sent=offered, offered=offered))
        arriving = jax.tree.map(_in_32_bits, deliver(messages, self.alive, self._links))
        # what a channel itself holds back is zero but for its gradient: else a shut gate could never learn to open
        shadow = jnp.where(withheld, messages.content - jax.lax.stop_gradient(messages.content), 0.0)
        arriving = arriving._replace(content=arriving.content + shadow)
        self._rounds.append(arriving)
        return self._delayed(arriving) if self.channel.delay else arriving

    def account(self) -> Messages:
        """What was sent in all rounds, side by side: D is the sum of theirs."""
        if not self._rounds:
            raise TypeError(f"{type(self.channel).__name__}.talk carried no messages: it must call `transmit`")
        if len(self._rounds) == 1:
            return self._rounds[0]
        side_by_side = {
            name: jnp.concatenate([getattr(messages, name) for messages in self._rounds], -1)
            for name in ("content", "importance", "sent", "price", "offered")
        }
        return Messages(**side_by_side, overhead=jnp.stack([messages.overhead for messages in self._rounds]).sum(0))

    def _edited(self, messages: Messages) -> Messages:
        if self.edit is not None:
            messages = self.edit(messages, jax.random.fold_in(self.key, len(self._rounds)))
        if self.channel.bandwidth is not None:
            spent = sum(((earlier.sent & self._between).sum((-2, -1)) for earlier in self._rounds), start=0)
            messages = Budget(self.channel.bandwidth - spent)(messages, self.key)
        return messages

    def _delayed(self, now: Messages) -> Messages:
        end = sum(messages.sent.shape[-1] for messages in self._rounds)
        entries = slice(end - now.sent.shape[-1], end)

        def late(name: str) -> jax.Array:
            if self.under_way is None:
                return _later(getattr(now, name), self.channel.delay)
            return getattr(self.under_way, name)[..., entries]

        def arriving(name: str) -> jax.Array:
            x = jnp.where(self._between, late(name), getattr(now, name))
            return jnp.where(self._open, x, jnp.zeros((), x.dtype))

        return now._replace(**{name: arriving(name) for name in ("content", "importance", "sent")})


def _in_32_bits(x: jax.Array) -> jax.Array:
    return x.astype(jnp.float32) if jnp.issubdtype(x.dtype, jnp.floating) else x


def _later(x: jax.Array, steps: int) -> jax.Array:
    """[T, ...] moved `steps` places later, with zeros before."""
    return jnp.pad(x, [(steps, 0)] + [(0, 0)] * (x.ndim - 1))[: x.shape[0]]
