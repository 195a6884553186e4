"""TarMAC's channel: receivers weigh what they hear by its signature (Das et al. 2019, section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.messages.channel import Channel, Transmit, offer, seen_by, to_everybody
from marlcomm.networks.layers import Linear, check_positive
from marlcomm.renamed import old_names
from marlcomm.types import Messages


@old_names(renormalise="renormalize")
class AttentionChannel(Channel):
    """Targeted communication by soft attention over signatures and values (TarMAC).

    Each sender gives everybody a signature and a value; a receiver's query says how much of each value it takes.

    With k, v of the sender i and q of the receiver j, the weights are softmax_i(q_j . k_i / scale) over all
    senders that are alive, the receiver among them, and j is given sum_i weight_ij v_i (eq. 3 and 4 of the paper). In
    further rounds the agents' states are tanh(W [state; what was heard]).

    The importance of a message is the weight that the receiver would give it, if all that reaches it were sent, so that
    cuts cut by attention. `talk` reports the weights of the last round as `attention` [..., N, N].

    Attributes:
      signature: size of signatures and queries (published: 16; 32 in NDQ's baseline).
      value: size of values (published: 32; 10 in NDQ's baseline). D is signature + value.
      rounds: how many times agents talk within a step (published: 1 or 2).
      hidden: width of a layer (ReLU) before the heads; 0 for heads that read inputs and memory directly.
      scale: what scores are divided by; None for the root of `signature`, as in the paper.
      renormalize: whether the weights of what arrives add up to 1, or the share of what was cut is lost.
      detach: whether no gradient passes into the memory through messages.
    """

    signature: int = 16
    value: int = 32
    rounds: int = 1
    hidden: int = 64
    scale: float | None = None
    renormalize: bool = True
    detach: bool = False

    def __post_init__(self) -> None:
        check_positive(self, "signature", "value", "rounds")
        if self.hidden < 0:
            raise ValueError(f"hidden is {self.hidden}: must be at least 0 (0 for heads that read directly)")
        if self.scale is not None and self.scale <= 0:
            raise ValueError(f"scale is {self.scale}: must be above 0, or None for the root of signature")
        super().__post_init__()

    def exceptions(self) -> Mapping[str, str]:
        """See `Channel.exceptions`."""
        detached = {"gradient": "detach=True: no gradient passes to what senders see or remember"}
        not_shared_out = {"cut": "renormalize=False: receivers weigh what was cut, too, and lose its share"}
        return (detached if self.detach else {}) | ({} if self.renormalize else not_shared_out)

    @nn.compact
    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Channel.talk`; M is `value`."""
        state = seen_by(inputs, memory)
        state = jax.lax.stop_gradient(state) if self.detach else state
        state = nn.relu(Linear(self.hidden, name="encoder")(state)) if self.hidden else state
        signature_of = Linear(self.signature, name="signature_head")
        query_of = Linear(self.signature, name="query_head")
        value_of = Linear(self.value, name="value_head")
        update = Linear(state.shape[-1], name="update")

        def attend(state: jax.Array) -> tuple[jax.Array, jax.Array]:
            content = to_everybody(jnp.concatenate([signature_of(state), value_of(state)], -1))
            return self._attend(content, query_of(state), transmit)

        heard, weights = attend(state)
        for _ in range(self.rounds - 1):
            state = jnp.tanh(update(jnp.concatenate([state, heard], -1)))
            heard, weights = attend(state)
        return heard, {"attention": weights}

    def _attend(self, content: jax.Array, query: jax.Array, transmit: Transmit) -> tuple[jax.Array, jax.Array]:
        offered = attention(self._scores(content, query), transmit.reaches)
        arrived = transmit(offer(content, jnp.broadcast_to(offered[..., None], content.shape)))
        weights = attention(self._scores(arrived.content, query), arrived.sent.any(-1))
        if not self.renormalize:
            weights = weights * _share_sent(arrived)[..., None, :]
        return jnp.einsum("...ij,...ijv->...jv", weights, arrived.content[..., self.signature :]), weights

    def _scores(self, content: jax.Array, query: jax.Array) -> jax.Array:
        scale = self.signature**0.5 if self.scale is None else self.scale
        return jnp.einsum("...ijk,...jk->...ij", content[..., : self.signature], query) / scale


def attention(scores: jax.Array, heard: jax.Array) -> jax.Array:
    """[..., N, N] weights over senders (the first N), which add up to 1 over those that are heard; 0 if nobody is."""
    largest = jnp.max(jnp.where(heard, scores, -jnp.inf), -2, keepdims=True)
    shifted = jnp.where(heard, scores - jax.lax.stop_gradient(jnp.where(heard, largest, 0.0)), 0.0)
    weights = jnp.where(heard, jnp.exp(shifted), 0.0)
    return weights / jnp.maximum(weights.sum(-2, keepdims=True), 1e-12)


def _share_sent(messages: Messages) -> jax.Array:
    """[..., N] of each receiver's attention to all that could have been sent, the share that was."""
    weight = messages.importance.max(-1)
    sent = jnp.where(messages.sent.any(-1), weight, 0.0).sum(-2)
    return sent / jnp.maximum(weight.sum(-2), 1e-12)
