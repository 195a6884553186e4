"""What all kinds of learner share: state, acting, and the guarded way from episodes to new parameters."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import jax
import jax.numpy as jnp
import optax

from marlcomm.agents import init_agent, run_agent
from marlcomm.envs.api import Observation
from marlcomm.learners.actions import Actions
from marlcomm.learners.config import LearnerConfig
from marlcomm.learners.episodes import ready_to_learn
from marlcomm.learners.schedules import Progress, decayed, progress_of
from marlcomm.learners.state import AgentMemory, Decision, LearnerState, learning_key
from marlcomm.learners.update import Loss, Metrics, choose, guarded_row, guarded_step, steps_left, weighted_sum
from marlcomm.losses import When
from marlcomm.messages.edit_schedules import EditSchedule, Moment, as_schedule
from marlcomm.messages.edits import Edit, split_delay
from marlcomm.types import Episodes, Messages, Scalar, TaskSpec

_EDITING = 3  # tells the keys of edit schedules from those that an unroll makes of the same key


class Intake(NamedTuple):
    """What a kind makes of new episodes, before it learns from them."""

    state: LearnerState  #: without what only `kept` holds
    draw: Callable[[jax.Array], tuple[Any, jax.Array]]  #: key -> a batch, and the key of its losses
    ready: jax.Array | bool = True  #: [] bool, whether there is a batch
    kept: Mapping[str, Any] = {}  #: goes into `extra` after the gradient steps, which would copy it


@dataclass(frozen=True, kw_only=True)
class Learner(abc.ABC):
    """How parameters move. Its methods are pure; its fields fix shapes and branches.

    This is what all kinds share. A kind says how actions are chosen (`actions`, `exploration`), which networks it has
    beside the agent (`init_networks`), what it keeps of episodes and which batches it learns from (`take_in`), and what
    it makes of a batch (`unroll_batch`, and its own `unroll`).

    Attributes:
      task: sizes of the task.
      agent: the network that all agents share: a flax module with the methods of `CommunicatingAgent`.
      losses: name -> loss over what `unroll` gives; each is weighted by `hparams.weights[name]`.
      optimizer: hyper-parameters -> optax transformation.
      config: what fixes shapes and branches.
      training_edit: what happens to messages in training, both when acting and when learning: an edit, an edit
        schedule, several of them, or None for nothing.
    """

    task: TaskSpec
    agent: Any
    losses: Mapping[str, Loss]
    optimizer: Callable[[Any], optax.GradientTransformation]
    config: LearnerConfig
    training_edit: EditSchedule | Edit | Sequence[EditSchedule | Edit] | None = None

    TITLE: ClassVar[str] = "this learner"  # what to call it
    CONTINUOUS: ClassVar[bool] = False  # whether it takes tasks whose actions are numbers

    def __post_init__(self) -> None:
        if self.task.continuous and not self.CONTINUOUS:
            raise ValueError(
                f"the task has continuous=True: {self.TITLE} chooses among {self.task.num_actions} actions; "
                "use maddpg, or make the task discrete"
            )

    @property
    @abc.abstractmethod
    def actions(self) -> Actions:
        """How the agents' outputs become actions."""

    @property
    @abc.abstractmethod
    def updates_per_step(self) -> int:
        """Gradient steps after every collection, at least 1."""

    @abc.abstractmethod
    def init_networks(self, key: jax.Array, memory: AgentMemory) -> dict[str, Any]:
        """Parameters of the networks beside the agent, by name; `memory` is that before the first step, B = 1."""

    def init_extra(self, params: Any) -> dict[str, Any]:
        """What the state has beside parameters, optimizer and counts: see `LearnerState.extra`."""
        return {}

    @abc.abstractmethod
    def exploration(self, state: LearnerState) -> jax.Array:
        """[] how much is explored at this point of training: what `act` is given."""

    def hparams_now(self, state: LearnerState, progress: Progress) -> Any:
        """The hyper-parameters with those that follow a schedule as they are now.

        Args:
          state: with the counts after the episodes that are learned from.
          progress: of the run before these.
        """
        h = state.hparams
        return h.replace(learning_rate=decayed(h.learning_rate, h.learning_rate_decay_to, progress))

    @abc.abstractmethod
    def take_in(self, state: LearnerState, episodes: Episodes, decisions: Decision | None, active: jax.Array) -> Intake:
        """What becomes of new episodes [B, ...] and of what stood behind their actions; [] `active` or not."""

    def loss_keys(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Of a batch's key, that of `unroll_batch` and that of the edit schedule."""
        return key, jax.random.fold_in(key, _EDITING)

    @abc.abstractmethod
    def unroll_batch(self, params: Any, state: LearnerState, batch: Any, key: jax.Array) -> tuple[Any, Episodes]:
        """What the networks make of a batch, for the losses, and the episodes in it.

        Args:
          params: to which gradient passes.
          state: with the hyper-parameters as they are now.
          batch: as `take_in` draws it.
          key: randomness of messages and edit.
        """

    def after_update(self, state: LearnerState, taken: jax.Array) -> LearnerState:
        """What follows a gradient step; [] `taken` or not."""
        return state

    def optimizer_of(self, hparams: Any) -> optax.GradientTransformation:
        """What moves all parameters."""
        return self.optimizer(hparams)

    @property
    def schedule(self) -> EditSchedule:
        """`training_edit` as an edit schedule."""
        return as_schedule(self.training_edit)

    def init(self, key: jax.Array, hparams: Any) -> LearnerState:
        """The state before the first step; `key` alone decides it and everything after it."""
        agent_key, networks_key, noise_key, key = jax.random.split(key, 4)
        n, memory = self.task.num_agents, self.initial_memory(1)
        inputs = self.inputs(jnp.zeros((1, n, self.task.observation_size)), memory.last_action)
        alive = jnp.ones((1, n), bool)
        agent = init_agent(self.agent, agent_key, memory.hidden, inputs, alive, noise_key)
        params = {"agent": agent, **self.init_networks(networks_key, memory)}
        edit = self.schedule.init()
        return LearnerState(
            params=params,
            optimizer=self.optimizer_of(hparams).init(params),
            key=key,
            hparams=jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), hparams),
            env_steps=jnp.int32(0),
            episodes=jnp.int32(0),
            updates=jnp.int32(0),
            healthy=jnp.bool_(True),
            extra=self.init_extra(params) | ({"edit": edit} if jax.tree.leaves(edit) else {}),
        )

    def initial_memory(self, *batch: int) -> AgentMemory:
        """Memory before the first step of an episode, with leading axes `batch`."""
        n = self.task.num_agents
        return AgentMemory(self.agent.initial_memory(*batch, n), self.actions.none(*batch, n))

    def inputs(self, agents_view: jax.Array, last_action: jax.Array) -> jax.Array:
        """[..., N, K] what the agents' network reads: see `agent_inputs`."""
        return agent_inputs(self.task, self.config, agents_view, last_action)

    def episode_inputs(self, episodes: Episodes) -> jax.Array:
        """[B, T+1, N, K] the same for whole episodes, with what was done before each step."""
        first = self.actions.none(episodes.action.shape[0], 1, self.task.num_agents)
        return self.inputs(episodes.agents_view, jnp.concatenate([first, episodes.action], 1))

    def run_episodes(
        self, params: Any, episodes: Episodes, key: jax.Array, edit: Edit | None, steps: slice = slice(None)
    ) -> tuple[jax.Array, Messages, dict[str, jax.Array]]:
        """What the agents make of some of the steps of episodes [B, ...], from empty memory, as they learn.

        Args:
          params: as `state.params`, of which the agent's are read.
          episodes: whole ones, or parts that need no memory of what was before.
          key: randomness of messages and edit.
          edit: what happens to the messages on their way.
          steps: which; by default all and the observation after them.

        Returns:
          outputs [B, T, N, A], messages and named arrays with leading axes [B, T].
        """
        inputs, alive, mask = self.episode_inputs(episodes), episodes.alive, episodes.action_mask[:, steps]
        given = inputs[:, steps], alive[:, steps], key, edit
        return run_agent(self.agent, params["agent"], *given, method="unroll", training=True, action_mask=mask)

    def act(
        self,
        params: Any,
        observation: Observation,
        memory: AgentMemory,
        key: jax.Array,
        exploration: Scalar = 0.0,
        edit: Edit | None = None,
        training: bool = False,
    ) -> tuple[jax.Array, AgentMemory, Decision]:
        """Actions of the team, [..., N], or [..., N, A] if continuous: its best, but for what explores.

        Args:
          params: `state.params`.
          observation: leading axes as those of `memory`.
          memory: from `initial_memory` or the last call.
          key: randomness of messages, edit and exploration; see `episode_keys`.
          exploration: 0 .. 1; see the learner's `actions`.
          edit: what happens to the messages on their way.
          training: whether the team trains; static, and read by channels only.
        """
        talk_key, *explore_keys = jax.random.split(key, 3)
        inputs, mask = self.inputs(observation.agents_view, memory.last_action), observation.action_mask
        given = memory.hidden, inputs, observation.alive, talk_key, edit
        hidden, outputs, messages, auxiliary = run_agent(
            self.agent, params["agent"], *given, method="step", training=training, action_mask=mask
        )
        scores = self.actions.scores(outputs, mask)
        action = self.actions.explore(outputs, mask, exploration, explore_keys)
        decision = Decision(scores, messages, auxiliary, for_all(talk_key, outputs.shape[:-2]))
        return action, AgentMemory(hidden, action), decision

    def edit(self, state: LearnerState) -> Edit | None:
        """What happens to messages in training at this point of it, both when acting and when learning."""
        return self.schedule.edit(state.extra.get("edit"))

    def learning_edit(self, state: LearnerState) -> Edit | None:
        """The same without its delays, which the agent's memory holds while it learns."""
        return split_delay(self.edit(state))[0]

    def in_training(self, state: LearnerState) -> tuple[Self, Edit | None]:
        """The learner as it acts in training, under the delays of its edit, and the edit without them."""
        return with_delay(self, self.edit(state))

    def learn(
        self, state: LearnerState, episodes: Episodes, decisions: Decision | None = None, total_steps: Scalar = math.inf
    ) -> tuple[LearnerState, Metrics]:
        """Takes in episodes [B, ...] and moves the parameters by `updates_per_step` gradient steps.

        Where a loss, a gradient or what would be stored is not finite, nothing is learned, and `healthy` becomes False.

        Args:
          state: from `init` or the last call.
          episodes: as many as `config.num_envs`, played with `playing_key(state)`; numpy arrays will do.
          decisions: what stood behind their actions, leading axes [B, T]. Only the on-policy learner reads it: all of
            them must have been drawn (`exploration` 1), and all B have acted together, with one key a step.
          total_steps: environment steps of the whole run. Once they are taken, or where the state is not healthy,
            everything stays as it is, but for contents of replay that the next active call overwrites.

        Returns:
          the new state, and metrics of the last gradient step: each loss by name, its own metrics as `loss/metric`, and
          `gradient_norm`.

        Raises:
          ValueError: episodes of other shapes or types, or no decisions where they are needed.
        """
        learner, _ = self.in_training(state)
        return learner._learn(state, ready_to_learn(self.task, self.config.num_envs, episodes), decisions, total_steps)

    def _learn(
        self, state: LearnerState, episodes: Episodes, decisions: Decision | None, total_steps: Scalar
    ) -> tuple[LearnerState, Metrics]:
        active = state.healthy & (state.env_steps < total_steps)
        taken = self.take_in(state, episodes, decisions, active)
        keys = jax.random.split(learning_key(state), 1 + self.updates_per_step)
        after = taken.state.replace(
            key=keys[0],
            env_steps=state.env_steps + episodes.valid.sum(dtype=jnp.int32),
            episodes=state.episodes + self.config.num_envs,
        )
        before = state.replace(extra={name: state.extra[name] for name in after.extra})
        played = choose(active, after, before)
        hparams = self.hparams_now(played, progress_of(state.env_steps, total_steps))
        ready = active & taken.ready

        def update(state: LearnerState, turn: tuple[jax.Array, jax.Array]) -> tuple[LearnerState, Metrics]:
            batch, loss_key = taken.draw(turn[0])
            return self.gradient_step(state, hparams, batch, loss_key, ready, turn[1])

        learned, metrics = guarded_row(update, played, (keys[1:], steps_left(self.updates_per_step)))
        return learned.with_extra(**taken.kept), metrics

    def gradient_step(
        self, state: LearnerState, hparams: Any, batch: Any, key: jax.Array, ready: jax.Array, left: jax.Array
    ) -> tuple[LearnerState, Metrics]:
        """One gradient step on a batch, with all that follows it.

        Args:
          state: without replay.
          hparams: as `hparams_now` gives them.
          batch: as `take_in` draws it.
          key: randomness of messages, edit and its schedule.
          ready: [] bool, whether there is anything to learn from.
          left: [] int32, gradient steps to come before episodes are played again.
        """
        unroll_key, edit_key = self.loss_keys(key)
        now = state.replace(hparams=hparams)

        def loss(params: Any) -> tuple[jax.Array, tuple[Metrics, Any]]:
            unroll, episodes = self.unroll_batch(params, now, batch, unroll_key)
            total, metrics = weighted_sum(self.losses, unroll, episodes, hparams, When(left, now.env_steps))
            return total, (metrics, self._next_edit(now, unroll, episodes, edit_key))

        gradient, (metrics, edit) = jax.grad(loss, has_aux=True)(state.params)
        learned, metrics, taken = guarded_step(state, self.optimizer_of(hparams), gradient, metrics, ready)
        learned = learned.with_extra(**{name: choose(taken, new, state.extra[name]) for name, new in edit.items()})
        return self.after_update(learned, taken), metrics

    def _next_edit(self, state: LearnerState, unroll: Any, episodes: Episodes, key: jax.Array) -> dict[str, Any]:
        if "edit" not in state.extra:
            return {}
        moment = Moment(unroll.messages, episodes, state.env_steps, state.hparams.training_edit, key)
        return {"edit": self.schedule.update(state.extra["edit"], moment)}


def agent_inputs(task: TaskSpec, config: LearnerConfig, agents_view: jax.Array, last_action: jax.Array) -> jax.Array:
    """[..., N, K] what the agents' network reads: the view, and by `config` the last action and the id.

    Args:
      task: its sizes.
      config: with the flags `last_action` and `agent_id`.
      agents_view: [..., N, O]; last_action: as in `AgentMemory`.
    """
    parts = [agents_view]
    if config.last_action:
        discrete = jnp.issubdtype(last_action.dtype, jnp.integer)
        parts.append(jax.nn.one_hot(last_action, task.num_actions, dtype=jnp.float32) if discrete else last_action)
    if config.agent_id:
        n = task.num_agents
        parts.append(jnp.broadcast_to(jnp.eye(n, dtype=jnp.float32), (*agents_view.shape[:-1], n)))
    return jnp.concatenate(parts, -1)


def with_delay(learner: Any, edit: Edit | None) -> tuple[Any, Edit | None]:
    """The learner under the delays of an edit, and the edit without them.

    What is under way is part of an agent's memory, which must know of it from the first step; parameters do not change.
    What is longer under way than an episode lasts never arrives: no delay needs to be longer.
    """
    edit, steps = split_delay(edit)
    if not steps:
        return learner, edit
    channel = learner.agent.channel
    delay = min(channel.delay + steps, learner.task.horizon + 1)  # what is seen after the last step is a place, too
    return replace(learner, agent=learner.agent.clone(channel=channel.clone(delay=delay))), edit


def for_all(key: jax.Array, batch: tuple[int, ...]) -> jax.Array:
    """One key for everything with leading axes `batch`, as a record of it."""
    return jnp.broadcast_to(key, (*batch, *key.shape))
