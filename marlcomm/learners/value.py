"""The value learner: recurrent double Q-learning on whole episodes, for any channel and mixer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from marlcomm.learners.actions import GreedyActions
from marlcomm.learners.config import LearnerConfig, OffPolicyHParams, Ranges, check_range
from marlcomm.learners.joint_critic import Part
from marlcomm.learners.off_policy import OffPolicyLearner
from marlcomm.learners.packing import EXACT, check_precision
from marlcomm.learners.replay import EpisodeReplay
from marlcomm.learners.schedules import Progress, explored
from marlcomm.learners.state import AgentMemory, LearnerState
from marlcomm.losses.temporal_difference import double_q_target, lambda_return
from marlcomm.messages.edits import Edit
from marlcomm.types import ActionValues, Episodes, Scalar, Unroll
from marlcomm.validation import UsageError


@dataclass(frozen=True)
class ValueConfig(LearnerConfig):
    """What fixes a shape or a branch; a change recompiles. The defaults are PyMARL's and NDQ's.

    Attributes:
      num_envs, agent_id, last_action: see `LearnerConfig`.
      batch_episodes: episodes in a learning batch.
      replay_episodes: episodes kept for replay.
      updates_per_step: gradient steps after every collection.
      target_interval: gradient steps between copies into the target network (0: moved softly by `target_rate`).
      td_lambda: 0 learns from one-step targets, above from lambda-returns (see `lambda_return`), which reach farther
        back at once and are biased by what was explored; 1 learns from whole returns.
      replay_precision: of observations in replay: "exact", or "bfloat16" for half the memory of those that are kept
        as float32, rounded to three digits.
    """

    batch_episodes: int = 32
    replay_episodes: int = 5000
    updates_per_step: int = 1
    target_interval: int = 13
    td_lambda: float = 0.0
    replay_precision: str = EXACT

    COUNTS: ClassVar[tuple[str, ...]] = ("num_envs", "batch_episodes", "replay_episodes", "updates_per_step")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_precision(self.replay_precision)
        if self.target_interval < 0:
            raise ValueError(f"target_interval is {self.target_interval}: must be at least 0 (0 for soft updates)")
        check_range({"td_lambda": (0.0, 1.0)}, "td_lambda", self.td_lambda)
        if self.replay_episodes < max(self.batch_episodes, self.num_envs):
            raise ValueError(
                f"replay_episodes is {self.replay_episodes}: must hold at least batch_episodes "
                f"({self.batch_episodes}) and num_envs ({self.num_envs}) episodes"
            )


class ValueHParams(OffPolicyHParams):
    """Numbers that may be traced; see `LearnerHParams`."""

    learning_rate: Scalar = 5e-4
    learning_rate_decay_to: Scalar = 0.1  #: as in `LearnerHParams`
    exploration_steps: Scalar = 150_000  #: as in `OffPolicyHParams`
    overestimate_weight: Scalar = 0.5  #: of errors above an episode's outcome; 1 once exploration is at its final

    RANGES: ClassVar[Ranges] = OffPolicyHParams.RANGES | {"overestimate_weight": (0.0, 1.0)}


@dataclass(frozen=True, kw_only=True)
class ValueLearner(OffPolicyLearner):
    """Recurrent double Q-learning for a communicating agent and a mixer.

    See `Learner` for the other attributes.

    Attributes:
      mixer: a flax module [..., N] values, [..., S] state -> [..., G]; its field `team` says whether G is 1. Or, where
        its class has `reads_actions` True, (`ActionValues`, [..., S]) -> ([..., G], named arrays for its losses).
      config: what fixes shapes and branches.
      parts: networks that a method's losses ask beside the team's, by the name of their parameters.
    """

    mixer: Any
    config: ValueConfig
    parts: Mapping[str, Part] = field(default_factory=dict)

    TITLE: ClassVar[str] = "the value learner"

    @property
    def actions(self) -> GreedyActions:
        """The best by value, but for a share `exploration` of random ones."""
        return GreedyActions(self.task.num_actions)

    @property
    def updates_per_step(self) -> int:
        """Gradient steps after every collection."""
        return self.config.updates_per_step

    @property
    def target_interval(self) -> int:
        """Gradient steps between copies into the target networks; 0 moves them softly at every one."""
        return self.config.target_interval

    @property
    def replay(self) -> EpisodeReplay:
        """Whole episodes."""
        c = self.config
        return EpisodeReplay(self.task, c.replay_episodes, c.batch_episodes, c.replay_precision)

    def init_networks(self, key: jax.Array, memory: AgentMemory) -> dict[str, Any]:
        """The mixer's parameters, and those of each part.

        Raises:
          UsageError: the mixer does not give what a mixer must give.
        """
        n, state_size = self.task.num_agents, self.task.state_size
        keys = {name: jax.random.fold_in(key, 1 + number) for number, name in enumerate(self.parts)}
        nothing = jnp.zeros((1, n, self.task.num_actions))
        values = ActionValues(nothing, nothing == 0, jnp.zeros((1, n), jnp.int32))
        mixed, mixer = self.mixer.init_with_output(key, self._mixed(values), jnp.zeros((1, state_size)))
        self._check_mixed(mixed)
        return {
            "mixer": mixer,
            **{name: part.init(keys[name], self.task) for name, part in self.parts.items()},
        }

    def hparams_now(self, state: LearnerState, progress: Progress) -> Any:
        """The learning rate follows the run, `overestimate_weight` exploration."""
        h = super().hparams_now(state, progress)
        leaning = h.overestimate_weight
        return h.replace(overestimate_weight=leaning + explored(state) * (1.0 - leaning))

    def loss_keys(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Of a batch's key, that of `unroll_batch` and that of the edit schedule."""
        unroll_key, edit_key = jax.random.split(key)
        return unroll_key, edit_key

    def unroll(
        self, params: Any, target_params: Any, batch: Episodes, hparams: Any, key: jax.Array, edit: Edit | None = None
    ) -> Unroll:
        """See `OffPolicyLearner`; whole episodes, of which losses read values and their double Q-learning targets."""
        online_key, target_key = jax.random.split(key)
        q, messages, auxiliary = self.run_episodes(params, batch, online_key, edit)
        target_q, _, target_auxiliary = jax.lax.stop_gradient(self.run_episodes(target_params, batch, target_key, edit))
        now, then = slice(None, -1), slice(1, None)
        mask, state = batch.action_mask, batch.global_state
        best = ActionValues(q[:, then], mask[:, then], batch.action).greedy.action
        value, mixing = self.mix(params, ActionValues(q[:, now], mask[:, now], batch.action), state[:, now])
        next_value, _ = self.mix(target_params, ActionValues(target_q[:, then], mask[:, then], best), state[:, then])
        reward = batch.reward.mean(-1, keepdims=True) if self.mixer.team else batch.reward
        # agents that are not alive are taught too: what follows is worth what it gives, and is bootstrapped from
        weight = jnp.broadcast_to(batch.valid[..., None], reward.shape).astype(jnp.float32)
        target = self._target(reward, batch, next_value, hparams.discount)
        unroll = Unroll(q, target_q, value, target, weight, messages, auxiliary)
        unroll = unroll._replace(target_auxiliary=target_auxiliary, mixing=mixing)
        for name, part in self.parts.items():
            found = part.unroll(params[name], target_params[name], batch, hparams.discount)
            unroll = unroll._replace(**found)
        return unroll

    def mix(self, params: Any, values: ActionValues, state: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        """[..., G] values that are trained, and what else the mixer reports, of [..., N, A] and [..., S]."""
        mixed = self.mixer.apply(params["mixer"], self._mixed(values), state)
        return mixed if _reads_actions(self.mixer) else (mixed, {})

    def _target(self, reward: jax.Array, batch: Episodes, next_value: jax.Array, discount: Scalar) -> jax.Array:
        """[B, T, G] what values learn from, of rewards and next values of that shape."""
        if self.config.td_lambda == 0:
            return double_q_target(reward, batch.terminal, next_value, discount)
        return lambda_return(reward, batch.terminal, batch.valid, next_value, discount, self.config.td_lambda)

    def _check_mixed(self, mixed: Any) -> None:
        """Raises UsageError where this is not what the mixer makes of the values [1, N] of one step."""
        name, groups = type(self.mixer).__name__, 1 if self.mixer.team else self.task.num_agents
        if _reads_actions(self.mixer):
            if not (isinstance(mixed, tuple) and len(mixed) == 2 and isinstance(mixed[1], dict)):
                raise UsageError(f"{name} reads actions, so it must give two things: values, and named arrays ({{}}).")
            mixed = mixed[0]
        if jnp.shape(mixed) != (1, groups):
            raise UsageError(
                f"{name} gives shape {jnp.shape(mixed)} for one step: must be {(1, groups)}, as team={self.mixer.team}"
            )

    def _mixed(self, values: ActionValues) -> ActionValues | jax.Array:
        """What the mixer is given: the values of the chosen actions, unless it reads all."""
        return values if _reads_actions(self.mixer) else values.chosen


def _reads_actions(mixer: Any) -> bool:
    return getattr(mixer, "reads_actions", False)
