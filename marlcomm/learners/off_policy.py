"""What learners share that learn from replay and have target networks."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from marlcomm.learners.base import Intake, Learner
from marlcomm.learners.schedules import linear_exploration
from marlcomm.learners.state import Decision, LearnerState
from marlcomm.learners.update import choose
from marlcomm.messages.edits import Edit
from marlcomm.types import Episodes


@dataclass(frozen=True, kw_only=True)
class OffPolicyLearner(Learner):
    """Stores episodes in replay, learns from batches of it, and lets target networks follow.

    Until replay holds a batch, nothing is learned. What stood behind the actions is not read: values and critics are
    learned from any behavior.
    """

    @property
    @abc.abstractmethod
    def replay(self) -> Any:
        """What episodes are kept in: see `EpisodeReplay` and `StepReplay`."""

    @property
    def target_interval(self) -> int:
        """Gradient steps between copies into the target networks; 0 moves them softly at every one."""
        return 0

    def init_extra(self, params: Any) -> dict[str, Any]:
        """Target networks and an empty replay."""
        return {"target_params": jax.tree.map(jnp.copy, params), "replay": self.replay.init()}

    def exploration(self, state: LearnerState) -> jax.Array:
        """[] how much is explored at this point of training."""
        return linear_exploration(state)

    def take_in(self, state: LearnerState, episodes: Episodes, decisions: Decision | None, active: jax.Array) -> Intake:
        """Adds the episodes to replay, of which batches are drawn."""
        replay = self.replay.add(state.replay, episodes)

        def draw(key: jax.Array) -> tuple[Episodes, jax.Array]:
            sample_key, loss_key = jax.random.split(key)
            return self.replay.sample(replay, sample_key), loss_key

        return Intake(
            state=state.without_replay(),
            draw=draw,
            ready=self.replay.can_sample(replay),
            kept={"replay": keep_pointers(active, replay, state.replay)},
        )

    def unroll_batch(self, params: Any, state: LearnerState, batch: Episodes, key: jax.Array) -> tuple[Any, Episodes]:
        """See `Learner`."""
        edit = self.learning_edit(state)
        return self.unroll(params, state.target_params, batch, state.hparams, key, edit), batch

    @abc.abstractmethod
    def unroll(
        self, params: Any, target_params: Any, batch: Episodes, hparams: Any, key: jax.Array, edit: Edit | None = None
    ) -> Any:
        """What online and target networks make of a batch of episodes [B, ...]; no gradient into the targets.

        Args:
          params: as `state.params`; target_params: the same.
          batch: as replay gives it.
          hparams: as `hparams_now` gives them.
          key: randomness of messages and edit, and of actions that are drawn.
          edit: what happens to the messages on their way.
        """

    def after_update(self, state: LearnerState, taken: jax.Array) -> LearnerState:
        """Moves the target networks."""
        params, target = state.params, state.target_params
        if self.target_interval == 0:
            rate = jnp.where(taken, state.hparams.target_rate, 0.0)
            return state.with_extra(target_params=optax.incremental_update(params, target, rate))
        due = taken & (state.updates % self.target_interval == 0)
        return state.with_extra(target_params=choose(due, params, target))


def keep_pointers(active: jax.Array, replay: Any, before: Any) -> Any:
    """The replay with new contents, but pointing to what `before` points to where not `active`.

    Contents are not selected, which would copy them: what an inactive member writes beyond its pointers are the
    episodes that its unchanged key will give again.
    """
    pointers = choose(active, replay.replace(experience=None), before.replace(experience=None))
    return pointers.replace(experience=replay.experience)
