"""The communicating agent without memory: an MLP on what it sees and hears now."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from marlcomm.agents.communicating import CommunicatingAgent
from marlcomm.networks.layers import MLP, one_each


class FeedForwardAgent(CommunicatingAgent):
    """An agent without memory, on what it sees and hears now. Its channel must not read memory either.

    Attributes:
      hidden: width of the hidden layers.
      layers: how many there are.
      separate: whether every agent has parameters of its own, in place of one set for all.
    """

    layers: int = 3
    separate: bool = False

    def setup(self) -> None:
        network = one_each(MLP, self.channel.num_agents) if self.separate else MLP
        self.network = network((*(self.hidden,) * self.layers, self.num_actions))

    @property
    def memory_size(self) -> int:
        """0."""
        return 0

    def _think(self, hidden: jax.Array, inputs: jax.Array, received: jax.Array) -> tuple[jax.Array, jax.Array]:
        return hidden, self._think_through(inputs, received)

    def _think_through(self, inputs: jax.Array, received: jax.Array) -> jax.Array:
        return self.network(jnp.concatenate([inputs, received], -1))
