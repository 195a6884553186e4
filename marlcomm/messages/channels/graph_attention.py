"""MAGIC's channel: graph attention over hard graphs that a scheduler draws (Niu et al. 2021); GA-Comm's by settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.messages.channel import Channel, Transmit, offer, seen_by, to_everybody
from marlcomm.messages.channels.attention import attention
from marlcomm.messages.schedulers import AdditiveScores, DotScores, PairScheduler, SequenceScheduler, in_heads
from marlcomm.networks.layers import Linear, check_positive
from marlcomm.types import others


class GraphAttentionChannel(Channel):
    """Rounds of graph attention, each over a directed graph that a scheduler chooses (MAGIC; GA-Comm by settings).

    Messages are made from the agents' memories m after their recurrent layer (from what they see, too, with
    `after_memory=False`). In a round, i sends x_i = W s_i, where s_i is m_i, and in the second round the ELU of what i
    heard in the first. With g_ij in {0, 1} the links, j is given, for each head k::

      e_ij = LeakyReLU(a_k [x_j || x_i])      sum_i w_ij x_ik      w_ij = g_ij exp(e_ij) / sum_l g_lj exp(e_lj)

    heads side by side, but one head in the last round. A link that is shut, cut or not there has the weight 0, and who
    has none open is given zeros.

    Where a graph is learned, two rounds come first, which are paid for like all else. Every agent sends everybody an
    encoding of its state, `scheduler_size` numbers. Then every receiver draws its incoming links, from those that it
    heard, and asks these senders for their messages: one bit a pair and learned graph.

    A link is drawn by the straight-through Gumbel-softmax of its two choices, at temperature 1; in evaluation it is the
    likelier one. A link, open or shut, learns by the difference that it makes in the formula: what the receiver hears
    with it open, less what it hears with it shut, all other links as drawn (with a delay, as if messages came at once).

    In the released code links are drawn in evaluation, too; the scheduler reads all messages whole; what is cut takes
    part in the softmax with the score 0, and its weight is cut afterwards. Unless that code normalizes, its links do
    not compete: the others' weights stay as they are.

    The importance of a message is the largest weight that its receiver would give it; that of an encoding is its size.
    `talk` reports `attention` [..., N, N], the weights of the last round, and, where a graph is learned, `links`
    [..., N, N, G], sender first: 1 where one was asked for in each of G graphs.

    Attributes:
      dims: size of a message (published: 128).
      heads: attention heads of the first round and of the scheduler's encoder (published: 4); divides `dims`.
      rounds: 2 in MAGIC, 1 in GA-Comm.
      first_graph: "learned", or "complete" for everybody (as both are in MAGIC's traffic junction).
      second_graph: "learned", "complete", or "same" for the first.
      self_loops: "always", "never" (GA-Comm), or "learned": whether agents hear themselves where a graph is learned;
        "learned" means always where it is complete. It is free.
      scores: "additive" as above, or "dot" for the scaled dot product of a query and a key, of one head (GA-Comm).
      scheduler: "pairs": an MLP on the encodings of receiver and sender; "attention": the same after a graph attention
        layer over all encodings (published); "sequence": a bidirectional LSTM over a receiver's pairs in the order of
        the agents, which senders are then told apart by (G2ANet, GA-Comm).
      scheduler_size: E, size of an encoding (published: 32 after 128; 128 in GA-Comm).
      key_size: size of queries and keys, where `scores` is "dot" (published: 16).
    """

    dims: int = 32
    heads: int = 4
    rounds: int = 2
    first_graph: str = "learned"
    second_graph: str = "learned"
    self_loops: str = "always"
    scores: str = "additive"
    scheduler: str = "attention"
    scheduler_size: int = 32
    key_size: int = 16
    after_memory: bool = True

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "first_graph": ("learned", "complete"),
        "second_graph": ("learned", "same", "complete"),
        "self_loops": ("always", "never", "learned"),
        "scores": ("additive", "dot"),
        "scheduler": ("pairs", "attention", "sequence"),
    }

    def __post_init__(self) -> None:
        check_positive(self, "dims", "heads", "scheduler_size", "key_size")
        if self.rounds not in (1, 2):
            raise ValueError(f"rounds is {self.rounds}: must be 1 or 2, as there are two graphs")
        if self.dims % self.heads:
            raise ValueError(f"dims is {self.dims}: must be a multiple of heads, {self.heads}")
        for name, choices in self.CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}: must be one of {', '.join(choices)}")
        super().__post_init__()

    def exceptions(self) -> Mapping[str, str]:
        """See `Channel.exceptions`."""
        in_order = "scheduler='sequence': its LSTM reads senders in the order of their numbers"
        return {"permutation": in_order} if self.scheduler == "sequence" and "learned" in self._graphs else {}

    @property
    def entries_of_requests(self) -> int:
        """See `Channel.entries_of_requests`: an encoding to everybody, and the links of learned graphs."""
        graphs = self._graphs.count("learned")
        return (self.scheduler_size + graphs) * (self.num_agents - 1) if graphs else 0

    @property
    def _graphs(self) -> tuple[str, ...]:
        return (self.first_graph, self.second_graph)[: self.rounds]

    @nn.compact
    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Channel.talk`; M is `dims`."""
        state = seen_by(inputs, memory) if memory is None or not self.after_memory else memory
        links = self._schedule(state, key, transmit) if "learned" in self._graphs else None
        reported = {} if links is None else {"links": jax.lax.stop_gradient(links)}
        complete = self._with_loops(jnp.ones((self.num_agents,) * 2))

        def graph(number: int) -> jax.Array:
            kind = self._graphs[number]
            if kind == "same":
                return graph(0)
            if kind == "complete" or links is None:
                return complete
            return links[..., self._graphs[:number].count("learned")]

        heard = state
        for number in range(self.rounds):
            heard = nn.elu(heard) if number else heard
            heard, reported["attention"] = self._attend(number, heard, graph(number), transmit)
        return heard, reported

    def _schedule(self, state: jax.Array, key: jax.Array, transmit: Transmit) -> jax.Array:
        """[..., N, N, G] 1 where the sender was asked for its message, else 0, with the gradient of what is soft."""
        encoding = Linear(self.scheduler_size, name="state_encoder")(state)
        arrived = transmit(offer(to_everybody(encoding)))
        heard, known = (jnp.swapaxes(x, -3, -2) for x in (arrived.sent.any(-1, keepdims=True), arrived.content))
        graphs = self._graphs.count("learned")
        if self.scheduler == "sequence":
            logits = SequenceScheduler(graphs, name="scheduler")(known, heard[..., 0])
        else:
            heads = self.heads if self.scheduler == "attention" else 0
            logits = PairScheduler(graphs, heads, name="scheduler")(known, heard[..., 0])
        if transmit.training:  # the difference of two Gumbel variables is logistic
            logits = logits + jax.random.logistic(key, logits.shape)
        soft = jax.nn.sigmoid(logits)
        drawn = (logits > 0) + (soft - jax.lax.stop_gradient(soft))
        drawn = jnp.where(heard, jnp.moveaxis(self._with_loops(jnp.moveaxis(drawn, -1, 0)), 0, -1), 0.0)
        requests = transmit(offer(drawn, jax.lax.stop_gradient(drawn), bits=1.0))  # of the receiver to the sender
        asked = jnp.swapaxes(requests.content, -3, -2)
        return (asked > 0.5) + (asked - jax.lax.stop_gradient(asked))  # a bit that noise moved is rounded

    def _with_loops(self, graph: jax.Array) -> jax.Array:
        """[..., N, N] with the links of agents to themselves as `self_loops` says."""
        if self.self_loops == "learned":
            return graph
        return jnp.where(others(self.num_agents), graph, float(self.self_loops == "always"))

    def _attend(
        self, number: int, state: jax.Array, graph: jax.Array, transmit: Transmit
    ) -> tuple[jax.Array, jax.Array]:
        """One round: what is heard, [..., N, dims], and the weights of its first head, [..., N, N]."""
        additive = self.scores == "additive"
        heads = self.heads if additive and number < self.rounds - 1 else 1
        scores_of = (
            AdditiveScores(heads, name=f"scores_{number}")
            if additive
            else DotScores(self.key_size, name=f"scores_{number}")
        )
        values = Linear(self.dims, name=f"values_{number}")(state)
        asked = graph > 0.5
        content = jnp.where(asked[..., None], to_everybody(values), 0.0)

        def scores_for(content: jax.Array) -> jax.Array:  # [..., heads, N, N]
            return scores_of(content, values[..., None, :, :])

        could_arrive = (asked & transmit.reaches)[..., None, :, :]
        would_be = jax.lax.stop_gradient(attention(scores_for(content), could_arrive)).max(-3)
        messages = offer(content, jnp.broadcast_to(would_be[..., None], content.shape))
        arrived = transmit(messages._replace(sent=messages.sent & asked[..., None]))
        heard = arrived.sent.any(-1)
        weights = attention(scores_for(arrived.content), heard[..., None, :, :])
        summed = jnp.einsum("...hij,...ijhf->...jhf", weights, in_heads(arrived.content, heads))
        if self._graphs[number] != "complete":
            known = jax.lax.stop_gradient(jnp.where(heard[..., None], arrived.content, to_everybody(values)))
            scores = jax.lax.stop_gradient(scores_for(known))
            made = difference_of_links(scores, heard, in_heads(known, heads))
            learned = jnp.where(heard | ~asked, graph - jax.lax.stop_gradient(graph), 0.0)  # 0 but for its gradient
            summed = summed + jnp.einsum("...ijhf,...ij->...jhf", made, learned)
        return summed.reshape(values.shape), weights[..., 0, :, :]


def difference_of_links(scores: jax.Array, heard: jax.Array, messages: jax.Array) -> jax.Array:
    """What a receiver hears of messages by attention with a link open, less what it hears with it shut.

    Args:
      scores: [..., heads, N, N], sender before receiver; heard: [..., N, N] bool, which links are open.
      messages: [..., N, N, heads, F], what is said or would be, were the link open.

    Returns:
      [..., N, N, heads, F], for each link by itself, the others as they are.
    """
    is_open = heard[..., None, :, :]
    weights = attention(scores, is_open)
    all_heard = jnp.einsum("...hij,...ijhf->...jhf", weights, messages)[..., None, :, :, :]
    total = jax.nn.logsumexp(scores, axis=-2, keepdims=True, where=is_open)  # -inf where nobody is heard
    of_open, of_shut = weights / jnp.maximum(1 - weights, 1e-4), jax.nn.sigmoid(scores - total)
    change = jnp.moveaxis(jnp.where(is_open, of_open, of_shut), -3, -1)[..., None]  # [..., N, N, heads, 1]
    alone = (heard & (heard.sum(-2, keepdims=True) == 1))[..., None, None]
    return jnp.where(alone, messages, change * (messages - all_heard))
