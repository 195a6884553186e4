"""RGMComm's channel: each agent says to which cluster belongs what it sees (Chen et al. 2024, section 4.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import distrax
import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.losses import Every, LabelLoss
from marlcomm.messages.channel import Channel, ChannelLoss, by_receiver, offer, seen_by, to_everybody
from marlcomm.networks.layers import MLP, check_positive, one_each
from marlcomm.renamed import old_names
from marlcomm.types import Messages, others

ENCODINGS = ("one_hot", "integer")


@old_names(alphabet="vocab_size")
class ClusterChannel(Channel):
    """Discrete messages that are labels of a learned clustering (RGMComm).

    Each sender gives one hard label of a small vocabulary to everybody, at log2 M bits a receiver.

    No gradient crosses: the message network learns only from a loss that reads `label_logits` [..., N, M], which
    `send` reports (`marlcomm.losses.clustering_loss`). What travels is the label plus one, so D is 1 and 0 is silence.
    A label that noise moved is rounded; out of the vocabulary it is not understood. The importance of a message is the
    divergence of the labels' distribution from the uniform one, in nats: 0 where the network cannot tell, log M where
    it is sure.

    Attributes:
      vocab_size: M, how many labels there are; at least 2.
      hidden: width of the message network's two hidden layers (published: 1200).
      encoding: what a receiver is given of each sender: "one_hot" (M numbers, all zero for silence) or "integer" (one
        number, 1 .. M, 0 for silence; the released code gives the bare number). Nobody hears its own label.
      shared: one message network for all agents instead of one an agent (published).
      reads_memory: False labels the current input (published), True the memory too; no gradient enters the memory.
    """

    vocab_size: int = 4
    hidden: int = 64
    encoding: str = "one_hot"
    shared: bool = False

    says_numbers = False

    def __post_init__(self) -> None:
        if self.vocab_size < 2:
            raise ValueError(
                f"vocab_size is {self.vocab_size}: fewer than 2 labels say nothing (use SilentChannel for no messages)"
            )
        check_positive(self, "hidden")
        if self.encoding not in ENCODINGS:
            raise ValueError(f"encoding is {self.encoding!r}: must be one of {', '.join(ENCODINGS)}")
        super().__post_init__()

    @nn.nowrap
    def losses(self) -> Mapping[str, ChannelLoss]:
        """What finds the clusters, at every tenth gradient step."""
        return {"labels": ChannelLoss(Every(10, LabelLoss()), needs="joint_critic")}

    def setup(self) -> None:
        network = MLP if self.shared else one_each(MLP, self.num_agents)
        self.labeller = network((self.hidden, self.hidden, self.vocab_size))

    @property
    def learns_apart(self) -> bool:
        """See `Channel.learns_apart`."""
        return True

    def exceptions(self) -> Mapping[str, str]:
        """See `Channel.exceptions`."""
        own = {} if self.shared else {"permutation": "shared=False: every agent has a message network of its own"}
        return {"gradient": "labels are hard: the message network learns from a loss on its own logits"} | own

    def send(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array
    ) -> tuple[Messages, dict[str, jax.Array]]:
        """See `Channel.send`."""
        logits = self.labeller(seen_by(inputs, jax.lax.stop_gradient(memory)))
        label = jnp.argmax(logits, -1, keepdims=True) + 1.0
        doubt = jnp.asarray(distrax.Categorical(jax.lax.stop_gradient(logits)).entropy())[..., None]
        certainty = math.log(self.vocab_size) - doubt
        messages = offer(to_everybody(label), to_everybody(certainty), bits=math.log2(self.vocab_size))
        return messages, {"label_logits": logits}

    def receive(self, inputs: jax.Array, messages: Messages) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Channel.receive`: all senders' labels side by side; M is N * vocab_size, or N for integers."""
        heard = jnp.round(messages.content) * others(self.num_agents)[..., None]  # [..., N, N, 1]
        if self.encoding == "one_hot":
            heard = jax.nn.one_hot(heard[..., 0].astype(jnp.int32) - 1, self.vocab_size)
        return by_receiver(heard), {}
