"""The on-policy learner: REINFORCE with a critic as baseline, or PPO, on whole episodes, for any channel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import distrax
import jax
import jax.numpy as jnp

from marlcomm.agents import run_agent
from marlcomm.learners.actions import DrawnActions
from marlcomm.learners.base import Intake, Learner
from marlcomm.learners.config import LearnerConfig, LearnerHParams, Ranges
from marlcomm.learners.episodes import shared_reward
from marlcomm.learners.return_scale import ReturnScale
from marlcomm.learners.schedules import Progress, first_half
from marlcomm.learners.state import AgentMemory, Decision, LearnerState, learning_key
from marlcomm.learners.update import choose, still_finite
from marlcomm.losses.policy import generalized_advantage, normalize, talk_loss
from marlcomm.messages.edits import Edit
from marlcomm.types import Episodes, PolicyUnroll, Scalar


@dataclass(frozen=True)
class OnPolicyConfig(LearnerConfig):
    """What fixes a shape or a branch; a change recompiles.

    Attributes:
      num_envs, agent_id, last_action: see `LearnerConfig`.
      epochs: gradient steps on these episodes: 1 is REINFORCE, more are PPO. Each takes all of them.
      normalize_returns: whether critic and advantages work in units of the returns' mean and deviation so far.
      normalize_advantage: whether the advantages of each batch get mean 0 and deviation 1.
    """

    num_envs: int = 32
    epochs: int = 4
    normalize_returns: bool = True
    normalize_advantage: bool = False

    COUNTS: ClassVar[tuple[str, ...]] = ("num_envs", "epochs")


class OnPolicyHParams(LearnerHParams):
    """Numbers that may be traced; see `LearnerHParams`."""

    learning_rate_decay_to: Scalar = 0.1
    entropy_decay_to: Scalar = 0.05  #: share of the entropy's weight that is left after the run's first half
    gae_lambda: Scalar = 0.95  #: lambda of the advantages: 1 takes whole returns, 0 one-step errors
    clip_ratio: Scalar = 0.2  #: how far an action's probability may move before it teaches no more; needs epochs > 1
    team_share: Scalar = 1.0  #: of the team's mean in each agent's reward; 0: each is paid for itself

    RANGES: ClassVar[Ranges] = LearnerHParams.RANGES | {
        "entropy_decay_to": (0.0, 1.0),
        "gae_lambda": (0.0, 1.0),
        "clip_ratio": (0.0, math.inf),
        "team_share": (0.0, 1.0),
    }


class _Batch(NamedTuple):
    """What all gradient steps of a row learn from."""

    episodes: Episodes
    decisions: Decision
    extra: dict[str, Any]  # of the state: the scale of returns, and the edit that the actions were chosen under


@dataclass(frozen=True, kw_only=True)
class OnPolicyLearner(Learner):
    """Policy gradient for a communicating agent and a critic.

    Learning acts again: it runs the agent over the same episodes with the same keys, so that messages, noise, gates
    and edits are those that the actions were chosen under. Given these, the probability of an action is exact, and
    gradient flows through what was said. No gradient passes through a gate that is drawn: `gate_loss` teaches it.

    See `Learner` for the other attributes.

    Attributes:
      critic: a flax module [..., N, H] memories, [..., S] state -> [..., N] values.
      config: what fixes shapes and branches.
    """

    critic: Any
    config: OnPolicyConfig

    TITLE: ClassVar[str] = "the on-policy learner"

    @property
    def actions(self) -> DrawnActions:
        """Drawn from the policy in training, the likeliest in evaluation."""
        return DrawnActions(self.task.num_actions)

    def exploration(self, state: LearnerState) -> jax.Array:
        """[] 1: in training every action is drawn from the policy."""
        return jnp.float32(1.0)

    @property
    def updates_per_step(self) -> int:
        """Gradient steps after every collection."""
        return self.config.epochs

    def init_networks(self, key: jax.Array, memory: AgentMemory) -> dict[str, Any]:
        """The critic's parameters.

        Raises:
          ValueError: the critic does not give one value an agent.
        """
        n, state = self.task.num_agents, jnp.zeros((1, self.task.state_size))
        worth, critic = self.critic.init_with_output(key, _hidden(memory.hidden), state)
        if worth.shape != (1, n):
            raise ValueError(f"the critic gives shape {worth.shape}: must be {(1, n)}, a value for each agent")
        return {"critic": critic}

    def init_extra(self, params: Any) -> dict[str, Any]:
        """The scale of returns."""
        return {"scale": ReturnScale(jnp.float32(0.0), jnp.float32(1.0))}

    def hparams_now(self, state: LearnerState, progress: Progress) -> Any:
        """The learning rate and the entropy's weight fall; the price of talk, which a run without an end pays in full,
        grows as the entropy falls: whoever paid before there is something to say would never say it."""
        h, done = super().hparams_now(state, progress), first_half(progress)
        factors = {"entropy": 1.0 + done * (h.entropy_decay_to - 1.0)}
        if self.losses.get("talk") is talk_loss:  # a user's own loss of that name counts in full from the start
            factors["talk"] = jnp.where(progress.has_end, done, 1.0)
        return h.replace(weights={name: weight * factors.get(name, 1.0) for name, weight in h.weights.items()})

    def take_in(self, state: LearnerState, episodes: Episodes, decisions: Decision | None, active: jax.Array) -> Intake:
        """Measures the returns; all gradient steps learn from these episodes, and nothing is kept of them: what was
        played under another policy teaches nothing."""
        if decisions is None:
            raise ValueError(
                "on-policy learning needs what stood behind the actions: call learn(state, episodes, decisions)"
            )
        before, scale = state.extra["scale"], self._rescaled(state, episodes)
        measured = still_finite(scale, before)
        taken = state.replace(healthy=state.healthy & measured).with_extra(scale=choose(measured, scale, before))
        batch = _Batch(episodes, decisions, taken.extra)
        key = jax.random.split(learning_key(state))[1]  # that of the first gradient step: all act again alike
        return Intake(state=taken, draw=lambda _: (batch, key))

    def unroll_batch(self, params: Any, state: LearnerState, batch: _Batch, key: jax.Array) -> tuple:
        """See `Learner`; under the edit that the actions were chosen under."""
        acted = state.with_extra(**batch.extra)
        return self.unroll(params, acted, batch.episodes, batch.decisions, key), batch.episodes

    def unroll(
        self, params: Any, state: LearnerState, episodes: Episodes, decisions: Decision, key: jax.Array
    ) -> PolicyUnroll:
        """What policy and critic make of the episodes [B, ...] that the decisions stood behind.

        Args:
          params: as `state.params`; gradient passes to these only.
          state: hyper-parameters, scale of the returns, and the edit in force.
          episodes, decisions: as for `learn`.
          key: for the step after the last, at which nobody acted; only the critic looks at it.
        """
        memory, logits, messages, auxiliary = self._act_again(
            params, episodes, decisions, key, self.learning_edit(state)
        )
        steps, returns = episodes.valid.shape[1], state.extra["scale"]
        logits = self.actions.scores(logits, episodes.action_mask)
        policy = distrax.Categorical(logits=logits[:, :steps])
        weight = (episodes.valid[..., None] & episodes.alive[:, :steps]).astype(jnp.float32)
        scale = returns.deviation()
        value = returns.mean + scale * self.critic.apply(params["critic"], memory, episodes.global_state)
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
        inputs = self.episode_inputs(episodes)

        def step(memory: Any, x: tuple) -> tuple[Any, tuple]:
            mask, *given = x
            memory, *outputs = run_agent(
                self.agent, params["agent"], memory, *given, edit, method="step", training=True, action_mask=mask
            )
            return memory, (_hidden(memory), *outputs)

        start = self.initial_memory(inputs.shape[0]).hidden
        time_first = (jnp.moveaxis(x, 1, 0) for x in (episodes.action_mask, inputs, episodes.alive))
        _, outputs = jax.lax.scan(step, start, (*time_first, keys))
        return jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), outputs)

    def _advantage(self, episodes: Episodes, value: jax.Array, hparams: OnPolicyHParams) -> jax.Array:
        """[B, T, N], in units of reward; `value` [B, T+1, N]."""
        reward = shared_reward(episodes.reward, hparams.team_share)
        ends = episodes.terminal, episodes.valid
        return generalized_advantage(reward, value, *ends, hparams.discount, hparams.gae_lambda)

    def _rescaled(self, state: LearnerState, episodes: Episodes) -> ReturnScale:
        """The scale with the discounted returns of these episodes, as far as they were played."""
        if not self.config.normalize_returns:
            return state.extra["scale"]
        nothing = jnp.zeros((*episodes.valid.shape[:1], episodes.valid.shape[1] + 1, self.task.num_agents), jnp.float32)
        returns = self._advantage(episodes, nothing, state.hparams.replace(gae_lambda=1.0))
        batches = state.episodes.astype(jnp.float32) / self.config.num_envs + 1.0
        return state.extra["scale"].after(returns, episodes.valid, batches)


def _hidden(memory: Any) -> jax.Array:
    return getattr(memory, "hidden", memory)  # beside messages under way, where they take time
