"""IC3Net's channel: agents decide whether to take part in the talk at all (Singh et al. 2019, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping

import distrax
import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.losses.policy import gate_loss, talk_loss
from marlcomm.messages.channel import ChannelLoss, Transmit, offer, seen_by
from marlcomm.messages.channels.mean import MeanChannel
from marlcomm.networks.layers import Linear
from marlcomm.renamed import old_names
from marlcomm.types import Messages


@old_names(hops="rounds")
class GatedChannel(MeanChannel):
    """Mean-pooled continuous messages with a learned binary gate an agent (IC3Net).

    CommNet's mean among those whose gate is open: who keeps it shut neither sends nor hears.

    A gate is a yes or no decision with a logit of its own. The gate of a step is decided in that step, from what the
    agent knows before it hears anything (the original decides it a step ahead, and keeps all gates shut at the first).
    Telling the receivers whether there is a message costs one bit each, in the first round: one gate holds for all
    rounds of a step.

    `dims`, `hidden` and `rounds` are as in `MeanChannel`.

    `talk` reports `gate` [..., N] (1 open, 0 shut), its `gate_logit` and its `gate_log_prob`, both [..., N].

    Attributes:
      sampled: True draws the gate, for policy gradients: only a loss that reads `gate_log_prob` then teaches it.
        False opens it where the logit is above 0 and passes the sigmoids' gradient straight through, for learners
        that differentiate through messages; it reaches gates that are shut, too.
    """

    sampled: bool = False

    @nn.nowrap
    def losses(self) -> Mapping[str, ChannelLoss]:
        """Where gates are drawn, what teaches them, and the price of an open gate, by default nothing."""
        if not self.sampled:
            return {}
        instead = "set channel.sampled=False, which passes gradient straight through the gates"
        return {
            "gate": ChannelLoss(gate_loss, needs="policy_gradient", instead=instead),
            "talk": ChannelLoss(talk_loss, 0.0, needs="policy_gradient", instead=instead, short_name="talk_price"),
        }

    def setup(self) -> None:
        super().setup()
        self.gate_head = Linear(1)

    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Channel.talk`; M is D."""
        seen = seen_by(inputs, memory)
        logit = self.gate_head(seen)[..., 0]
        gate = self._decide(jax.lax.stop_gradient(logit), key)
        both = gate[..., :, None] * gate[..., None, :]
        if not self.sampled:  # the gradient of the soft pair, which lives even where both gates are shut
            soft = jax.nn.sigmoid(logit)
            soft_pair = soft[..., :, None] * soft[..., None, :]
            both = both + (soft_pair - jax.lax.stop_gradient(soft_pair))

        def offer_through_gates(content: jax.Array, number: int) -> Messages:
            messages = offer(content * both[..., None])
            sent = messages.sent & (both[..., None] > 0.5)
            return messages._replace(sent=sent, overhead=jnp.full_like(messages.overhead, number == 0))

        heard = self._rounds(seen, offer_through_gates, transmit)
        log_prob = jnp.asarray(distrax.Bernoulli(logits=logit).log_prob(gate))
        return heard, {"gate": gate, "gate_logit": logit, "gate_log_prob": log_prob}

    def _decide(self, logit: jax.Array, key: jax.Array) -> jax.Array:
        is_open = jax.random.bernoulli(key, jax.nn.sigmoid(logit)) if self.sampled else logit > 0
        return is_open.astype(jnp.float32)
