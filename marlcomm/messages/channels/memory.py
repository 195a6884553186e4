"""SARNet's channel: what is heard is read against the receiver's own memory (Rangwala and Williams 2020)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.messages.channel import Channel, Transmit, offer, seen_by, to_everybody
from marlcomm.messages.channels.attention import attention
from marlcomm.networks.layers import Linear, check_positive


class MemoryChannel(Channel):
    """Structured attention in which receivers read values through their own memory (SARNet).

    Each sender gives everybody a key and a value; a receiver weighs them by its query and reads them by its memory.

    With m the receiver's memory of earlier steps, the weights are softmax_i((w . (q_j * k_i) + b) / root of width) with
    a learned w; each value is read as R(m_j * v_i + v_i), and j is given W sum_i weight_ij read_ij, R and W linear.
    All of it at the same step. What SARNet keeps beside the recurrent state as m is here read from that state: the
    agent's recurrent layer is given what the channel gives, and so keeps it.

    The importance of a message is its weight, if all that reaches the receiver were sent. `talk` reports the weights as
    `attention` [..., N, N].

    Attributes:
      width: size of queries, keys, values and m (published: 32). D is twice that.
      hidden: width of the layer (ReLU) before the heads (published: 128, recurrent).
    """

    width: int = 32
    hidden: int = 64
    reads_memory: bool = True

    def __post_init__(self) -> None:
        check_positive(self, "width", "hidden")
        if not self.reads_memory:
            raise ValueError("reads_memory is False: this channel reads memory (AttentionChannel can do without)")
        super().__post_init__()

    def setup(self) -> None:
        self.encoder = Linear(self.hidden)
        self.query_head, self.key_head, self.value_head = (Linear(self.width) for _ in range(3))
        self.memory_head = Linear(self.width)
        self.score_head = Linear(1)
        self.read_head, self.write_head = Linear(self.width), Linear(self.width)

    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Channel.talk`; M is `width`."""
        if memory is None:
            raise ValueError("this channel reads memory, and got None")
        state = nn.relu(self.encoder(seen_by(inputs, memory)))
        query, remembered = self.query_head(state), self.memory_head(memory)
        content = to_everybody(jnp.concatenate([self.key_head(state), self.value_head(state)], -1))
        offered = attention(self._scores(content, query), transmit.reaches)
        arrived = transmit(offer(content, jnp.broadcast_to(offered[..., None], content.shape)))
        weights = attention(self._scores(arrived.content, query), arrived.sent.any(-1))
        values = arrived.content[..., self.width :]
        read = self.read_head(remembered[..., None, :, :] * values + values)
        return self.write_head(jnp.einsum("...ij,...ijv->...jv", weights, read)), {"attention": weights}

    def _scores(self, content: jax.Array, query: jax.Array) -> jax.Array:
        matched = query[..., None, :, :] * content[..., : self.width]
        return self.score_head(matched)[..., 0] / self.width**0.5
