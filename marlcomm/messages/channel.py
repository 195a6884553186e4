"""The interface of a channel: what is sent, what each number is worth, and what receivers make of what arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from marlcomm.types import BroughtLoss, Messages, overhead_paid
from marlcomm.types import bits_sent as bits_sent
from marlcomm.validation import UsageError

BITS_PER_REAL = 32.0

Reported = dict[str, jax.Array]  # named arrays for losses, leading axes as those of the inputs


class Heard(NamedTuple):
    """What receivers make of the messages of a step."""

    features: jax.Array | None = None  #: [..., N, M] what a receiver's network reads beside its input; None for M = 0
    action_values: jax.Array | None = None  #: [..., N, A] added to the receiver's own scores; None for nothing
    state: Any = None  #: what the channel carries to the next step, like `Channel.initial_state`; None for nothing


Received = Heard | jax.Array  # an array is `Heard(features=array)`


class Transmit(Protocol):
    """What a channel talks through: see `marlcomm.messages.transmission.Transmission`, of which a channel sees this."""

    alive: jax.Array  # [..., N] bool
    state: Any  # what the channel carried over from the last step
    training: bool  # static: True while the team trains, False while it is evaluated
    action_mask: jax.Array | None  # [..., N, A] bool; only after the memory, and None where nobody says so
    delay: int  # static: steps that a message is under way
    reaches: jax.Array  # [..., N, N] bool, sender first: who can tell whom something now, by graph and who is alive

    def __call__(self, messages: Messages) -> Messages:
        """One round: what arrives of the messages [..., N, N, D]."""
        ...

    def left(self) -> jax.Array:
        """[..., N, N, D] bool: what left the senders in the last round, by its cuts and bandwidth; some may be lost."""
        ...

    def scores(self, heard: Received | None = None) -> jax.Array:
        """[..., N, A] what agents would think of their actions, had they heard this; only after the memory."""
        ...

    def through(self, change: Callable[[Messages], Messages]) -> Transmit:
        """The same for a channel inside another: what it offers passes through `change` first."""
        ...


ChannelLoss = BroughtLoss  # what a channel brings to whatever it is part of


class Channel(nn.Module, kw_only=True):
    """How agents talk. Subclass it, write `send` and `receive` (layers in `setup`), and pass an instance.

    An algorithm fills in the four sizes before use, so an instance is written without them. The attributes below are
    given by name; a subclass's own may be given by place. A channel writes `talk` instead where agents talk in several
    rounds within a step, receivers read their memory too, or something is carried from step to step.
    `marlcomm.check_channel` says whether a channel keeps all that is asked of it.

    Attributes:
      num_agents: N.
      num_actions: A.
      input_size: K.
      state_size: S, for channels that predict the global state in training.
      reads_memory: True if the channel reads the agents' hidden memory of earlier steps; it then runs inside the scan
        over time. Channels that read inputs only run once over all steps, which is faster.
      graph: [N, N] who can reach whom, sender first, such as `within_reach(5, 1)`, or a word for it, such as
        "within_reach:1"; None for everybody. Agents always hear themselves.
      delay: steps that a message is under way; 0 for messages that arrive at the step in which they are sent. Agents
        hear themselves at once.
      bandwidth: entries that an agent may send at a step, over all receivers and rounds; the most important ones go,
        with a mask that tells which. An entry counts whatever it costs, and earlier rounds come first: it must exceed
        `entries_of_requests`. None for no cap.
      after_memory: False talks before the agents' memory is updated, and what is heard is remembered. True talks after
        it: the channel is given the memory of this step, its own input included, and only the action values hear what
        is said. Nothing heard is remembered, so all steps are run at once, outside the scan over time.
    """

    num_agents: int = 0
    num_actions: int = 0
    input_size: int = 0
    state_size: int = 0
    reads_memory: bool = False
    graph: str | Sequence[Sequence[bool]] | np.ndarray | None = None
    delay: int = 0
    bandwidth: int | None = None
    after_memory: bool = False

    says_numbers: ClassVar[bool] = True  # False: symbols alone, so that there is nothing to quantize

    def __post_init__(self) -> None:
        _check_whole("delay", self.delay, "a message is under way for a whole number of steps, 0 or more")
        if self.bandwidth is not None:
            _check_whole(
                "bandwidth", self.bandwidth, "must be a whole number of entries, 0 or more, or None for no cap"
            )
        if isinstance(self.graph, str):
            self.graph = _graph_of_word(self.graph, self.num_agents)
        elif self.graph is not None:
            self.graph = _checked_graph(self.graph, self.num_agents)
        super().__post_init__()
        requests = self.entries_of_requests if self.num_agents and self.bandwidth else 0
        if self.bandwidth and self.bandwidth <= requests:
            raise UsageError(
                f"bandwidth is {self.bandwidth}, and {type(self).__name__} needs up to {requests} entries of an agent "
                f"to ask for messages: must be at least {requests + 1}, or None for no cap."
            )

    @property
    def entries_of_requests(self) -> int:
        """Entries that an agent may send at a step before any of the rounds in which what is asked for is sent."""
        return 0

    def initial_state(self, *batch: int) -> Any:
        """What the channel carries from step to step, as it is before the first: a pytree of arrays `[*batch, ...]`.

        None for nothing (the default). `batch` ends with N. A channel that carries something runs inside the scan over
        time; in `talk` it reads `transmit.state`, and gives the next in `Heard.state`.
        """
        return None

    def exceptions(self) -> Mapping[str, str]:
        """Clauses of the contract (`check_channel`) that this channel cannot keep -> why, in a sentence."""
        return {}

    @property
    def learns_apart(self) -> bool:
        """Whether its parameters learn from its own losses only: they are then moved by an Adam of their own."""
        return False

    @property
    def step_by_step(self) -> bool:
        """Whether what is said depends on what was heard at earlier steps: then it runs inside the scan over time."""
        if self.reads_memory and not self.after_memory:
            return True
        return self.initial_state(1, self.num_agents) is not None

    def send(self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array) -> tuple[Messages, Reported]:
        """What every agent offers to every agent.

        Args:
          inputs: [..., N, K] what each agent sees now.
          memory: [..., N, H] each agent's memory, of earlier steps or, with `after_memory`, of this step too. None
            unless the channel is asked to read it.
          key: randomness for sampled messages.

        Returns:
          the messages (leading axes as those of `inputs`) and named arrays for losses, with the same leading axes.
        """
        raise TypeError(f"{type(self).__name__} must define send(inputs, memory, key)")

    def receive(self, inputs: jax.Array, messages: Messages) -> tuple[Received, Reported]:
        """What each receiver makes of what arrives.

        Args:
          inputs: [..., N, K] what each receiver sees now.
          messages: after edits; `content` is already zero wherever `sent` is False.

        Returns:
          [..., N, M] what each receiver's network reads, or `Heard`; and named arrays for losses.
        """
        raise TypeError(f"{type(self).__name__} must define receive(inputs, messages)")

    @nn.nowrap
    def losses(self) -> Mapping[str, ChannelLoss]:
        """The losses that train what no other loss reaches, by name; they join those of the learner."""
        return {}

    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[Received, Reported]:
        """A whole step's talk: one round of `send` and `receive`, unless a channel writes its own.

        Args:
          inputs, memory, key: as for `send`.
          transmit: gives what arrives of the messages that one round offers. All that passes between agents must go
            through it: it keeps to the graph, to edits and to who is alive, and counts the bits of every round.

        Returns:
          as `receive`.
        """
        messages, sent = self._pair("send", "Messages", self.send(inputs, memory, key))
        received, heard = self._pair("receive", "what is heard", self.receive(inputs, transmit(messages)))
        return received, {**sent, **heard}

    @nn.nowrap
    def _pair(self, method: str, first: str, given: Any) -> tuple[Any, Reported]:
        """What a method returned, if it is a pair as asked; a second value is easily forgotten."""
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping):
            return given
        raise UsageError(
            f"{type(self).__name__}.{method} must return {first} and a dict of what it reports for losses, {{}} for "
            f"nothing; it returns {type(given).__name__}"
        )


def as_heard(received: Received) -> Heard:
    """What a channel gave, as `Heard`."""
    return received if isinstance(received, Heard) else Heard(received)


def offer(content: jax.Array, importance: jax.Array | None = None, bits: float = BITS_PER_REAL) -> Messages:
    """Messages in which everything is sent, `bits` bits an entry.

    Args:
      content: [..., N, N, D], sender before receiver.
      importance: the same shape; by default the absolute content.
      bits: price of one entry: 32 for a real number, log2 M for a label of a vocabulary of M.
    """
    return Messages(
        content=content,
        importance=jnp.abs(content) if importance is None else importance,
        sent=jnp.ones(content.shape, bool),
        price=jnp.full(content.shape, bits, jnp.float32),
        overhead=jnp.zeros(content.shape[:-1], jnp.float32),
    )


def deliver(messages: Messages, alive: jax.Array, links: jax.Array | None = None) -> Messages:
    """What arrives: nothing from or to agents that are not alive or where there is no link, and zero content where
    nothing was sent. What was lost does not arrive, and is paid for.

    Args:
      messages: [..., N, N, D]; alive: [..., N] bool; links: [N, N] bool, None for all.
    """
    open_pairs = alive[..., :, None] & alive[..., None, :]
    open_pairs = open_pairs if links is None else open_pairs & links
    sent, overhead = messages.sent & open_pairs[..., None], overhead_paid(messages)
    if messages.lost is not None:
        overhead = overhead + jnp.where(sent & messages.lost, messages.price, 0.0).sum(-1)
        sent = sent & ~messages.lost
    return messages._replace(
        content=jnp.where(sent, messages.content, 0.0),
        importance=jnp.where(open_pairs[..., None], messages.importance, 0.0),
        sent=sent,
        overhead=jnp.where(open_pairs, overhead, 0.0),
        mask=None,
        lost=None,
        numbers=None,
    )


def said_by_channel(messages: Messages) -> jax.Array:
    """[..., N, N, D] bool: what the channel sent of its own accord, whatever edits then cut."""
    return messages.sent if messages.offered is None else messages.offered


def seen_by(inputs: jax.Array, memory: jax.Array | None) -> jax.Array:
    """[..., N, K] or, with memory, [..., N, K+H]: what an agent knows when it talks."""
    return inputs if memory is None else jnp.concatenate([inputs, memory], -1)


def to_everybody(word: jax.Array) -> jax.Array:
    """[..., N, D] one message of each sender -> [..., N, N, D]: the same to every receiver."""
    n = word.shape[-2]
    return jnp.broadcast_to(word[..., :, None, :], (*word.shape[:-1], n, word.shape[-1]))


def by_receiver(content: jax.Array) -> jax.Array:
    """[..., N, N, D] sender first -> [..., N, N*D]: each receiver's row of what all senders told it."""
    swapped = jnp.swapaxes(content, -3, -2)
    return swapped.reshape(*swapped.shape[:-2], -1)


def within_reach(num_agents: int, reach: int) -> np.ndarray:
    """[N, N] bool: a graph of agents in a row, each of which reaches those at most `reach` places away."""
    place = np.arange(num_agents)
    return np.abs(place[:, None] - place) <= reach


def _check_whole(name: str, value: Any, right: str) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
        raise UsageError(f"{name} is {value!r}: {right}")


def _graph_of_word(word: str, num_agents: int) -> Any:
    """The graph that a word stands for; the word itself as long as the number of agents is not known."""
    name, _, number = word.partition(":")
    if name != "within_reach" or not number.isdecimal():
        raise UsageError(f"graph={word!r} must be a word such as 'within_reach:1', or rows of who reaches whom.")
    return _checked_graph(within_reach(num_agents, int(number)), num_agents) if num_agents else word


def _checked_graph(graph: Sequence[Sequence[bool]] | np.ndarray, num_agents: int) -> tuple[tuple[bool, ...], ...]:
    try:
        rows = tuple(tuple(bool(entry) for entry in row) for row in graph)  # tuples can be hashed, arrays cannot
    except TypeError:
        raise UsageError(
            f"graph={graph!r} must be rows of who reaches whom, or a word such as 'within_reach:1'."
        ) from None
    size = num_agents or len(rows)
    if len(rows) != size or any(len(row) != size for row in rows):
        raise ValueError(f"graph has {len(rows)} rows of {sorted({len(row) for row in rows})}: must be {size} x {size}")
    return rows
