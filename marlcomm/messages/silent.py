"""The channel on which nothing is said: IQL, VDN and QMIX, and the reference for every other channel."""

from __future__ import annotations

import chex
import jax.numpy as jnp

from marlcomm.messages.channel import Channel, offer
from marlcomm.types import Messages


class SilentChannel(Channel):
    """Messages of no dimensions: agents act on what they see."""

    def send(
        self, inputs: chex.Array, memory: chex.Array | None, key: chex.PRNGKey
    ) -> tuple[Messages, dict[str, chex.Array]]:
        """See `Channel.send`; D is 0."""
        n = inputs.shape[-2]
        return offer(jnp.zeros((*inputs.shape[:-1], n, 0), jnp.float32)), {}

    def receive(self, inputs: chex.Array, messages: Messages) -> tuple[chex.Array, dict[str, chex.Array]]:
        """See `Channel.receive`; M is 0."""
        return jnp.zeros((*inputs.shape[:-1], 0), jnp.float32), {}
