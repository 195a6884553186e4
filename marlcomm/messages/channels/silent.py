"""The channel on which nothing is said: IQL, VDN and QMIX, and the reference for every other channel."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from marlcomm.messages.channel import Channel, offer
from marlcomm.types import Messages


class SilentChannel(Channel):
    """No communication: messages have no dimensions, and agents act on what they see."""

    says_numbers = False

    def send(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array
    ) -> tuple[Messages, dict[str, jax.Array]]:
        """See `Channel.send`; D is 0."""
        n = inputs.shape[-2]
        return offer(jnp.zeros((*inputs.shape[:-1], n, 0), jnp.float32)), {}

    def receive(self, inputs: jax.Array, messages: Messages) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Channel.receive`; M is 0."""
        return jnp.zeros((*inputs.shape[:-1], 0), jnp.float32), {}
