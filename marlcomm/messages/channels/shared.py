"""The channel on which everybody tells everything: the oracle that learned channels are held to."""

from __future__ import annotations

import jax

from marlcomm.messages.channel import Channel, by_receiver, offer, seen_by, to_everybody
from marlcomm.types import Messages


class SharedChannel(Channel):
    """Full sharing of observations, an upper bound for learned messages.

    Every agent sends its whole input to everybody, at 32 bits a number; with `reads_memory`, its memory too.
    """

    def send(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array
    ) -> tuple[Messages, dict[str, jax.Array]]:
        """See `Channel.send`; D is K, or K+H with memory."""
        return offer(to_everybody(seen_by(inputs, memory))), {}

    def receive(self, inputs: jax.Array, messages: Messages) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Channel.receive`: all senders' inputs side by side, in a fixed order; M is N*D."""
        return by_receiver(messages.content), {}
