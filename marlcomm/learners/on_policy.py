"""The on-policy learner: REINFORCE with a critic as baseline, or PPO, on whole episodes, for any channel."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import distrax
import jax
import jax.numpy as jnp
import optax
from flax import struct

from marlcomm.envs.api import Environment, Observation
from marlcomm.learners.episodes import ready_to_learn
from marlcomm.learners.learner import (
    AgentMemory,
    Decision,
    Loss,
    agent_inputs,
    choose,
    for_all,
    guarded_row,
    guarded_step,
    learning_rate_now,
    require_discrete,
    share_done,
    shared_reward,
    steps_left,
    still_finite,
    weighted_sum,
)
from marlcomm.learners.return_scale import ReturnScale
from marlcomm.losses.policy import generalized_advantage, normalize
from marlcomm.messages.edits import Edit
from marlcomm.types import Episodes, PolicyUnroll, Scalar


@dataclass(frozen=True)
class OnPolicyConfig:
    """What fixes a shape or a branch; a change recompiles.

    Attributes:
      num_envs: B, environments played at once; each step of training learns from one episode of every one.
      epochs: gradient steps on these episodes: 1 is REINFORCE, more are PPO. Each takes all of them.
      normalize_returns: whether critic and advantages work in units of the returns' mean and deviation so far.
      normalize_advantage: whether the advantages of each batch get mean 0 and deviation 1.
      agent_id: whether an agent's input carries its id.
      last_action: whether it carries its own last action.
    """

    num_envs: int = 32
    epochs: int = 4
    normalize_returns: bool = True
    normalize_advantage: bool = False
    agent_id: bool = True
    last_action: bool = False

    def __post_init__(self) -> None:
        for name in ("num_envs", "epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: must be at least 1")


class OnPolicyHParams(struct.PyTreeNode):
    """Numbers that may be traced: a sweep over them is a vmap, never a recompile."""

    learning_rate: Scalar = 1e-3
    learning_rate_decay_to: Scalar = 0.1  #: share of it that is left at the end, falling over the run's second half
    entropy_decay_to: Scalar = 0.05  #: share of the entropy's weight that is left after the run's first half
    discount: Scalar = 0.99
    gae_lambda: Scalar = 0.95  #: lambda of the advantages: 1 takes whole returns, 0 one-step errors
    clip_ratio: Scalar = (
        0.2  #: how far the probability of an action may move before it teaches no more (needs epochs > 1)
    )
    team_share: Scalar = 1.0  #: of the team's mean in each agent's reward; 0: each is paid for itself
    gradient_clip: Scalar = 10.0  #: global norm; 0: no clipping
    weights: Mapping[str, Scalar] = struct.field(default_factory=dict)  #: loss name -> weight

    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = {
        "learning_rate": (0.0, math.inf),
        "learning_rate_decay_to": (0.0, 1.0),
        "entropy_decay_to": (0.0, 1.0),
        "discount": (0.0, 1.0),
        "gae_lambda": (0.0, 1.0),
        "clip_ratio": (0.0, math.inf),
        "team_share": (0.0, 1.0),
        "gradient_clip": (0.0, math.inf),
    }


class OnPolicyState(struct.PyTreeNode):
    """Everything a run is: saving this and loading it again changes nothing that follows."""

    params: Any  # {"agent": ..., "critic": ...}
    optimizer: Any
    scale: ReturnScale
    key: jax.Array
    hparams: OnPolicyHParams
    env_steps: jax.Array  # [] int32, real environment steps played
    episodes: jax.Array  # [] int32
    updates: jax.Array  # [] int32, gradient steps taken
    healthy: jax.Array  # [] bool, False once a loss was not finite: the member then stays as it was
    replay: None = None  # nothing is kept: what was played under another policy teaches nothing


@dataclass(frozen=True)
class OnPolicyLearner:
    """Policy gradient for a communicating agent and a critic.

    Learning acts again: it runs the agent over the same episodes with the same keys, so that messages, noise, gates
    and edits are those that the actions were chosen under. Given these, the probability of an action is exact, and
    gradient flows through what was said. No gradient passes through a gate that is drawn: `gate_loss` teaches it.

    Attributes:
      env: the task; only its sizes are read.
      agent: the network that all agents share: a flax module with the method `step` of `CommunicatingAgent`.
      critic: a flax module [..., N, H] memories, [..., S] state -> [..., N] values.
      losses: name -> loss over a `PolicyUnroll`; each is weighted by `hparams.weights[name]`.
      optimizer: hyper-parameters -> optax transformation.
      config: what fixes shapes and branches.
      training_edit: what happens to messages in training, both when acting and when learning.
    """

    env: Environment
    agent: Any
    critic: Any
    losses: Mapping[str, Loss]
    optimizer: Callable[[OnPolicyHParams], optax.GradientTransformation]
    config: OnPolicyConfig
    training_edit: Edit | None = None

    def __post_init__(self) -> None:
        require_discrete(self.env, "the on-policy learner")

    def init(self, key: jax.Array, hparams: OnPolicyHParams) -> OnPolicyState:
        """The state before the first step; `key` alone decides it and everything after it."""
        agent_key, critic_key, noise_key, key = jax.random.split(key, 4)
        n, size = self.env.num_agents, self.env.observation_size
        memory = self.initial_memory(1)
        inputs = agent_inputs(self.env, self.config, jnp.zeros((1, n, size)), memory.last_action)
        alive = jnp.ones((1, n), bool)
        agent = self.agent.init(agent_key, memory.hidden, inputs, alive, noise_key, None, method="step")
        critic = self.critic.init(critic_key, _hidden(memory.hidden), jnp.zeros((1, self.env.state_size)))
        params = {"agent": agent, "critic": critic}
        return OnPolicyState(
            params=params,
            optimizer=self.optimizer(hparams).init(params),
            scale=ReturnScale(jnp.float32(0.0), jnp.float32(1.0)),
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
        """Actions [..., N] of the team: the most probable, but for a share `exploration` drawn from the policy.

        Args:
          params: `state.params`.
          observation: leading axes as those of `memory`.
          memory: from `initial_memory` or the last call.
          key: randomness of messages, edit and actions.
          exploration: 0 .. 1; training draws every action (1), evaluation none (0).
          edit: what happens to the messages on their way.
        """
        talk_key, draw_key, share_key = jax.random.split(key, 3)
        inputs = agent_inputs(self.env, self.config, observation.agents_view, memory.last_action)
        hidden, logits, messages, auxiliary = self.agent.apply(
            params["agent"], memory.hidden, inputs, observation.alive, talk_key, edit, method="step"
        )
        logits = _allowed(logits, observation.action_mask)
        policy = distrax.Categorical(logits=logits)
        drawn = jax.random.uniform(share_key, logits.shape[:-1]) < exploration
        action = jnp.where(drawn, policy.sample(seed=draw_key), policy.mode()).astype(jnp.int32)
        decision = Decision(logits, messages, auxiliary, for_all(talk_key, logits.shape[:-2]))
        return action, AgentMemory(hidden, action), decision

    def exploration(self, state: OnPolicyState) -> jax.Array:
        """[] 1: in training every action is drawn from the policy."""
        return jnp.float32(1.0)

    def edit(self, state: OnPolicyState) -> Edit | None:
        """What happens to messages in training."""
        return self.training_edit

    def learn(
        self,
        state: OnPolicyState,
        episodes: Episodes,
        decisions: Decision | None = None,
        total_steps: Scalar = math.inf,
    ) -> tuple[OnPolicyState, dict[str, jax.Array]]:
        """Takes `epochs` gradient steps on episodes [B, ...] that the policy of `state` has played.

        Where a loss or gradient is not finite, nothing is learned, and `healthy` becomes False.

        Args:
          state: from `init` or the last call.
          episodes: as many as `config.num_envs`.
          decisions: what stood behind their actions, leading axes [B, T], all drawn (`exploration` 1). All B must have
            acted together, with one key a step.
          total_steps: environment steps of the whole run. Once they are taken, or where the state is not healthy,
            everything
            stays as it is.

        Returns:
          the new state, and metrics of the last gradient step: each loss by name, its own metrics as `loss/metric`,
          and `gradient_norm`.

        Raises:
          ValueError: no decisions are given.
        """
        if decisions is None:
            raise ValueError(
                "on-policy learning needs what stood behind the actions: call learn(state, episodes, decisions)"
            )
        episodes = ready_to_learn(self.env, self.config.num_envs, episodes)
        active = state.healthy & (state.env_steps < total_steps)
        _, learn_key = jax.random.split(state.key)  # the first half is for playing
        key, last_key = jax.random.split(learn_key)
        scale = self._rescaled(state, episodes)
        measured = still_finite(scale, state.scale)
        played = state.replace(
            key=key,
            scale=choose(measured, scale, state.scale),
            healthy=state.healthy & measured,
            env_steps=state.env_steps + episodes.valid.sum(dtype=jnp.int32),
            episodes=state.episodes + self.config.num_envs,
        )
        hparams = _at_this_point(state.hparams, state.env_steps, total_steps)
        now = played.replace(hparams=hparams)
        loss = functools.partial(self._loss, state=now, episodes=episodes, decisions=decisions, key=last_key)

        def update(state: OnPolicyState, left: jax.Array) -> tuple[OnPolicyState, dict[str, jax.Array]]:
            return self._update(state, functools.partial(loss, left=left), self.optimizer(hparams), active)

        return guarded_row(update, choose(active, played, state), steps_left(self.config.epochs))

    @property
    def updates_per_step(self) -> int:
        """Gradient steps after every collection."""
        return self.config.epochs

    def _update(
        self,
        state: OnPolicyState,
        loss: Callable[..., Any],
        optimizer: optax.GradientTransformation,
        active: jax.Array,
    ) -> tuple[OnPolicyState, dict[str, jax.Array]]:
        gradient, metrics = jax.grad(loss, has_aux=True)(state.params)
        learned, metrics, _ = guarded_step(state, optimizer, gradient, metrics, active)
        return learned, metrics

    def _loss(
        self,
        params: Any,
        state: OnPolicyState,
        episodes: Episodes,
        decisions: Decision,
        key: jax.Array,
        left: jax.Array,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        unroll = self.unroll(params, state, episodes, decisions, key)
        return weighted_sum(self.losses, unroll, episodes, state.hparams, left)

    def unroll(
        self, params: Any, state: OnPolicyState, episodes: Episodes, decisions: Decision, key: jax.Array
    ) -> PolicyUnroll:
        """What policy and critic make of the episodes [B, ...] that the decisions stood behind.

        Args:
          params: as `state.params`; gradient passes to these only.
          state: hyper-parameters, scale of the returns, and the edit in force.
          episodes, decisions: as for `learn`.
          key: for the step after the last, at which nobody acted; only the critic looks at it.
        """
        memory, logits, messages, auxiliary = self._act_again(params, episodes, decisions, key, self.edit(state))
        steps = episodes.valid.shape[1]
        logits = _allowed(logits, episodes.action_mask)
        policy = distrax.Categorical(logits=logits[:, :steps])
        weight = (episodes.valid[..., None] & episodes.alive[:, :steps]).astype(jnp.float32)
        scale = state.scale.deviation()
        value = state.scale.mean + scale * self.critic.apply(params["critic"], memory, episodes.global_state)
        expected = jax.lax.stop_gradient(value)
        advantage = self._advantage(episodes, expected, state.hparams)
        return PolicyUnroll(
            logits=logits,
            log_prob=jnp.asarray(policy.log_prob(episodes.action)),
            old_log_prob=jnp.asarray(distrax.Categorical(logits=decisions.scores).log_prob(episodes.action)),
            entropy=jnp.asarray(policy.entropy()),
            value=value[:, :steps],
            target=advantage + expected[:, :steps],
            advantage=normalize(advantage, weight) if self.config.normalize_advantage else advantage / scale,
            scale=scale,
            weight=weight,
            messages=messages,
            auxiliary=auxiliary,
            acted=decisions.auxiliary,
        )

    def _act_again(
        self, params: Any, episodes: Episodes, decisions: Decision, key: jax.Array, edit: Edit | None
    ) -> tuple:
        """Memory after each step, logits, messages and named arrays [B, T+1, ...], with the keys of the decisions."""
        keys = jnp.concatenate([decisions.key[0], key[None]])  # [T+1, ...]
        before = jnp.pad(episodes.action, ((0, 0), (1, 0), (0, 0)), constant_values=-1)
        inputs = agent_inputs(self.env, self.config, episodes.agents_view, before)

        def step(memory: Any, x: tuple) -> tuple[Any, tuple]:
            memory, *outputs = self.agent.apply(params["agent"], memory, *x, edit, method="step")
            return memory, (_hidden(memory), *outputs)

        start = self.initial_memory(inputs.shape[0]).hidden
        time_first = jnp.moveaxis(inputs, 1, 0), jnp.moveaxis(episodes.alive, 1, 0), keys
        _, outputs = jax.lax.scan(step, start, time_first)
        return jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), outputs)

    def _advantage(self, episodes: Episodes, value: jax.Array, hparams: OnPolicyHParams) -> jax.Array:
        """[B, T, N], in units of reward; `value` [B, T+1, N]."""
        reward = shared_reward(episodes.reward, hparams.team_share)
        ends = episodes.terminal, episodes.valid
        return generalized_advantage(reward, value, *ends, hparams.discount, hparams.gae_lambda)

    def _rescaled(self, state: OnPolicyState, episodes: Episodes) -> ReturnScale:
        """The scale with the discounted returns of these episodes, as far as they were played."""
        if not self.config.normalize_returns:
            return state.scale
        nothing = jnp.zeros((*episodes.valid.shape[:1], episodes.valid.shape[1] + 1, self.env.num_agents), jnp.float32)
        returns = self._advantage(episodes, nothing, state.hparams.replace(gae_lambda=1.0))
        batches = state.episodes.astype(jnp.float32) / self.config.num_envs + 1.0
        return state.scale.after(returns, episodes.valid, batches)


def _at_this_point(hparams: OnPolicyHParams, env_steps: jax.Array, total_steps: Scalar) -> OnPolicyHParams:
    """The hyper-parameters with those that follow a schedule as they are now; a run without an end stays at its start.

    But for the price of talk, which such a run pays in full.
    """
    progress = share_done(env_steps, total_steps)
    first_half = jnp.clip(2.0 * progress, 0.0, 1.0)
    paid = jnp.where(jnp.isfinite(total_steps), first_half, 1.0)
    # what talk costs grows as the entropy falls: whoever paid before there is something to say would never say it
    factors = {"entropy": 1.0 + first_half * (hparams.entropy_decay_to - 1.0), "talk": paid}
    weights = {name: weight * factors.get(name, 1.0) for name, weight in hparams.weights.items()}
    return hparams.replace(learning_rate=learning_rate_now(hparams, progress), weights=weights)


def _hidden(memory: Any) -> jax.Array:
    return getattr(memory, "hidden", memory)  # beside messages under way, where they take time


def _allowed(logits: jax.Array, mask: jax.Array) -> jax.Array:
    return jnp.where(mask, logits, jnp.finfo(logits.dtype).min)
