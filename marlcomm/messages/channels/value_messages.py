"""Messages that add to the receivers' action values, sent where thresholds ask for them (VBC, TMC)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.losses.value_messages import robustness_loss, smoothness_loss, variance_loss
from marlcomm.messages.channel import Channel, ChannelLoss, Heard, Reported, Transmit, offer, to_everybody
from marlcomm.messages.channels.mean import mean_of_others
from marlcomm.networks.layers import MLP, check_positive
from marlcomm.types import Messages


class ValueMessageChannel(Channel):
    """Messages of A numbers, made of the memory, whose mean over the other agents adds to the action values.

    With m_i = encoder(memory_i), agent j acts by Q_j(u) + sum_i m_ij(u) / (N - 1); what j does not have of i is 0.

    Attributes:
      hidden: width of the encoder's hidden layer (published: that of the memory).
    """

    hidden: int = 64
    after_memory: bool = True

    def __post_init__(self) -> None:
        check_positive(self, "hidden")
        if not self.after_memory:
            raise ValueError("after_memory is False: these messages add to action values, and are made of the memory")
        super().__post_init__()

    def setup(self) -> None:
        self.encoder = MLP((self.hidden, self.num_actions))

    def _message(self, memory: jax.Array | None) -> jax.Array:
        if memory is None:
            raise ValueError("these messages are made of the memory, and got None")
        return self.encoder(memory)


class VarianceGatedChannel(ValueMessageChannel):
    """Request and reply by confidence and variance (VBC, Zhang et al. 2019).

    Agents whose two best allowed actions differ in value, before anything is heard, by less than `ask_below` ask
    everybody; those that hear it answer if the variance of their message over its A entries is above `answer_above`.
    In training everybody asks and answers, and `variance_loss` keeps messages small that say nothing.

    Bits of a pair at a step: 1 that tells whether it is asked; where it is, 1 that tells whether an answer comes; and
    32 for each entry of the answer. The importance of an entry of an answer is its squared distance from their mean,
    that of a request exp(-difference).

    `talk` reports `message` [..., N, A], `asks` [..., N], `action_gap` [..., N] and `answers` [..., N, N].

    The released code compares standard deviations, takes the loss of the mean that is received, and counts no request.
    Its example silences environments i and later where one was meant.

    Attributes:
      ask_below: delta 1, in units of action values; infinite for all that have a choice.
      answer_above: delta 2, in squares of these; below 0 for agents that always answer. What is worth withholding
        depends on the task: see `PUBLISHED` of the method, and the variances that `message` shows.
      hidden: as in `ValueMessageChannel`.
    """

    ask_below: float = 1.0
    answer_above: float = 1e-4

    @property
    def entries_of_requests(self) -> int:
        """See `Channel.entries_of_requests`: one to everybody."""
        return self.num_agents - 1

    @nn.nowrap
    def losses(self) -> Mapping[str, ChannelLoss]:
        """The variance of messages, which costs `weights.variance`."""
        return {"variance": ChannelLoss(variance_loss, 0.01, needs="discrete_actions")}

    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[Heard, Reported]:
        """See `Channel.talk`: two rounds, requests and answers."""
        message = self._message(memory)
        gap = action_gap(jax.lax.stop_gradient(transmit.scores()), transmit.action_mask)
        variance = jax.lax.stop_gradient(message.var(-1))
        asks = jnp.ones_like(gap, bool) if transmit.training else gap < self.ask_below
        knows = jnp.ones_like(gap, bool) if transmit.training else variance > self.answer_above
        asked = jnp.swapaxes(transmit(_requests(asks, jnp.exp(-gap))).sent[..., 0], -1, -2)  # [..., asked, asking]
        answers = asked & knows[..., :, None]
        reply = offer(to_everybody(message), to_everybody((message - message.mean(-1, keepdims=True)) ** 2))
        arrived = transmit(reply._replace(sent=reply.sent & answers[..., None], overhead=asked.astype(jnp.float32)))
        reported = {"message": message, "asks": asks, "action_gap": gap, "answers": answers}
        return Heard(action_values=mean_of_others(arrived.content)), reported


class TemporalState(NamedTuple):
    """What `TemporalGatedChannel` carries from step to step, of each pair, sender first."""

    sent: jax.Array  #: [..., N, N, A] what last left each sender for each receiver, entry by entry; 0 before
    silent: jax.Array  #: [..., N, N, A] int32 steps since then
    kept: jax.Array  #: [..., N, N, A] what each receiver last heard of each sender; 0 before
    age: jax.Array  #: [..., N, N, A] int32 steps since then


class TemporalGatedChannel(ValueMessageChannel):
    """Messages that are sent again when they have changed (TMC, Zhang et al. 2020, algorithm 1).

    An agent sends to another where the squared distance of its message to what it last sent there exceeds `change`, and
    at the latest `silence` steps after that. What its own bandwidth or cuts held back it knows, entry by entry, to be
    unsent, and tries again; what was lost on the way it does not know of. Receivers keep what they last heard of a
    sender, entry by entry, for at most `keep` steps; so what is cut or lost leaves the old in place. Both forget those
    who are not alive. In training everybody sends at every step; `smoothness_loss` pulls messages of consecutive steps
    together, and `robustness_loss` the values of the two best actions apart, so that a message which is a little old
    changes no action.

    Bits of a pair at a step: 1 that tells whether something comes, and 32 for each entry if so. The importance of an
    entry is its squared change: repeating what receivers have is worth nothing, but where `silence` steps have passed
    and they will soon forget it, its square.

    `talk` reports `message` [..., N, A], `sends` [..., N, N], and `action_gap` [..., N] between the values of the two
    best allowed actions, after what is heard.

    The released code makes messages by a GRU cell, keeps buffers from one episode to the next, lets its smoothness loss
    grow with the step, and takes the two best actions without a mask.

    Attributes:
      change: delta, in squares of action values (released: 0.05); below 0 for agents that always send. It must be below
        the squared difference of values that decides between actions.
      silence: steps after which an agent sends again, whatever it has to say (released: 6).
      keep: steps for which a receiver goes by what it heard (released: 12).
      hidden: as in `ValueMessageChannel`.
    """

    change: float = 0.002
    silence: int = 6
    keep: int = 12

    def __post_init__(self) -> None:
        for name in ("silence", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: must be at least 1 step")
        super().__post_init__()

    @nn.nowrap
    def losses(self) -> Mapping[str, ChannelLoss]:
        """The two regularizers of TMC."""
        return {
            "smoothness": ChannelLoss(smoothness_loss, 0.1),
            "robustness": ChannelLoss(robustness_loss, 0.01, needs="discrete_actions"),
        }

    def initial_state(self, *batch: int) -> TemporalState:
        """Nothing was sent, and nothing heard."""
        pairs = (*batch, self.num_agents, self.num_actions)
        nothing, now = jnp.zeros(pairs), jnp.zeros(pairs, jnp.int32)
        return TemporalState(nothing, now, nothing, now)

    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[Heard, Reported]:
        """See `Channel.talk`."""
        message, before = self._message(memory), transmit.state
        messages = offer(to_everybody(message))
        change = jax.lax.stop_gradient((messages.content - before.sent) ** 2)
        due = before.silent + 1 >= self.silence
        sends = (change.sum(-1) > self.change) | due.any(-1) | transmit.training
        importance = jnp.where(due, jnp.maximum(messages.content**2, change), change)
        sent, overhead = messages.sent & sends[..., None], jnp.ones_like(messages.overhead)
        arrived = transmit(messages._replace(importance=importance, sent=sent, overhead=overhead))
        together, left = (transmit.alive[..., :, None] & transmit.alive[..., None, :])[..., None], transmit.left()
        age = jnp.where(arrived.sent, 0, before.age + 1)
        kept = jnp.where(arrived.sent, arrived.content, jnp.where(age <= self.keep, before.kept, 0.0))
        state = TemporalState(
            sent=jnp.where(together, jnp.where(left, messages.content, before.sent), 0.0),
            silent=jnp.where(left, 0, before.silent + 1),
            kept=jnp.where(together, kept, 0.0),
            age=age,
        )
        heard = Heard(action_values=mean_of_others(state.kept), state=state)
        gap = action_gap(transmit.scores(heard), transmit.action_mask)
        return heard, {"message": message, "sends": sends, "action_gap": gap}


def action_gap(scores: jax.Array, allowed: jax.Array | None) -> jax.Array:
    """[..., N, A] -> [..., N]: difference of the two largest values that are allowed; infinite where one is, or none.

    Args:
      scores: [..., N, A]; allowed: the same shape, bool; None for all.
    """
    allowed = jnp.ones(scores.shape, bool) if allowed is None else allowed
    best = jnp.argmax(jnp.where(allowed, scores, -jnp.inf), -1, keepdims=True)
    first = jnp.take_along_axis(scores, best, -1)[..., 0]
    rest = jnp.where(allowed, scores, -jnp.inf)
    rest = jnp.where(jnp.arange(scores.shape[-1]) == best, -jnp.inf, rest)
    second = jnp.take_along_axis(scores, jnp.argmax(rest, -1, keepdims=True), -1)[..., 0]
    return jnp.where(allowed.sum(-1) > 1, first - second, jnp.inf)


def _requests(asks: jax.Array, importance: jax.Array) -> Messages:
    """Empty messages [..., N, N, 1] from those who ask [..., N] to everybody; 1 bit tells whether there is one."""
    empty = offer(to_everybody(jnp.zeros((*asks.shape, 1))), to_everybody(importance[..., None]), bits=0.0)
    sent = to_everybody(asks[..., None])
    return empty._replace(sent=sent, overhead=jnp.ones_like(empty.overhead))
