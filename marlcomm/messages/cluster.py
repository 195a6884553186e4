"""RGMComm's channel: each agent says to which cluster belongs what it sees (Chen et al. 2024, section 4.2)."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.messages.channel import Channel, by_receiver, offer
from marlcomm.networks.layers import MLP
from marlcomm.types import Messages, others

ENCODINGS = ("one_hot", "integer")


class ClusterChannel(Channel):
    """Each sender gives one hard label of a small alphabet to everybody, at log2 M bits a receiver.

    No gradient crosses: the message network learns only from a loss that reads `label_logits` [..., N, M], which
    `send` reports (`marlcomm.losses.clustering_loss`). What travels is the label plus one, so D is 1 and 0 is silence.
    A label that noise moved is rounded; out of the alphabet it is not understood. The importance of a message is the
    network's confidence, the probability of the label that it chose (1 / M .. 1).

    Attributes:
      alphabet: M, how many labels there are; at least 2.
      hidden: width of the message network's two hidden layers (published: 1200).
      encoding: what a receiver is given of each sender: "one_hot" (M numbers, all zero for silence) or "integer" (one
        number, 1 .. M, 0 for silence; the released code gives the bare number). Nobody hears its own label.
      shared: one message network for all agents instead of one an agent (published).
      reads_memory: False labels the current input (published), True the memory too; no gradient enters the memory.
    """

    alphabet: int = 4
    hidden: int = 64
    encoding: str = "one_hot"
    shared: bool = False

    def __post_init__(self) -> None:
        if self.alphabet < 2:
            raise ValueError(
                f"alphabet is {self.alphabet}: fewer than 2 labels say nothing (use SilentChannel for no messages)"
            )
        if self.hidden < 1:
            raise ValueError(f"hidden is {self.hidden}: must be at least 1")
        if self.encoding not in ENCODINGS:
            raise ValueError(f"encoding is {self.encoding!r}: must be one of {', '.join(ENCODINGS)}")
        super().__post_init__()

    def setup(self) -> None:
        network = MLP if self.shared else _one_each(self.num_agents)
        self.labeller = network((self.hidden, self.hidden, self.alphabet))

    def send(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array
    ) -> tuple[Messages, dict[str, jax.Array]]:
        """See `Channel.send`."""
        seen = inputs if memory is None else jnp.concatenate([inputs, jax.lax.stop_gradient(memory)], -1)
        logits = self.labeller(seen)
        confidence = jax.lax.stop_gradient(jax.nn.softmax(logits).max(-1))
        label = jnp.argmax(logits, -1) + 1.0
        messages = offer(self._to_everybody(label), self._to_everybody(confidence), bits=math.log2(self.alphabet))
        return messages, {"label_logits": logits}

    def receive(self, inputs: jax.Array, messages: Messages) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Channel.receive`: all senders' labels side by side; M is N * alphabet, or N for integers."""
        heard = jnp.round(messages.content) * others(self.num_agents)[..., None]  # [..., N, N, 1]
        if self.encoding == "one_hot":
            heard = jax.nn.one_hot(heard[..., 0].astype(jnp.int32) - 1, self.alphabet)
        return by_receiver(heard), {}

    def _to_everybody(self, word: jax.Array) -> jax.Array:
        return jnp.broadcast_to(word[..., None, None], (*word.shape, self.num_agents, 1))


def _one_each(num_agents: int) -> type[nn.Module]:
    """An MLP with its own parameters for every agent, on [..., N, F]."""
    return nn.vmap(
        MLP,
        variable_axes={"params": 0},
        split_rngs={"params": True},
        in_axes=-2,
        out_axes=-2,
        axis_size=num_agents,
    )
