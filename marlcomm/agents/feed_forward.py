"""The communicating agent without memory: an MLP on what it sees and hears now."""

from __future__ import annotations

import jax

from marlcomm.agents.communicating import CommunicatingAgent, beside, plus
from marlcomm.messages.channel import Channel, Heard
from marlcomm.networks.layers import MLP, one_each
from marlcomm.validation import UsageError


class FeedForwardAgent(CommunicatingAgent):
    """Feed-forward action-value network (or policy) of agents that talk, on what they see and hear now.

    Its channel must read no memory, and talk before it (`after_memory=False`).

    Attributes:
      hidden: width of the hidden layers.
      layers: how many there are.
      separate: whether every agent has parameters of its own, in place of one set for all.
    """

    layers: int = 3
    separate: bool = False

    def __post_init__(self) -> None:
        if self.channel.after_memory:
            either = ", or after_memory=False" if _talks_before(self.channel) else ""
            raise UsageError(
                f"{type(self.channel).__name__} has after_memory=True, and a feed-forward agent has no memory: use "
                f"recurrent=True{either}"
            )
        super().__post_init__()

    def setup(self) -> None:
        network = one_each(MLP, self.channel.num_agents) if self.separate else MLP
        self.network = network((*(self.hidden,) * self.layers, self.num_actions))

    @property
    def memory_size(self) -> int:
        """0."""
        return 0

    def _think(self, hidden: jax.Array, inputs: jax.Array, heard: Heard) -> tuple[jax.Array, jax.Array]:
        return hidden, self._think_through(inputs, heard)

    def _think_through(self, inputs: jax.Array, heard: Heard) -> jax.Array:
        return plus(self.network(beside(inputs, heard)), heard)


def _talks_before(channel: Channel) -> bool:
    """Whether a channel that talks after the memory could also talk before it."""
    try:
        channel.clone(after_memory=False)
    except ValueError:
        return False
    return True
