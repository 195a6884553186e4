"""The communicating agent, shared by the team: input layer, GRU, head, and a channel before or after the memory."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.messages.channel import Channel, Heard, Reported
from marlcomm.messages.edits import Edit
from marlcomm.messages.transmission import Transmission, checked_heard
from marlcomm.networks.layers import GRU, MLP, Linear
from marlcomm.types import Messages


class TeamMemory(NamedTuple):
    """What a team carries from step to step where its channel carries something, too."""

    hidden: jax.Array  #: [..., N, H] float32
    under_way: tuple[Messages, ...] = ()  #: as sent 1, 2, ... steps ago, where messages take time
    channel: Any = None  #: the channel's own state, as `Channel.initial_state` gives it


class _Given(NamedTuple):
    """What a team is given at all steps, time first."""

    inputs: jax.Array  # [T, B, N, K]
    alive: jax.Array  # [T, B, N] bool
    mask: jax.Array | None  # [T, B, N, A] bool


Memory = jax.Array | TeamMemory  # [..., N, H] alone, where the channel carries nothing


class CommunicatingAgent(nn.Module):
    """Recurrent action-value network (or policy) of agents that talk; one set of parameters for the team.

    Where a channel talks *before* the memory (the default), the GRU reads the input and what was heard::

      memory' = GRU(memory, relu(input_layer [input, heard]))       scores = head memory'

    Where it talks *after* the memory (`Channel.after_memory`), messages are made from what agents remember now, and
    only the head hears them::

      memory' = GRU(memory, relu(input_layer input))   scores = head(memory' + listener [memory', heard])

    In both, a channel may add to the scores (`Heard.action_values`). Messages reach the receivers at the step in which
    they are made, or as much later as the channel's `delay` says. Either way, they are reported, and paid for, at the
    step in which they are sent.

    Parameters: `input_layer` (Linear, K + M -> H; K -> H after the memory), `recurrent` (`GRU`, H -> H), `listener`
    (MLP, H + M -> H -> H; only after the memory), `head` (Linear, H -> A), `channel` (the channel's own).
    `marlcomm.agents.torch_layout` says what they are called elsewhere.

    Attributes:
      channel: how the agents talk.
      num_actions: A.
      hidden: H, units of the input layer and of the memory.
    """

    channel: Channel
    num_actions: int
    hidden: int = 64

    def setup(self) -> None:
        self.input_layer = Linear(self.hidden)
        self.recurrent = GRU(self.hidden)
        self.head = Linear(self.num_actions)
        if self.channel.after_memory:
            self.listener = MLP((self.hidden, self.hidden))

    @property
    def memory_size(self) -> int:
        """H of the memory."""
        return self.hidden

    def initial_memory(self, *batch: int) -> Memory:
        """`[*batch, H]` zeros, where `batch` ends with N, with nothing under way and the channel's initial state."""
        hidden = jnp.zeros((*batch, self.memory_size), jnp.float32)
        memory = TeamMemory(hidden, (), self.channel.initial_state(*batch))
        if self.channel.delay:
            memory = memory._replace(under_way=(self._nothing_sent(memory),) * self.channel.delay)
        return memory if self.channel.delay or memory.channel is not None else hidden

    def step(
        self,
        memory: Memory,
        inputs: jax.Array,
        alive: jax.Array,
        key: jax.Array,
        edit: Edit | None = None,
        *,
        training: bool = False,
        action_mask: jax.Array | None = None,
    ) -> tuple[Memory, jax.Array, Messages, Reported]:
        """One step, for acting.

        Args:
          memory: as `initial_memory` gives it.
          inputs: [..., N, K].
          alive: [..., N] bool.
          key: randomness of messages and edit.
          edit: what happens to messages on their way; None for nothing.
          training: whether the team trains; static, and read by channels only.
          action_mask: [..., N, A] bool, for channels that talk after the memory.

        Returns:
          memory; scores [..., N, A], action values or logits; the messages as sent, after edits; and what the channel
          reports.
        """
        carried = memory if isinstance(memory, TeamMemory) else TeamMemory(memory)
        talk = functools.partial(
            self._talk,
            inputs,
            alive,
            key,
            edit,
            under_way=carried.under_way[-1] if carried.under_way else None,
            state=carried.channel,
            training=training,
        )
        if self.channel.after_memory:
            hidden = self._remember(carried.hidden, inputs)
            heard, messages, reported = talk(hidden, action_mask=action_mask)
            scores = self._scores(hidden, heard)
        else:
            heard, messages, reported = talk(carried.hidden if self.channel.reads_memory else None)
            hidden, scores = self._think(carried.hidden, inputs, heard)
        if not isinstance(memory, TeamMemory):
            return hidden, scores, messages, reported
        under_way = (messages, *carried.under_way[:-1]) if carried.under_way else ()
        return TeamMemory(hidden, under_way, heard.state), scores, messages, reported

    def unroll(
        self,
        inputs: jax.Array,
        alive: jax.Array,
        key: jax.Array,
        edit: Edit | None = None,
        *,
        training: bool = False,
        action_mask: jax.Array | None = None,
    ) -> tuple[jax.Array, Messages, Reported]:
        """Whole episodes from empty memory, for learning.

        Args:
          inputs: [B, T, N, K]; alive: [B, T, N] bool; action_mask: [B, T, N, A] bool.
          key, edit, training: as for `step`.

        Returns:
          scores [B, T, N, A], messages and what the channel reports with leading axes [B, T].
        """
        mask = action_mask if self.channel.after_memory else None  # nobody else reads it
        given = _Given(inputs, alive, mask)
        given = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), given)  # as the scan wants it
        unrolled = self._step_by_step if self.channel.step_by_step else self._at_once
        outputs = unrolled(given, key, edit, training)
        return jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), outputs)

    def _at_once(
        self, given: _Given, key: jax.Array, edit: Edit | None, training: bool
    ) -> tuple[jax.Array, Messages, Reported]:
        """The talk of all steps as one batch: nothing that is heard is needed to go on talking."""
        inputs, alive, mask = given
        talk = functools.partial(self._talk, inputs, alive, key, _each_step(edit, inputs.shape[0]), training=training)
        if self.channel.after_memory:
            hidden = self._remember_through(inputs)
            heard, messages, reported = talk(hidden, action_mask=mask)
            return self._scores(hidden, heard), messages, reported
        heard, messages, reported = talk(None)
        return self._think_through(inputs, heard), messages, reported

    def _step_by_step(
        self, given: _Given, key: jax.Array, edit: Edit | None, training: bool
    ) -> tuple[jax.Array, Messages, Reported]:
        """Step after step, in the scan over time: what is said depends on what was heard."""

        def step(module: CommunicatingAgent, memory: Memory, now: _Given, key: jax.Array) -> tuple[Memory, tuple]:
            inputs, alive, mask = now
            memory, *outputs = module.step(memory, inputs, alive, key, edit, training=training, action_mask=mask)
            return memory, tuple(outputs)

        memory = self.initial_memory(*given.inputs.shape[1:3])
        scan = nn.scan(step, variable_broadcast="params", split_rngs={"params": False}, in_axes=0, out_axes=0)
        _, outputs = scan(self, memory, given, jax.random.split(key, given.inputs.shape[0]))
        return outputs

    def _talk(
        self,
        inputs: jax.Array,
        alive: jax.Array,
        key: jax.Array,
        edit: Edit | None,
        memory: jax.Array | None,
        **given: Any,
    ) -> tuple[Heard, Messages, Reported]:
        """What agents hear, what was sent, and what the channel reports; `given` is what `Transmission` takes."""
        talk_key, edit_key = jax.random.split(key)
        scores = functools.partial(self._scores, memory) if self.channel.after_memory and memory is not None else None
        transmit = Transmission(self.channel, alive, edit_key, edit, scores=scores, **given)
        received, reported = self.channel.talk(inputs, memory, talk_key, transmit)
        messages = transmit.account()
        return checked_heard(self.channel, received, alive, transmit.state), messages, reported

    def _think(self, hidden: jax.Array, inputs: jax.Array, heard: Heard) -> tuple[jax.Array, jax.Array]:
        """One step of an agent that remembers what it hears: memory and scores."""
        hidden = self.recurrent.step(hidden, self._project(inputs, heard))
        return hidden, plus(self.head(hidden), heard)

    def _think_through(self, inputs: jax.Array, heard: Heard) -> jax.Array:
        """All steps of it, time first, from empty memory: scores."""
        hidden = self.recurrent.unroll(self._empty(inputs), self._project(inputs, heard))
        return plus(self.head(hidden), heard)

    def _remember(self, hidden: jax.Array, inputs: jax.Array) -> jax.Array:
        """One step of an agent that remembers only what it sees: memory."""
        return self.recurrent.step(hidden, self._project(inputs))

    def _remember_through(self, inputs: jax.Array) -> jax.Array:
        """All steps of it, time first, from empty memory: memories."""
        return self.recurrent.unroll(self._empty(inputs), self._project(inputs))

    def _scores(self, hidden: jax.Array, heard: Heard | None = None) -> jax.Array:
        """What it makes of its memory and of what it hears; `None` for nothing."""
        if heard is not None and heard.features is not None and heard.features.shape[-1]:
            hidden = hidden + self.listener(beside(hidden, heard))
        return plus(self.head(hidden), heard)

    def _project(self, inputs: jax.Array, heard: Heard | None = None) -> jax.Array:
        return self.recurrent.project(nn.relu(self.input_layer(beside(inputs, heard))))

    def _empty(self, inputs: jax.Array) -> jax.Array:
        return jnp.zeros((*inputs.shape[1:3], self.hidden), jnp.float32)

    def _nothing_sent(self, memory: TeamMemory) -> Messages:
        """Messages like those of a step, in which nothing is sent."""
        channel = self.channel.clone(delay=0, parent=None)
        prompt = self.clone(channel=channel, parent=None)
        lead = memory.hidden.shape[:-1]
        inputs, alive = jnp.zeros((*lead, self.channel.input_size)), jnp.ones(lead, bool)

        def sent(key: jax.Array) -> Messages:
            start = memory.hidden if memory.channel is None else memory
            return prompt.init_with_output(key, start, inputs, alive, key, method="step")[0][2]

        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(sent, jax.random.key(0)))


def run_agent(
    agent: Any,
    params: Any,
    *given: Any,
    method: str,
    training: bool = False,
    action_mask: jax.Array | None = None,
) -> tuple:
    """What an agent's `step` or `unroll` gives.

    Agents of your own that are no `CommunicatingAgent` need not know of training and action masks: they are not told.

    Args:
      agent: a flax module with the methods of `CommunicatingAgent`.
      params: its parameters.
      *given: the arguments of the method, without `training` and `action_mask`.
      method: "step" or "unroll".
      training, action_mask: as for `CommunicatingAgent.step`.
    """
    known = {"training": training, "action_mask": action_mask} if isinstance(agent, CommunicatingAgent) else {}
    return agent.apply(params, *given, method=method, **known)


def init_agent(
    agent: Any, key: jax.Array, memory: Any, inputs: jax.Array, alive: jax.Array, noise_key: jax.Array
) -> Any:
    """Parameters of an agent, also those that a channel needs in training only; arguments as for `run_agent`'s step."""
    known = {"training": True} if isinstance(agent, CommunicatingAgent) else {}
    return agent.init(key, memory, inputs, alive, noise_key, None, method="step", **known)


def beside(x: jax.Array, heard: Heard | None) -> jax.Array:
    """[..., F] -> [..., F+M]: with the features that are heard."""
    return x if heard is None or heard.features is None else jnp.concatenate([x, heard.features], -1)


def plus(scores: jax.Array, heard: Heard | None) -> jax.Array:
    """[..., N, A] scores, with what a channel adds to them."""
    return scores if heard is None or heard.action_values is None else scores + heard.action_values


def _each_step(edit: Edit | None, steps: int) -> Edit | None:
    """The edit applied to each of `steps` steps by itself: edits compare environments, not times."""
    if edit is None:
        return None
    return lambda messages, key: jax.vmap(edit)(messages, jax.random.split(key, steps))
