"""MASIA's channel: receivers aggregate all messages by self-attention and estimate the state (Guan et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.losses.aggregation import prediction_loss, reconstruction_loss
from marlcomm.messages.channel import Channel, ChannelLoss, Heard, Reported, Transmit, offer, seen_by, to_everybody
from marlcomm.messages.channels.attention import attention
from marlcomm.networks.layers import GRU, MLP, Linear, check_positive

EFFECTS = 4  # ways in which what an agent does changes what comes next


class AggregationChannel(Channel):
    """Self-attention over all messages at each receiver, with state reconstruction (MASIA).

    Everybody tells everybody what it sees. A receiver lets the messages m_k that arrive, its own among them, attend to
    one another: r_k = relu(W sum_l softmax_l(q(m_k) . k(m_l) / root of `query_size`) v(m_l)). The mean of all r_k,
    whose order and number do not matter, is mapped to the representation z (linear). The receiver takes of it what it
    needs: features sigmoid(g(x)) * z, with x what it sees. In training, a linear decoder estimates the state from z.

    `talk` reports `representation` [..., N, Z] and, in training, `state_estimate` [..., N, S], and with `predicts`
    what `prediction_loss` reads: `next_representation` [..., N, Z], `effect_of_action` [..., N, N, A, 4]
    and `effect_basis` [..., N, 4, Z], which stands for effects on all of Z.

    Where the released code differs: z holds all r_k side by side in the order of the senders (`pooled=False`), which is
    no set; it has no W where it has a GRU. Its predictions read the joint action by a network, look two steps ahead,
    and foretell rewards too; here losses read arrays, not networks, so what agents do adds up.

    Attributes:
      latent: size of z, or of the part of each sender with pooled=False (published: 8 of each sender).
      width: size of values and of r_k (published: 32).
      query_size: size of queries and keys (published: 16).
      dims: D, numbers to which senders encode (linear) what they say; 0 sends what they see as it is, as published.
      pooled: True takes the mean of r_k, which bears any order and number of messages; False puts them side by side.
      remembers: whether a GRU of each receiver stands between r_k, or their mean, and z (published: yes). The channel
        then carries its memory, and runs inside the scan over time.
      predicts: whether z is also taught to foretell z of the next step from the joint action (published: yes).
    """

    latent: int = 32
    width: int = 32
    query_size: int = 16
    dims: int = 0
    pooled: bool = True
    remembers: bool = False
    predicts: bool = False

    def __post_init__(self) -> None:
        check_positive(self, "latent", "width", "query_size")
        if self.dims < 0:
            raise ValueError(f"dims is {self.dims}: must be at least 0 (0 sends what agents see as it is)")
        super().__post_init__()

    def exceptions(self) -> Mapping[str, str]:
        """See `Channel.exceptions`."""
        return (
            {} if self.pooled else {"permutation": "pooled=False: receivers are given one part a sender, weighed by it"}
        )

    @nn.nowrap
    def losses(self) -> Mapping[str, ChannelLoss]:
        """MASIA's, by its weights: the second only if it predicts."""
        reconstruction = {"reconstruction": ChannelLoss(reconstruction_loss)}
        prediction = {"prediction": ChannelLoss(prediction_loss, needs="discrete_actions")}
        return reconstruction | (prediction if self.predicts else {})

    @property
    def _rows(self) -> int:
        return 1 if self.pooled else self.num_agents

    def initial_state(self, *batch: int) -> jax.Array | None:
        """See `Channel.initial_state`: the memory of its GRU."""
        return jnp.zeros((*batch, self._rows, self.width)) if self.remembers else None

    def setup(self) -> None:
        if self.dims:
            self.encoder = Linear(self.dims)
        self.query_head, self.key_head = Linear(self.query_size), Linear(self.query_size)
        self.value_head, self.mix = Linear(self.width), Linear(self.width)
        if self.remembers:
            self.recurrent = GRU(self.width)
        self.representation_head = Linear(self.latent)
        size = self._rows * self.latent
        self.gate_head = Linear(size)
        self.decoder = Linear(self.state_size)
        if self.predicts:
            self.transition = MLP((2 * self.width, size * (1 + EFFECTS) + self.num_agents * self.num_actions * EFFECTS))

    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[Heard, Reported]:
        """See `Channel.talk`; M is Z."""
        seen = seen_by(inputs, memory)
        arrived = transmit(offer(to_everybody(self.encoder(seen) if self.dims else seen)))
        rows = self._aggregate(jnp.swapaxes(arrived.content, -3, -2), jnp.swapaxes(arrived.sent.any(-1), -1, -2))
        if self.remembers:
            rows = self.recurrent.step(transmit.state, self.recurrent.project(rows))
        z = self.representation_head(rows)
        z = z.reshape(*z.shape[:-2], -1)
        reported = {"representation": z}
        if transmit.training:
            reported |= {"state_estimate": self.decoder(z)} | (self._foretold(z) if self.predicts else {})
        heard = nn.sigmoid(self.gate_head(seen)) * z
        return Heard(heard, state=rows if self.remembers else None), reported

    def _aggregate(self, content: jax.Array, came: jax.Array) -> jax.Array:
        """[..., N, rows, width] what receivers make of messages [..., N, N, D], of which those came [..., N, N].

        Receivers first, then senders.
        """
        scores = jnp.einsum("...lq,...kq->...lk", self.key_head(content), self.query_head(content))
        heard = jnp.broadcast_to(came[..., :, None], scores.shape)
        weights = attention(scores / self.query_size**0.5, heard)  # of l, for each k
        attended = jnp.einsum("...lk,...lw->...kw", weights, self.value_head(content))
        rows = jnp.where(came[..., None], nn.relu(self.mix(attended)), 0.0)
        if not self.pooled:
            return rows
        return rows.sum(-2, keepdims=True) / jnp.maximum(came.sum(-1)[..., None, None], 1)

    def _foretold(self, z: jax.Array) -> Reported:
        """z of the next step is the first, and of the second what each agent did, added to it."""
        flat = self.transition(z)
        size = z.shape[-1]
        change, basis, effect = jnp.split(flat, [size, size * (1 + EFFECTS)], -1)
        return {
            "next_representation": z + change,
            "effect_of_action": effect.reshape(*z.shape[:-1], self.num_agents, self.num_actions, EFFECTS),
            "effect_basis": basis.reshape(*z.shape[:-1], EFFECTS, size),
        }
