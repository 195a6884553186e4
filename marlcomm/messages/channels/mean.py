"""CommNet's channel: everybody hears the mean of what the others say (Sukhbaatar et al. 2016, eq. 1 and 2)."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from marlcomm.messages.channel import Channel, Transmit, offer, seen_by, to_everybody
from marlcomm.networks.layers import MLP, Linear, check_positive
from marlcomm.renamed import old_names
from marlcomm.types import Messages, others


@old_names(hops="rounds")
class MeanChannel(Channel):
    """Mean-pooled continuous messages (CommNet).

    Each agent tells everybody its state; a receiver is given the mean over the others.

    The mean divides by N - 1 whoever talks: the silent count as 0. In further rounds the states are
    tanh(W [state; mean]), with the same weights in all rounds.

    Attributes:
      dims: D, size of a state (published: 50 in CommNet, 128 in IC3Net, whose states are all that agents know).
      hidden: width of the hidden layer of the encoder, which makes the first state.
      rounds: how many times agents talk within a step (published: 2 in CommNet, 1 in IC3Net).
    """

    dims: int = 32
    hidden: int = 64
    rounds: int = 1

    def __post_init__(self) -> None:
        check_positive(self, "dims", "hidden", "rounds")
        super().__post_init__()

    def setup(self) -> None:
        self.encoder = MLP((self.hidden, self.dims))
        self.update = Linear(self.dims)

    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Channel.talk`; M is D."""
        return self._rounds(seen_by(inputs, memory), lambda content, _: offer(content), transmit), {}

    def _rounds(self, seen: jax.Array, offered: Callable[[jax.Array, int], Messages], transmit: Transmit) -> jax.Array:
        """[..., N, D] what is heard in the last round; `offered` makes messages of contents and the round's number."""
        state = self.encoder(seen)
        heard = mean_of_others(transmit(offered(to_everybody(state), 0)).content)
        for number in range(1, self.rounds):
            state = jnp.tanh(self.update(jnp.concatenate([state, heard], -1)))
            heard = mean_of_others(transmit(offered(to_everybody(state), number)).content)
        return heard


def mean_of_others(content: jax.Array) -> jax.Array:
    """[..., N, N, D] -> [..., N, D]: for each receiver, the mean over the other senders."""
    n = content.shape[-2]
    return jnp.where(others(n)[..., None], content, 0.0).sum(-3) / max(n - 1, 1)
