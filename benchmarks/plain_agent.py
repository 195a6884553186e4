"""The agent as one would write it without a thought for speed: flax's GRU cell, everything inside the time scan."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.messages import Channel, Edit
from marlcomm.messages.channel import as_heard, deliver
from marlcomm.networks.layers import Linear, uniform_within
from marlcomm.types import Messages

Named = dict[str, jax.Array]


class PlainAgent(nn.Module):
    """The same function as `marlcomm.CommunicatingAgent` with another GRU convention: the floor of the benchmark."""

    channel: Channel
    num_actions: int
    hidden: int = 64

    def setup(self) -> None:
        self.input_layer = Linear(self.hidden)
        # the default initializer is orthogonal, whose QR deadlocks under vmap on few cores
        within = uniform_within(1.0 / self.hidden**0.5)
        self.recurrent = nn.GRUCell(self.hidden, kernel_init=within, recurrent_kernel_init=within)
        self.head = Linear(self.num_actions)

    def initial_memory(self, *batch: int) -> jax.Array:
        """[*batch, H] zeros."""
        return jnp.zeros((*batch, self.hidden), jnp.float32)

    def step(
        self, memory: jax.Array, inputs: jax.Array, alive: jax.Array, key: jax.Array, edit: Edit | None = None
    ) -> tuple[jax.Array, jax.Array, Messages, Named]:
        """As `CommunicatingAgent.step`."""
        send_key, edit_key = jax.random.split(key)
        messages, sent = self.channel.send(inputs, memory if self.channel.reads_memory else None, send_key)
        messages = deliver(messages if edit is None else edit(messages, edit_key), alive)
        received, heard = self.channel.receive(inputs, messages)
        features = as_heard(received).features
        parts = [inputs] if features is None else [inputs, features]
        hidden = nn.relu(self.input_layer(jnp.concatenate(parts, -1)))
        memory, _ = self.recurrent(memory, hidden)
        return memory, self.head(memory), messages, {**sent, **heard}

    def unroll(
        self, inputs: jax.Array, alive: jax.Array, key: jax.Array, edit: Edit | None = None
    ) -> tuple[jax.Array, Messages, Named]:
        """As `CommunicatingAgent.unroll`, step by step."""

        def step(agent: PlainAgent, memory: jax.Array, x: tuple) -> tuple[jax.Array, tuple]:
            inputs, alive, key = x
            memory, *outputs = agent.step(memory, inputs, alive, key, edit)
            return memory, tuple(outputs)

        over_time = nn.scan(step, variable_broadcast="params", split_rngs={"params": False})
        time_first = jnp.moveaxis(inputs, 1, 0), jnp.moveaxis(alive, 1, 0), jax.random.split(key, inputs.shape[1])
        _, outputs = over_time(self, self.initial_memory(inputs.shape[0], inputs.shape[2]), time_first)
        return jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), outputs)
