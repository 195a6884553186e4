"""The communicating agent, shared by the team: input layer, channel, GRU, action values."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.messages.channel import Channel, deliver
from marlcomm.messages.edits import Edit
from marlcomm.networks.layers import GRU, Linear
from marlcomm.types import Messages


class CommunicatingAgent(nn.Module):
    """One set of parameters for all agents; the input carries each agent's id.

    Messages of a step are made from that step's inputs and reach the receivers at the same step.

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

    def initial_memory(self, *batch: int) -> jax.Array:
        """[*batch, H] zeros, where `batch` ends with N."""
        return jnp.zeros((*batch, self.hidden), jnp.float32)

    def step(
        self,
        memory: jax.Array,
        inputs: jax.Array,
        alive: jax.Array,
        key: jax.Array,
        edit: Edit | None = None,
    ) -> tuple[jax.Array, jax.Array, Messages, dict[str, jax.Array]]:
        """One step, for acting.

        Args:
          memory: [..., N, H]; inputs: [..., N, K]; alive: [..., N] bool.
          key: randomness of messages and edit.
          edit: what happens to messages on their way; None for nothing.

        Returns:
          memory [..., N, H], action values [..., N, A], the messages as delivered, the channel's named arrays.
        """
        received, messages, auxiliary = self._talk(inputs, memory, alive, key, edit)
        memory = self.recurrent.step(memory, self._project(inputs, received))
        return memory, self.head(memory), messages, auxiliary

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
        memory = self.initial_memory(*inputs.shape[1:3])
        if self.channel.reads_memory:
            return self._unroll_stepwise(memory, inputs, alive, key, edit)
        # nothing here reads memory, so it is done for all steps at once
        received, messages, auxiliary = self._talk(inputs, None, alive, key, _each_step(edit, inputs.shape[0]))
        memories = self.recurrent.unroll(memory, self._project(inputs, received))
        return self.head(memories), messages, auxiliary

    def _talk(
        self,
        inputs: jax.Array,
        memory: jax.Array | None,
        alive: jax.Array,
        key: jax.Array,
        edit: Edit | None,
    ) -> tuple[jax.Array, Messages, dict[str, jax.Array]]:
        send_key, edit_key = jax.random.split(key)
        messages, sent = self.channel.send(inputs, memory if self.channel.reads_memory else None, send_key)
        if edit is not None:
            messages = edit(messages, edit_key)
        messages = deliver(messages, alive)
        received, heard = self.channel.receive(inputs, messages)
        return received, messages, {**sent, **heard}

    def _project(self, inputs: jax.Array, received: jax.Array) -> jax.Array:
        return self.recurrent.project(nn.relu(self.input_layer(jnp.concatenate([inputs, received], -1))))

    def _unroll_stepwise(
        self,
        memory: jax.Array,
        inputs: jax.Array,
        alive: jax.Array,
        key: jax.Array,
        edit: Edit | None,
    ) -> tuple[jax.Array, Messages, dict[str, jax.Array]]:
        def step(
            module: CommunicatingAgent, memory: jax.Array, x: jax.Array, alive: jax.Array, key: jax.Array
        ) -> tuple[jax.Array, tuple]:
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
