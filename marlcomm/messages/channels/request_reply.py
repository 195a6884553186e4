"""CACOM's channel: agents tell what they want to know, and are sent what is worth its bits (Li and Zhang 2024)."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.losses import Since
from marlcomm.losses.request_reply import reply_gate_loss, teammate_value_loss
from marlcomm.messages.channel import (
    Channel,
    ChannelLoss,
    Heard,
    Reported,
    Transmit,
    by_receiver,
    offer,
    seen_by,
    to_everybody,
)
from marlcomm.networks.layers import MLP, Linear, check_positive, uniform_within
from marlcomm.types import Messages, others
from marlcomm.validation import UsageError

GATED = ("always", "evaluation", "never")
WORTH_OF = ("choice", "best_value")
OPEN = 3.0  # bias of the gates before they are taught


class RequestReplyChannel(Channel):
    """Broadcast requests and replies to each, with a gate a pair that is taught what a reply is worth (CACOM).

    Each agent i tells everybody its context c_i = W [input; memory]. What an agent j knows is a row of `slots` vectors
    k_js of its input and memory; its reply to i weighs them by the request, r_ji = MLP(sum_s w_jis V k_js) with
    w_ji = softmax_s(K k_js . Q c_i / root of width). It is sent where the gate's logit, of the products of other keys
    and queries by slot, is above 0. Receivers read all replies side by side, 0 for none; M is N * reply.

    Only `reply_gate_loss` teaches the gates: at each step, of one replier that is drawn, whether its reply, given what
    else arrives, gains the receiver more than `worth`. With Q' the values with the reply and Q without, that is
    max Q' - max Q ("best_value"), or max Q' - Q'(argmax Q) ("choice"), the value of information: news that lowers all
    values may be worth hearing. By option, a coin decides in training in place of that replier's gates what of its
    replies is held back, with chance `held_back`: so receivers learn from inputs like those of both values, and a gate
    that is shut is tried again. The loss of receivers teaches the replies that arrive and no gate; that of gates
    teaches nothing but them. `teammate_value_loss` lets receivers predict the action values of the others from what
    they hear.

    Bits of a pair at a step: 32 an entry of the request; 1 that tells whether a reply comes, where the request arrived;
    32 an entry of the reply. Entries are numbers here: `quantization_step` takes the place of the learned step sizes.

    `talk` reports `gate_logit` [..., N, N] and `gate_open` of replier and receiver, and in training `gate_label`,
    `gate_taught` (both [..., N, N]), `teammate_values` [..., N, N, A] (receiver first) and `own_values` [..., N, A].

    The original has a slot for each entity that is seen, and receivers remember what they hear. Here what is heard is
    read after the memory, where an agent can say what it would do with and without it. For the first `gates_from` steps
    of training, in which the released code teaches all gates to open, ours begin open and are not taught: before values
    depend on what is heard, no reply is worth anything. Gates cannot be trained with `delay`, as their labels would be
    of replies that come later.

    Attributes:
      request: entries of a request (published: 4 to 6).
      reply: entries of a reply (published: 12, 13).
      slots: vectors of what an agent knows.
      width: of each of them, of keys and of queries (published: 8).
      worth: what a reply must gain the receiver, in units of action values (published: 0).
      worth_of: "best_value" (published) or "choice" (ours).
      gates_from: environment steps of training before gates are taught (published: 200,000).
      held_back: 0 .. 1, chance in training that a reply of the drawn replier is held back; 0 leaves it to the gates.
        None is 0 where gates hold in training, and 0.5 with gated="evaluation": values without a reply are learned too.
      gated: when gates hold: "always" (published, after the first 200,000 steps), in "evaluation" only, or "never", as
        for the same team with all replies, no coin and no loss of gates.
    """

    request: int = 4
    reply: int = 12
    slots: int = 8
    width: int = 8
    worth: float = 0.0
    worth_of: str = "best_value"
    gates_from: int = 100_000
    held_back: float | None = None
    gated: str = "always"
    after_memory: bool = True

    def __post_init__(self) -> None:
        check_positive(self, "request", "reply", "slots", "width")
        if self.worth_of not in WORTH_OF:
            raise ValueError(f"worth_of is {self.worth_of!r}: must be one of {', '.join(WORTH_OF)}")
        if not 0 <= self._chance <= 1:
            raise ValueError(f"held_back is {self.held_back}: must be a chance, 0 .. 1")
        if self.gated not in GATED:
            raise ValueError(f"gated is {self.gated!r}: must be one of {', '.join(GATED)}")
        if not self.after_memory:
            raise ValueError("after_memory is False: gates learn from action values, which there are after the memory")
        super().__post_init__()

    @property
    def entries_of_requests(self) -> int:
        """See `Channel.entries_of_requests`: a request to everybody."""
        return self.request * (self.num_agents - 1)

    @nn.nowrap
    def losses(self) -> Mapping[str, ChannelLoss]:
        """What teaches the gates, and what is heard to tell of others."""
        taught = Since(self.gates_from, reply_gate_loss)
        gates = {"reply_gate": ChannelLoss(taught, 1.0, "action_values", 'set channel.gated="never"')}
        predicted = {"teammate_values": ChannelLoss(teammate_value_loss, 0.1, "action_values")}
        return predicted if self.gated == "never" else gates | predicted

    def exceptions(self) -> Mapping[str, str]:
        """See `Channel.exceptions`."""
        why = 'gated="always": a reply that is held back is taught by nobody, and gates learn from their labels'
        return {"gradient": why} if self.gated == "always" else {}

    def setup(self) -> None:
        self.request_head = Linear(self.request)
        self.knowledge = Linear(self.slots * self.width)
        self.key_head, self.value_head, self.query_head = (Linear(self.width) for _ in range(3))
        self.reply_head = MLP((4 * self.width, self.reply))
        self.gate_key, self.gate_query = Linear(self.width), Linear(self.width)
        bias, kernel = nn.initializers.constant(OPEN), uniform_within(1.0 / self.slots**0.5)
        self.gate_head = nn.Dense(1, kernel_init=kernel, bias_init=bias)
        self.predictor = MLP((8 * self.width, self.num_agents * self.num_actions))

    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[Heard, Reported]:
        """See `Channel.talk`: two rounds, requests and replies."""
        seen = seen_by(inputs, memory)
        requests = transmit(offer(to_everybody(self.request_head(seen))))  # [..., who asks, who is asked, R]
        asking, asked = (jnp.swapaxes(x, -3, -2) for x in (requests.content, requests.sent.any(-1, keepdims=True)))
        known = self.knowledge(seen).reshape(*seen.shape[:-1], self.slots, self.width)
        reply = self._reply(known, asking)  # [..., who replies, to whom, P]
        logit = self._gate(jax.lax.stop_gradient(known), jax.lax.stop_gradient(asking))
        lets_all = self.gated == "never" or (self.gated == "evaluation" and transmit.training)
        is_open = jnp.ones_like(logit, bool) if lets_all else logit > 0
        learns = transmit.training and self.gated != "never"
        drawn, kept = self._drawn(logit.shape[:-2], key)
        if learns and self._chance:
            is_open = jnp.where(drawn, kept, is_open)
        sent = asked & is_open[..., None]
        messages = offer(jnp.where(sent, reply, jax.lax.stop_gradient(reply)))
        overhead = asked[..., 0].astype(jnp.float32)
        arrived = transmit(messages._replace(sent=messages.sent & sent, overhead=overhead))
        heard = Heard(self._side_by_side(arrived.content))
        reported = {"gate_logit": logit, "gate_open": is_open}
        if learns:
            reported |= self._labels(jnp.where(asked, reply, 0.0), arrived, drawn, asked, transmit)
        if transmit.training:
            reported |= self._prediction(seen, heard, transmit)
        return heard, reported

    def _drawn(self, lead: tuple[int, ...], key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Of each place and step: who is the replier that is drawn [..., N, 1], and what it does not hold back
        [..., N, N]."""
        of_replier, of_coin = jax.random.split(key)
        replier = jax.random.randint(of_replier, (*lead, 1, 1), 0, self.num_agents)
        kept = jax.random.uniform(of_coin, (*lead, *(self.num_agents,) * 2)) >= self._chance
        return jnp.arange(self.num_agents)[:, None] == replier, kept

    @property
    def _chance(self) -> float:
        return (0.5 if self.gated == "evaluation" else 0.0) if self.held_back is None else self.held_back

    def _reply(self, known: jax.Array, asking: jax.Array) -> jax.Array:
        matched = jnp.einsum("...jsw,...jiw->...jis", self.key_head(known), self.query_head(asking))
        weights = jax.nn.softmax(matched / self.width**0.5)
        return self.reply_head(jnp.einsum("...jis,...jsw->...jiw", weights, self.value_head(known)))

    def _gate(self, known: jax.Array, asking: jax.Array) -> jax.Array:
        matched = jnp.einsum("...jsw,...jiw->...jis", self.gate_key(known), self.gate_query(asking))
        return self.gate_head(matched)[..., 0]

    def _side_by_side(self, content: jax.Array) -> jax.Array:
        return by_receiver(jnp.where(others(self.num_agents)[..., None], content, 0.0))

    def _labels(
        self, reply: jax.Array, arrived: Messages, drawn: jax.Array, asked: jax.Array, transmit: Transmit
    ) -> Reported:
        """Of the replier that is drawn, whether its reply is worth it to each receiver.

        A reply that arrives is taken as it does, by edits and quantization; one that is held back, as it would be sent.
        """
        if transmit.delay:
            raise UsageError(
                f"delay={transmit.delay}: gates learn what a reply changes at the step in which it is sent, and it "
                'comes later: train without delay, or with channel.gated="never"'
            )
        came, one = arrived.sent.any(-1, keepdims=True), drawn[..., None]
        given = (jnp.where(came, arrived.content, reply), 0.0)
        told, untold = (self._scores(jnp.where(one, x, arrived.content), transmit) for x in given)  # each [..., N, A]
        choice = jnp.argmax(untold, -1, keepdims=True)
        otherwise = jnp.take_along_axis(told, choice, -1)[..., 0] if self.worth_of == "choice" else untold.max(-1)
        label = jnp.broadcast_to((told.max(-1) - otherwise > self.worth)[..., None, :], asked.shape[:-1])
        taught = (one & asked)[..., 0] & others(self.num_agents)
        return {"gate_label": label.astype(jnp.float32), "gate_taught": taught.astype(jnp.float32)}

    def _scores(self, content: jax.Array, transmit: Transmit) -> jax.Array:
        scores = jax.lax.stop_gradient(transmit.scores(Heard(self._side_by_side(content))))
        return scores if transmit.action_mask is None else jnp.where(transmit.action_mask, scores, -1e9)

    def _prediction(self, seen: jax.Array, heard: Heard, transmit: Transmit) -> Reported:
        told = self.predictor(jnp.concatenate([seen, jnp.asarray(heard.features)], -1))
        predicted = told.reshape(*told.shape[:-1], self.num_agents, self.num_actions)
        return {"teammate_values": predicted, "own_values": jax.lax.stop_gradient(transmit.scores(heard))}
