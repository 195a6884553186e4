"""The value learner: recurrent double Q-learning on whole episodes, for any channel and mixer."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import optax
from flax import struct

from marlcomm.envs.api import Environment, Observation
from marlcomm.learners.episodes import ready_to_learn
from marlcomm.learners.joint_critic import evaluate_joint_critic
from marlcomm.learners.learner import (
    AgentMemory,
    Decision,
    Loss,
    agent_inputs,
    choose,
    explored,
    for_all,
    guarded_row,
    guarded_step,
    keep_pointers,
    learning_rate_now,
    linear_exploration,
    require_discrete,
    share_done,
    steps_left,
    weighted_sum,
)
from marlcomm.learners.replay import EpisodeReplay
from marlcomm.losses.temporal_difference import double_q_target
from marlcomm.messages.channel import said_by_channel
from marlcomm.messages.edits import CutBelow, Edit, chain_edits, importance_quantile, pairs_at_work
from marlcomm.types import Episodes, JointCriticOutput, JointQ, Messages, Scalar, Unroll


@dataclass(frozen=True)
class ValueConfig:
    """What fixes a shape or a branch; a change recompiles. The defaults are PyMARL's and NDQ's.

    Attributes:
      num_envs: B, environments played at once; each step of training plays one episode in every one.
      batch_episodes: episodes in a learning batch.
      replay_episodes: episodes kept for replay.
      updates_per_step: gradient steps after every collection.
      target_interval: gradient steps between copies into the target network (0: moved softly by `target_rate`).
      agent_id: whether an agent's input carries its id.
      last_action: whether it carries its own last action.
      cut_in_training: whether a random share of the messages, the least important, is cut while training.
    """

    num_envs: int = 16
    batch_episodes: int = 32
    replay_episodes: int = 5000
    updates_per_step: int = 1
    target_interval: int = 13
    agent_id: bool = True
    last_action: bool = False
    cut_in_training: bool = False

    def __post_init__(self) -> None:
        for name in ("num_envs", "batch_episodes", "replay_episodes", "updates_per_step"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: must be at least 1")
        if self.target_interval < 0:
            raise ValueError(f"target_interval is {self.target_interval}: must be at least 0 (0 for soft updates)")
        if self.replay_episodes < max(self.batch_episodes, self.num_envs):
            raise ValueError(
                f"replay_episodes is {self.replay_episodes}: must hold at least batch_episodes "
                f"({self.batch_episodes}) and num_envs ({self.num_envs}) episodes"
            )


class ValueHParams(struct.PyTreeNode):
    """Numbers that may be traced: a sweep over them is a vmap, never a recompile."""

    learning_rate: Scalar = 5e-4
    learning_rate_decay_to: Scalar = 1.0  #: share of it that is left at the end, falling over the run's second half
    discount: Scalar = 0.99
    gradient_clip: Scalar = 10.0  #: global norm; 0: no clipping
    exploration_start: Scalar = 1.0  #: exploration: share of random actions, linear in environment steps
    exploration_final: Scalar = 0.05
    exploration_steps: Scalar = 50_000
    target_rate: Scalar = 0.01  #: only where target_interval is 0
    overestimate_weight: Scalar = 1.0  #: of errors above an episode's outcome; 1 once exploration is at its finish
    cut_share: Scalar = 0.95  #: the largest share that is cut, where cut_in_training
    cut_start: Scalar = 300_000  #: environment steps before cutting begins; after twice as many it is in full force
    weights: Mapping[str, Scalar] = struct.field(default_factory=dict)  #: loss name -> weight

    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = {
        "learning_rate": (0.0, math.inf),
        "learning_rate_decay_to": (0.0, 1.0),
        "discount": (0.0, 1.0),
        "gradient_clip": (0.0, math.inf),
        "exploration_start": (0.0, 1.0),
        "exploration_final": (0.0, 1.0),
        "exploration_steps": (1.0, math.inf),
        "target_rate": (0.0, 1.0),
        "overestimate_weight": (0.0, 1.0),
        "cut_share": (0.0, 1.0),
        "cut_start": (1.0, math.inf),
    }


class TrainState(struct.PyTreeNode):
    """Everything a run is: saving this and loading it again changes nothing that follows."""

    params: Any  # {"agent": ..., "mixer": ...}
    target_params: Any
    optimizer: Any
    replay: Any
    key: jax.Array
    hparams: ValueHParams
    env_steps: jax.Array  # [] int32, real environment steps played
    episodes: jax.Array  # [] int32
    updates: jax.Array  # [] int32, gradient steps taken
    cut_below: jax.Array  # [] float32, the threshold of importance that training cuts below now
    healthy: jax.Array  # [] bool, False once a loss was not finite: the member then stays as it was


@dataclass(frozen=True)
class ValueLearner:
    """Recurrent double Q-learning for a communicating agent and a mixer.

    Attributes:
      env: the task; only its sizes are read, but for replay's shapes.
      agent: the network that all agents share: a flax module with the methods of `CommunicatingAgent`.
      mixer: a flax module [..., N] values, [..., S] state -> [..., G]; its field `team` says whether G is 1.
      losses: name -> loss; each is weighted by `hparams.weights[name]`.
      optimizer: hyper-parameters -> optax transformation.
      config: what fixes shapes and branches.
      training_edit: what happens to messages in training, both when acting and when learning.
      joint_critic: a flax module such as `JointCritic` that judges joint actions for losses that ask; None for none.
    """

    env: Environment
    agent: Any
    mixer: Any
    losses: Mapping[str, Loss]
    optimizer: Callable[[ValueHParams], optax.GradientTransformation]
    config: ValueConfig
    training_edit: Edit | None = None
    joint_critic: Any = None

    def __post_init__(self) -> None:
        require_discrete(self.env, "the value learner")

    def init(self, key: jax.Array, hparams: ValueHParams) -> TrainState:
        """The state before the first step; `key` alone decides it and everything after it."""
        agent_key, mixer_key, noise_key, key = jax.random.split(key, 4)
        joint_critic_key = jax.random.fold_in(mixer_key, 1)  # so that nothing changes where there is none
        n, size = self.env.num_agents, self.env.observation_size
        inputs = self._inputs(jnp.zeros((1, n, size)), jnp.full((1, n), -1))
        memory = self.agent.initial_memory(1, n)
        alive = jnp.ones((1, n), bool)
        agent = self.agent.init(agent_key, memory, inputs, alive, noise_key, None, method="step")
        mixer = self.mixer.init(mixer_key, jnp.zeros((1, n)), jnp.zeros((1, self.env.state_size)))
        params = {"agent": agent, "mixer": mixer}
        if self.joint_critic is not None:
            views, action = jnp.zeros((1, n, size)), jnp.zeros((1, n, self.env.num_actions))
            params["joint_critic"] = self.joint_critic.init(joint_critic_key, views, action)
        return TrainState(
            params=params,
            target_params=jax.tree.map(jnp.copy, params),
            optimizer=self.optimizer(hparams).init(params),
            replay=self._replay.init(),
            key=key,
            hparams=jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), hparams),
            env_steps=jnp.int32(0),
            episodes=jnp.int32(0),
            updates=jnp.int32(0),
            cut_below=jnp.float32(0.0),
            healthy=jnp.bool_(True),
        )

    def initial_memory(self, *batch: int) -> AgentMemory:
        """Memory before the first step, with leading axes `batch`."""
        n = self.env.num_agents
        return AgentMemory(self.agent.initial_memory(*batch, n), jnp.full((*batch, n), -1, jnp.int32))

    def act(
        self,
        params: Any,
        observation: Observation,
        memory: AgentMemory,
        key: jax.Array,
        exploration: Scalar = 0.0,
        edit: Edit | None = None,
    ) -> tuple[jax.Array, AgentMemory, Decision]:
        """Actions [..., N] of the team: greedy, but for a share `exploration` of random allowed ones.

        Args:
          params: `state.params`.
          observation: leading axes as those of `memory`.
          memory: from `initial_memory` or the last call.
          key: randomness of messages, edit and exploration.
          exploration: 0 .. 1.
          edit: what happens to the messages on their way.
        """
        talk_key, explore_key = jax.random.split(key)
        inputs = self._inputs(observation.agents_view, memory.last_action)
        hidden, q, messages, auxiliary = self.agent.apply(
            params["agent"], memory.hidden, inputs, observation.alive, talk_key, edit, method="step"
        )
        allowed = observation.action_mask
        chance = jax.random.uniform(explore_key, (*q.shape[:-1], q.shape[-1] + 1))
        greedy = jnp.argmax(jnp.where(allowed, q, -jnp.inf), -1)
        random = jnp.argmax(jnp.where(allowed, chance[..., :-1], -1.0), -1)
        action = jnp.where(chance[..., -1] < exploration, random, greedy).astype(jnp.int32)
        return action, AgentMemory(hidden, action), Decision(q, messages, auxiliary, for_all(talk_key, q.shape[:-2]))

    def exploration(self, state: TrainState) -> jax.Array:
        """[] the share of random actions at this point of training."""
        return linear_exploration(state)

    def edit(self, state: TrainState) -> Edit | None:
        """What happens to messages in training at this point of it, both when acting and when learning."""
        cut = [CutBelow(state.cut_below)] if self.config.cut_in_training else []
        given = [] if self.training_edit is None else [self.training_edit]
        return chain_edits([*given, *cut])

    def learn(
        self, state: TrainState, episodes: Episodes, decisions: Decision | None = None, total_steps: Scalar = math.inf
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        """Stores the episodes [B, ...] and takes `updates_per_step` gradient steps.

        Until replay holds a batch, nothing is learned. Where a loss or gradient is not finite, nothing is learned
        either, and `healthy` becomes False.

        Args:
          state: from `init` or the last call.
          episodes: as many as `config.num_envs`.
          decisions: what stood behind their actions; not read, as values are learned from any behavior.
          total_steps: environment steps of the whole run. Once they are taken, or where the state is not healthy,
            everything
            stays as it is, but for contents of replay that the next active call overwrites.

        Returns:
          the new state, and metrics: each loss by name, its own metrics as `loss/metric`, and `gradient_norm`.
        """
        episodes = ready_to_learn(self.env, self.config.num_envs, episodes)
        active = state.healthy & (state.env_steps < total_steps)
        replay = self._replay.add(state.replay, episodes)
        ready = active & self._replay.can_sample(replay)
        _, learn_key = jax.random.split(state.key)  # the first half is for playing
        key, *update_keys = jax.random.split(learn_key, 1 + self.config.updates_per_step)
        played = state.replace(
            replay=keep_pointers(active, replay, state.replay),
            key=jnp.where(active, key, state.key),
            env_steps=state.env_steps + active * episodes.valid.sum(dtype=jnp.int32),
            episodes=state.episodes + active * self.config.num_envs,
        )
        update = functools.partial(self._update, ready=ready, progress=share_done(state.env_steps, total_steps))
        turns = jnp.stack(update_keys), steps_left(self.config.updates_per_step)
        return guarded_row(update, played, turns)

    def _update(
        self, state: TrainState, turn: tuple[jax.Array, jax.Array], ready: jax.Array, progress: jax.Array
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        key, left = turn
        sample_key, loss_key = jax.random.split(key)
        batch = self._replay.sample(state.replay, sample_key)
        hparams = _at_this_point(state, progress)
        gradient_of = jax.grad(self._loss, has_aux=True)
        gradient, metrics = gradient_of(state.params, state, hparams, batch, loss_key, left)
        cut_below = metrics.pop("cut_below", state.cut_below)
        learned, metrics, go = guarded_step(state, self.optimizer(hparams), gradient, metrics, ready)
        target = self._move_target(learned.params, state.target_params, learned.updates, go, state.hparams)
        return learned.replace(target_params=target, cut_below=jnp.where(go, cut_below, state.cut_below)), metrics

    def _move_target(self, params: Any, target: Any, updates: jax.Array, go: jax.Array, hparams: ValueHParams) -> Any:
        if self.config.target_interval == 0:
            return optax.incremental_update(params, target, jnp.where(go, hparams.target_rate, 0.0))
        return choose(go & (updates % self.config.target_interval == 0), params, target)

    def _loss(
        self,
        params: Any,
        state: TrainState,
        hparams: ValueHParams,
        episodes: Episodes,
        key: jax.Array,
        left: jax.Array,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        unroll_key, cut_key = jax.random.split(key)
        unroll = self.unroll(params, state.target_params, episodes, hparams, unroll_key, self.edit(state))
        total, metrics = weighted_sum(self.losses, unroll, episodes, hparams, left)
        if self.config.cut_in_training:
            metrics["cut_below"] = self._next_cut(state, episodes, unroll.messages, cut_key)
        return total, metrics

    def _next_cut(self, state: TrainState, episodes: Episodes, messages: Messages, key: jax.Array) -> jax.Array:
        """[] the threshold that would have cut at least a random share of what the channel said in this batch.

        Two times in three the largest share, one in six none, else any between. With the largest half of the time only,
        half of the teams won no more than 15 of hallway's 16 starts at a cut of 90 %; with hardly ever none, two of ten
        teams won .98 to .99 where nothing was cut.
        """
        h = state.hparams
        force = jnp.clip(state.env_steps.astype(jnp.float32) / h.cut_start - 1.0, 0.0, 1.0)
        share = force * h.cut_share * jnp.clip(6.0 * jax.random.uniform(key, dtype=jnp.float32) - 1.0, 0.0, 1.0)
        steps = episodes.valid.shape[1]
        importance = jax.lax.stop_gradient(messages.importance[:, :steps])
        said = said_by_channel(messages)[:, :steps] & pairs_at_work(episodes)[..., None]
        quantile = importance_quantile(importance, said, share)
        return jnp.where(share > 0, jnp.nextafter(quantile, jnp.inf), 0.0)  # equals are cut too

    def unroll(
        self,
        params: Any,
        target_params: Any,
        episodes: Episodes,
        hparams: ValueHParams,
        key: jax.Array,
        edit: Edit | None = None,
    ) -> Unroll:
        """What online and target networks make of a batch of episodes [B, ...]; no gradient into the target's."""
        online_key, target_key = jax.random.split(key)
        before = jnp.pad(episodes.action, ((0, 0), (1, 0), (0, 0)), constant_values=-1)
        inputs = self._inputs(episodes.agents_view, before)
        unrolled = (inputs, episodes.alive)
        q, messages, auxiliary = self.agent.apply(params["agent"], *unrolled, online_key, edit, method="unroll")
        target_q, *_ = self.agent.apply(target_params["agent"], *unrolled, target_key, edit, method="unroll")
        target_q = jax.lax.stop_gradient(target_q)
        best = jnp.argmax(jnp.where(episodes.action_mask, jax.lax.stop_gradient(q), -jnp.inf), -1)[:, 1:]
        value = self.mixer.apply(params["mixer"], _pick(q[:, :-1], episodes.action), episodes.global_state[:, :-1])
        next_value = self.mixer.apply(
            target_params["mixer"], _pick(target_q[:, 1:], best), episodes.global_state[:, 1:]
        )
        reward = episodes.reward.mean(-1, keepdims=True) if self.mixer.team else episodes.reward
        # the dead are taught too: what follows a death is worth what it gives, and is bootstrapped from
        weight = jnp.broadcast_to(episodes.valid[..., None], reward.shape).astype(jnp.float32)
        target = double_q_target(reward, episodes.terminal, next_value, hparams.discount)
        output, joint_q = self._teach(params, target_params, episodes, hparams)
        return Unroll(q, target_q, value, target, weight, messages, auxiliary, output, joint_q)

    def _teach(
        self, params: Any, target_params: Any, episodes: Episodes, hparams: ValueHParams
    ) -> tuple[JointCriticOutput | None, JointQ | None]:
        if self.joint_critic is None:
            return None, None
        return evaluate_joint_critic(
            self.joint_critic, params["joint_critic"], target_params["joint_critic"], episodes, hparams.discount
        )

    def _inputs(self, agents_view: jax.Array, last_action: jax.Array) -> jax.Array:
        return agent_inputs(self.env, self.config, agents_view, last_action)

    @property
    def updates_per_step(self) -> int:
        """Gradient steps after every collection."""
        return self.config.updates_per_step

    @property
    def _replay(self) -> EpisodeReplay:
        return EpisodeReplay(self.env, self.config.replay_episodes, self.config.batch_episodes)


def _at_this_point(state: TrainState, progress: jax.Array) -> ValueHParams:
    """The hyper-parameters with those that follow a schedule as they are now (`progress`: 0 to 1 over the run)."""
    h = state.hparams
    return h.replace(
        learning_rate=learning_rate_now(h, progress),
        overestimate_weight=h.overestimate_weight + explored(state) * (1.0 - h.overestimate_weight),
    )


def _pick(q: jax.Array, action: jax.Array) -> jax.Array:
    return jnp.take_along_axis(q, action[..., None], -1)[..., 0]
