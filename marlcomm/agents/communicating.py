"""The communicating agent, shared by the team: input layer, channel, GRU, action values."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.messages.channel import Channel
from marlcomm.messages.edits import Edit
from marlcomm.messages.transmission import Transmission
from marlcomm.networks.layers import GRU, Linear
from marlcomm.types import Messages


class DelayedMemory(NamedTuple):
    """What a team carries from step to step where messages take time."""

    hidden: jax.Array  # [..., N, H] float32
    under_way: tuple[Messages, ...]  # as sent 1, 2, ... steps ago


Memory = jax.Array | DelayedMemory  # [..., N, H], with messages under way where the channel has a delay


class CommunicatingAgent(nn.Module):
    """One set of parameters for all agents; the input carries each agent's id.

    Messages of a step are made from that step's inputs and reach the receivers at the same step, or as much later as
    the channel's `delay` says. Either way, they are reported, and paid for, at the step in which they are sent.

    Its parameters: `input_layer` (Linear, K + M -> H), `recurrent` (`GRU`, H -> H), `head` (Linear, H -> A), `channel`
    (what the channel has); `torch_layout` says what they are called elsewhere.

    Attributes:
      channel: how the agents talk.
      num_actions: A.
      hidden: H, units of the input layer and of the memory.
    """

    channel: Channel
    num_actions: int
    hidden: int = 64

    def setup(self) -> None:
        self.input_layer = Linear(self.hidden)
        self.recurrent = GRU(self.hidden)
        self.head = Linear(self.num_actions)

    @property
    def memory_size(self) -> int:
        """H of the memory."""
        return self.hidden

    def initial_memory(self, *batch: int) -> Memory:
        """`[*batch, H]` zeros, where `batch` ends with N, and nothing under way."""
        hidden = jnp.zeros((*batch, self.memory_size), jnp.float32)
        if not self.channel.delay:
            return hidden
        prompt = self.clone(channel=self.channel.clone(delay=0, parent=None), parent=None)
        inputs, alive = jnp.zeros((*batch, self.channel.input_size)), jnp.ones(batch, bool)

        def sent(key: jax.Array) -> Messages:
            return prompt.init_with_output(key, hidden, inputs, alive, key, method="step")[0][2]

        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(sent, jax.random.key(0)))
        return DelayedMemory(hidden, (nothing,) * self.channel.delay)

    def step(
        self,
        memory: Memory,
        inputs: jax.Array,
        alive: jax.Array,
        key: jax.Array,
        edit: Edit | None = None,
    ) -> tuple[Memory, jax.Array, Messages, dict[str, jax.Array]]:
        """One step, for acting.

        Args:
          memory: as `initial_memory` gives it; inputs: [..., N, K]; alive: [..., N] bool.
          key: randomness of messages and edit.
          edit: what happens to messages on their way; None for nothing.

        Returns:
          memory, action values [..., N, A], the messages as sent (after edits), the channel's named arrays.
        """
        hidden, under_way = memory if isinstance(memory, DelayedMemory) else (memory, ())
        oldest = under_way[-1] if under_way else None
        received, messages, auxiliary = self._talk(inputs, hidden, alive, key, edit, oldest)
        hidden, q = self._think(hidden, inputs, received)
        memory = DelayedMemory(hidden, (messages, *under_way[:-1])) if under_way else hidden
        return memory, q, messages, auxiliary

    def unroll(
        self, inputs: jax.Array, alive: jax.Array, key: jax.Array, edit: Edit | None = None
    ) -> tuple[jax.Array, Messages, dict[str, jax.Array]]:
        """Whole episodes from empty memory, for learning.

        Args:
          inputs: [B, T, N, K]; alive: [B, T, N] bool; key and edit as for `step`.

        Returns:
          action values [B, T, N, A], messages and named arrays with leading axes [B, T].
        """
        inputs, alive = jnp.moveaxis(inputs, 1, 0), jnp.moveaxis(alive, 1, 0)  # the scan wants time first
        q, messages, auxiliary = self._unroll(inputs, alive, key, edit)
        return jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), (q, messages, auxiliary))

    def _unroll(
        self, inputs: jax.Array, alive: jax.Array, key: jax.Array, edit: Edit | None
    ) -> tuple[jax.Array, Messages, dict[str, jax.Array]]:
        if self.channel.reads_memory:
            memory = self.initial_memory(*inputs.shape[1:3])
            return self._unroll_stepwise(memory, inputs, alive, key, edit)
        # nothing here reads memory, so it is done for all steps at once
        received, messages, auxiliary = self._talk(inputs, None, alive, key, _each_step(edit, inputs.shape[0]))
        return self._think_through(inputs, received), messages, auxiliary

    def _talk(
        self,
        inputs: jax.Array,
        hidden: jax.Array | None,
        alive: jax.Array,
        key: jax.Array,
        edit: Edit | None,
        under_way: Messages | None = None,
    ) -> tuple[jax.Array, Messages, dict[str, jax.Array]]:
        talk_key, edit_key = jax.random.split(key)
        transmission = Transmission(self.channel, alive, edit_key, edit, under_way)
        hidden = hidden if self.channel.reads_memory else None
        received, auxiliary = self.channel.talk(inputs, hidden, talk_key, transmission)
        return received.astype(jnp.float32), transmission.account(), auxiliary

    def _think(self, hidden: jax.Array, inputs: jax.Array, received: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One step: memory and action values."""
        hidden = self.recurrent.step(hidden, self._project(inputs, received))
        return hidden, self.head(hidden)

    def _think_through(self, inputs: jax.Array, received: jax.Array) -> jax.Array:
        """All steps, time first, from empty memory: action values."""
        start = jnp.zeros((*inputs.shape[1:3], self.hidden), jnp.float32)
        return self.head(self.recurrent.unroll(start, self._project(inputs, received)))

    def _project(self, inputs: jax.Array, received: jax.Array) -> jax.Array:
        return self.recurrent.project(nn.relu(self.input_layer(jnp.concatenate([inputs, received], -1))))

    def _unroll_stepwise(
        self,
        memory: Memory,
        inputs: jax.Array,
        alive: jax.Array,
        key: jax.Array,
        edit: Edit | None,
    ) -> tuple[jax.Array, Messages, dict[str, jax.Array]]:
        def step(
            module: CommunicatingAgent, memory: Memory, x: jax.Array, alive: jax.Array, key: jax.Array
        ) -> tuple[Memory, tuple]:
            memory, *outputs = module.step(memory, x, alive, key, edit)
            return memory, tuple(outputs)

        scan = nn.scan(step, variable_broadcast="params", split_rngs={"params": False}, in_axes=0, out_axes=0)
        _, outputs = scan(self, memory, inputs, alive, jax.random.split(key, inputs.shape[0]))
        return outputs


def _each_step(edit: Edit | None, steps: int) -> Edit | None:
    """The edit applied to each of `steps` steps by itself: edits compare environments, not times."""
    if edit is None:
        return None
    return lambda messages, key: jax.vmap(edit)(messages, jax.random.split(key, steps))
