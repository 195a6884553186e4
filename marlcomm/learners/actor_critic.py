"""The off-policy actor-critic learner: deterministic policy gradient with centralized critics, for any channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from marlcomm.envs.api import Environment, Observation
from marlcomm.learners.actions import ContinuousActions, DiscreteActions, actions_of
from marlcomm.learners.actor_critic_config import ActorCriticConfig, ActorCriticHParams
from marlcomm.learners.episodes import ready_to_learn
from marlcomm.learners.learner import (
    AgentMemory,
    Decision,
    Loss,
    agent_inputs,
    for_all,
    guarded_row,
    guarded_step,
    keep_pointers,
    learning_rate_now,
    linear_exploration,
    share_done,
    shared_reward,
    steps_left,
    weighted_sum,
)
from marlcomm.learners.replay import StepReplay
from marlcomm.losses.temporal_difference import double_q_target
from marlcomm.messages.edits import Edit
from marlcomm.networks.layers import side_by_side
from marlcomm.types import ActorCriticUnroll, Episodes, JointQ, Scalar


class ActorCriticState(struct.PyTreeNode):
    """Everything a run is: saving this and loading it again changes nothing that follows."""

    params: Any  # {"agent": ..., "critic": ...}
    target_params: Any
    optimizer: Any
    replay: Any
    key: jax.Array
    hparams: ActorCriticHParams
    env_steps: jax.Array  # [] int32, real environment steps played
    episodes: jax.Array  # [] int32
    updates: jax.Array  # [] int32, gradient steps taken
    healthy: jax.Array  # [] bool, False once a loss was not finite: the member then stays as it was


@dataclass(frozen=True)
class ActorCriticLearner:
    """MADDPG for communicating agents: actors climb what centralized critics say of their actions.

    An agent's action depends on what it hears, so the gradient of its critic passes through its action into the
    senders' side of the channel. All agents' actors, and then all critics, move at once.

    A learning batch is drawn from replay step by step, as published; agents that remember need what came before, and
    so learn from whole episodes.

    Attributes:
      env: the task; only its sizes are read, but for replay's shapes.
      agent: the network of all agents: a flax module with the methods of `CommunicatingAgent`.
      critic: a flax module [..., F] what critics see, [..., N, N, A] joint actions -> [..., N]; see `ActionCritic`.
      losses: name -> loss over an `ActorCriticUnroll`; each is weighted by `hparams.weights[name]`.
      optimizer: hyper-parameters -> optax transformation; one for the actors and one for the critics, which is given
        `critic_learning_rate` as `learning_rate`.
      config: what fixes shapes and branches.
      training_edit: what happens to messages in training, both when acting and when learning.
    """

    env: Environment
    agent: Any
    critic: Any
    losses: Mapping[str, Loss]
    optimizer: Callable[[ActorCriticHParams], optax.GradientTransformation]
    config: ActorCriticConfig
    training_edit: Edit | None = None

    def init(self, key: jax.Array, hparams: ActorCriticHParams) -> ActorCriticState:
        """The state before the first step; `key` alone decides it and everything after it.

        Raises:
          ValueError: the critic does not give one value an agent.
        """
        agent_key, critic_key, noise_key, key = jax.random.split(key, 4)
        env, n, memory = self.env, self.env.num_agents, self.initial_memory(1)
        inputs = agent_inputs(env, self.config, jnp.zeros((1, n, env.observation_size)), memory.last_action)
        alive = jnp.ones((1, n), bool)
        agent = self.agent.init(agent_key, memory.hidden, inputs, alive, noise_key, None, method="step")
        seen = self._seen(jnp.zeros((n, env.observation_size)), jnp.zeros(env.state_size))
        worth, critic = self.critic.init_with_output(critic_key, seen, jnp.zeros((n, n, env.num_actions)))
        if worth.shape != (n,):
            raise ValueError(f"the critic gives shape {worth.shape}: must be ({n},), a value for each agent")
        params = {"agent": agent, "critic": critic}
        return ActorCriticState(
            params=params,
            target_params=jax.tree.map(jnp.copy, params),
            optimizer=self._optimizer(hparams).init(params),
            replay=self._replay.init(),
            key=key,
            hparams=jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), hparams),
            env_steps=jnp.int32(0),
            episodes=jnp.int32(0),
            updates=jnp.int32(0),
            healthy=jnp.bool_(True),
        )

    def initial_memory(self, *batch: int) -> AgentMemory:
        """Memory before the first step, with leading axes `batch`."""
        n = self.env.num_agents
        return AgentMemory(self.agent.initial_memory(*batch, n), self._actions.none(*batch, n))

    def act(
        self,
        params: Any,
        observation: Observation,
        memory: AgentMemory,
        key: jax.Array,
        exploration: Scalar = 0.0,
        edit: Edit | None = None,
    ) -> tuple[jax.Array, AgentMemory, Decision]:
        """Actions of the team, [..., N] or [..., N, A]: the actors' own, but for what explores.

        Args:
          params: `state.params`.
          observation: leading axes as those of `memory`.
          memory: from `initial_memory` or the last call.
          key: randomness of messages, edit and exploration.
          exploration: 0 .. 1; continuous: a share of random actions, and the noise on the others in units of
            `config.noise`; discrete: a share of random actions, and the others are drawn from the policy unless 0.
          edit: what happens to the messages on their way.
        """
        talk_key, explore_key = jax.random.split(key)
        inputs = agent_inputs(self.env, self.config, observation.agents_view, memory.last_action)
        hidden, outputs, messages, auxiliary = self.agent.apply(
            params["agent"], memory.hidden, inputs, observation.alive, talk_key, edit, method="step"
        )
        action = self._actions.explore(outputs, observation.action_mask, exploration, explore_key)
        says = self._actions.outputs(outputs, observation.action_mask)
        decision = Decision(says, messages, auxiliary, for_all(talk_key, outputs.shape[:-2]))
        return action, AgentMemory(hidden, action), decision

    def exploration(self, state: ActorCriticState) -> jax.Array:
        """[] how much is explored at this point of training."""
        return linear_exploration(state)

    def edit(self, state: ActorCriticState) -> Edit | None:
        """What happens to messages in training."""
        return self.training_edit

    def learn(
        self,
        state: ActorCriticState,
        episodes: Episodes,
        decisions: Decision | None = None,
        total_steps: Scalar = math.inf,
    ) -> tuple[ActorCriticState, dict[str, jax.Array]]:
        """Stores the episodes [B, ...] and takes one gradient step for every `update_interval` steps of theirs.

        Until replay holds a batch, nothing is learned. Where a loss or gradient is not finite, nothing is learned
        either, and `healthy` becomes False.

        Args:
          state: from `init` or the last call.
          episodes: as many as `config.num_envs`.
          decisions: what stood behind their actions; not read, as critics learn from any behavior.
          total_steps: environment steps of the whole run. Once they are taken, or where the state is not healthy,
            everything
            stays as it is, but for contents of replay that the next active call overwrites.

        Returns:
          the new state, and metrics of the last gradient step: each loss by name, its own metrics as `loss/metric`,
          and `gradient_norm`.
        """
        episodes = ready_to_learn(self.env, self.config.num_envs, episodes)
        active = state.healthy & (state.env_steps < total_steps)
        replay = self._replay.add(state.replay, episodes)
        ready = active & self._replay.can_sample(replay)
        _, learn_key = jax.random.split(state.key)  # the first half is for playing
        keys = jax.random.split(learn_key, 1 + self.updates_per_step)
        played = state.replace(
            replay=None,  # not carried through the updates, which only read it
            key=jnp.where(active, keys[0], state.key),
            env_steps=state.env_steps + active * episodes.valid.sum(dtype=jnp.int32),
            episodes=state.episodes + active * self.config.num_envs,
        )
        hparams = _at_this_point(state.hparams, share_done(state.env_steps, total_steps))

        def update(
            state: ActorCriticState, now: tuple[jax.Array, jax.Array]
        ) -> tuple[ActorCriticState, dict[str, jax.Array]]:
            key, left = now
            sample_key, loss_key = jax.random.split(key)
            batch = self._replay.sample(replay, sample_key)
            return self._update(state, hparams, batch, loss_key, ready, left)

        learned, metrics = guarded_row(update, played, (keys[1:], steps_left(self.updates_per_step)))
        return learned.replace(replay=keep_pointers(active, replay, state.replay)), metrics

    @property
    def updates_per_step(self) -> int:
        """Gradient steps after every collection, at least 1."""
        return max(self.config.num_envs * self.env.horizon // self.config.update_interval, 1)

    @property
    def remembers(self) -> bool:
        """Whether what an agent does depends on earlier steps."""
        memory = jax.eval_shape(lambda: self.agent.initial_memory(1, self.env.num_agents))
        return self.config.last_action or any(leaf.size for leaf in jax.tree.leaves(memory))

    def _update(
        self,
        state: ActorCriticState,
        hparams: ActorCriticHParams,
        batch: Episodes,
        key: jax.Array,
        ready: jax.Array,
        left: jax.Array,
    ) -> tuple[ActorCriticState, dict[str, jax.Array]]:
        def loss(params: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
            unroll = self.unroll(params, state.target_params, batch, hparams, key, self.edit(state))
            return weighted_sum(self.losses, unroll, batch, hparams, left)

        gradient, metrics = jax.grad(loss, has_aux=True)(state.params)
        learned, metrics, go = guarded_step(state, self._optimizer(hparams), gradient, metrics, ready)
        rate = jnp.where(go, hparams.target_rate, 0.0)
        target = optax.incremental_update(learned.params, state.target_params, rate)
        return learned.replace(target_params=target), metrics

    def unroll(
        self,
        params: Any,
        target_params: Any,
        episodes: Episodes,
        hparams: ActorCriticHParams,
        key: jax.Array,
        edit: Edit | None = None,
    ) -> ActorCriticUnroll:
        """What actors and critics make of episodes [B, ...], or of steps of them; no gradient into the targets.

        Args:
          params: as `state.params`; target_params: the same.
          episodes: whole ones where agents remember; else any number of steps, and the observation after them.
          hparams: discount, temperature and team_share are read.
          key: randomness of messages, edit and discrete actions.
          edit: what happens to the messages on their way.
        """
        talk_key, draw_key, target_key = jax.random.split(key, 3)
        steps, actions = episodes.valid.shape[1], self._actions
        mask, alive = episodes.action_mask[:, :steps], episodes.alive[:, :steps]
        outputs, messages, auxiliary = self._run(params, episodes, slice(0, steps), talk_key, edit)
        action = _of_living(actions.policy(outputs, mask, hparams.temperature, draw_key), alive)
        done = _of_living(actions.seen(episodes.action), alive)
        seen = self._seen(episodes.agents_view, episodes.global_state)
        next_value = self._next_value(target_params, episodes, hparams, target_key, edit)
        return ActorCriticUnroll(
            outputs=outputs,
            action=action,
            value=self.critic.apply(params["critic"], seen[:, :steps], _for_each_critic(done)),
            target=double_q_target(
                shared_reward(episodes.reward, hparams.team_share), episodes.terminal, next_value, hparams.discount
            ),
            policy_value=self._policy_value(params, seen[:, :steps], outputs, mask, action, done),
            weight=(episodes.valid[..., None] & alive).astype(jnp.float32),
            messages=messages,
            auxiliary=auxiliary,
            joint_q=self._joint_q(target_params, action),
        )

    def _policy_value(
        self, params: Any, seen: jax.Array, outputs: jax.Array, mask: jax.Array, action: jax.Array, done: jax.Array
    ) -> jax.Array:
        """[B, T, N] each agent's critic, had it acted as it would and the others as they did."""
        frozen = jax.lax.stop_gradient(params["critic"])  # teaches the actors, and is not taught by them
        own = jnp.eye(self.env.num_agents, dtype=bool)[..., None]

        def worth(action: jax.Array) -> jax.Array:
            return self.critic.apply(frozen, seen, jnp.where(own, action[..., None, :, :], done[..., None, :, :]))

        if self.env.continuous or self.config.discrete_gradient == "drawn":
            return worth(action)
        choices = jnp.eye(self.env.num_actions, dtype=jnp.float32)
        each = jax.vmap(lambda choice: worth(jnp.broadcast_to(choice, done.shape)), out_axes=-1)(choices)
        return (each * jax.nn.softmax(self._actions.outputs(outputs, mask))).sum(-1)

    def _joint_q(self, target_params: Any, action: jax.Array) -> JointQ | None:
        if self.config.critics_see != "observations":
            return None  # which state goes with views of different steps is not known

        def worth(params: Any, views: jax.Array, action: jax.Array) -> jax.Array:
            return self.critic.apply(params, side_by_side(views), _for_each_critic(action)).mean(-1)

        frozen, action = jax.lax.stop_gradient((target_params["critic"], action))
        return JointQ(jax.tree_util.Partial(worth, frozen), action)

    def _next_value(
        self, target_params: Any, episodes: Episodes, hparams: ActorCriticHParams, key: jax.Array, edit: Edit | None
    ) -> jax.Array:
        """[B, T, N] the target critics of what the target actors would do at the next steps."""
        talk_key, draw_key = jax.random.split(key)
        start = slice(0 if self.remembers else 1, None)  # memory is made from the first step on
        outputs, *_ = self._run(target_params, episodes, start, talk_key, edit)
        mask, alive = episodes.action_mask[:, 1:], episodes.alive[:, 1:]
        outputs = outputs[:, -mask.shape[1] :]
        action = _of_living(self._actions.policy(outputs, mask, hparams.temperature, draw_key), alive)
        seen = self._seen(episodes.agents_view, episodes.global_state)[:, 1:]
        return self.critic.apply(target_params["critic"], seen, _for_each_critic(action))

    def _run(
        self, params: Any, episodes: Episodes, steps: slice, key: jax.Array, edit: Edit | None
    ) -> tuple[jax.Array, Any, dict[str, jax.Array]]:
        """Outputs, messages and named arrays of the agents at some of the steps."""
        first = self._actions.none(episodes.action.shape[0], 1, self.env.num_agents)
        before = jnp.concatenate([first, episodes.action], 1)
        inputs = agent_inputs(self.env, self.config, episodes.agents_view, before)
        return self.agent.apply(params["agent"], inputs[:, steps], episodes.alive[:, steps], key, edit, method="unroll")

    def _seen(self, agents_view: jax.Array, global_state: jax.Array) -> jax.Array:
        """[..., F] what critics read of [..., N, O] and [..., S]."""
        if self.config.critics_see == "state":
            return global_state
        return side_by_side(agents_view)

    def _optimizer(self, hparams: ActorCriticHParams) -> optax.GradientTransformation:
        of_critics = hparams.replace(learning_rate=hparams.critic_learning_rate)
        each: dict[Hashable, Any] = {"agent": self.optimizer(hparams), "critic": self.optimizer(of_critics)}
        return optax.partition(each, {name: name for name in each})

    @property
    def _actions(self) -> ContinuousActions | DiscreteActions:
        return actions_of(self.env, self.config)

    @property
    def _replay(self) -> StepReplay:
        s = self.config
        return StepReplay(self.env, s.num_envs, s.batch_steps, s.replay_steps, whole_episodes=self.remembers)


def _for_each_critic(action: jax.Array) -> jax.Array:
    """[..., N, A] -> [..., N, N, A]: the same joint action for all critics."""
    return jnp.broadcast_to(action[..., None, :, :], (*action.shape[:-1], *action.shape[-2:]))


def _of_living(action: jax.Array, alive: jax.Array) -> jax.Array:
    return jnp.where(alive[..., None], action, 0.0)


def _at_this_point(hparams: ActorCriticHParams, progress: jax.Array) -> ActorCriticHParams:
    """The hyper-parameters with those that follow a schedule as they are now (`progress`: 0 to 1 over the run)."""
    rates = {
        name: learning_rate_now(hparams.replace(learning_rate=getattr(hparams, name)), progress)
        for name in ("learning_rate", "critic_learning_rate")
    }
    return hparams.replace(**rates)
