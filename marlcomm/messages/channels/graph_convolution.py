"""DICG's channel: graph convolution over a soft graph that self-attention makes (Li et al. 2021)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.messages.channel import Channel, Transmit, offer, seen_by, to_everybody
from marlcomm.messages.channels.attention import attention
from marlcomm.networks.layers import MLP, Linear, check_positive, uniform_within


class GraphConvolutionChannel(Channel):
    """Deep implicit coordination graph: graph convolutions over a soft adjacency matrix of self-attention (DICG).

    Agents embed what they know, e = tanh(MLP). In every round everybody sends everybody its embedding. With those of
    the first, j weighs i by mu_ij = softmax_i((W_a e_j) . e_i), itself among them; all rounds keep these weights::

      e_j of the next round = tanh(W sum_i mu_ij e_i + b)

    with a W and b for each round. j is given its last embedding plus its first (the residual connection of the paper).
    In the softmax, what did not arrive counts for nothing. No graph is drawn, and nothing is held back. Importance is
    mu, if all that reaches j were sent. `talk` reports it as `attention` [..., N, N], of the last round.

    In the original a central executor sees all; here every agent computes its own row from what it hears.

    Attributes:
      dims: size of an embedding (published: 128 in traffic junction).
      hidden: width of the encoder's hidden layer (published: 128).
      rounds: graph convolutions (published: 2).
    """

    dims: int = 32
    hidden: int = 64
    rounds: int = 2

    def __post_init__(self) -> None:
        check_positive(self, "dims", "hidden", "rounds")
        super().__post_init__()

    @nn.compact
    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Channel.talk`; M is `dims`."""
        first = jnp.tanh(MLP((self.hidden, self.dims), name="encoder")(seen_by(inputs, memory)))
        initializer = uniform_within(1.0 / self.dims**0.5)
        query = nn.Dense(self.dims, use_bias=False, kernel_init=initializer, name="query")(first)

        def scores_of(content: jax.Array) -> jax.Array:
            return jnp.einsum("...ijd,...jd->...ij", content, query)

        embedding, scores = first, scores_of(to_everybody(first))
        met = transmit.reaches  # heard in this round and in all before
        weights = importance = attention(scores, met)
        for number in range(self.rounds):
            content = to_everybody(embedding)
            arrived = transmit(offer(content, jnp.broadcast_to(importance[..., None], content.shape)))
            scores = scores if number else scores_of(arrived.content)
            met = met & arrived.sent.any(-1)
            weights = attention(scores, met)
            summed = jnp.einsum("...ij,...ijd->...jd", weights, arrived.content)
            embedding = jnp.tanh(Linear(self.dims, name=f"convolution_{number}")(summed))
        own = jnp.where(transmit.alive[..., None], first, 0.0)
        return own + embedding, {"attention": weights}
