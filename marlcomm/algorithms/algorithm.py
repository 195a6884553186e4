"""An algorithm bound to a task: four pure functions, and the ways to change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import chex
import jax
import jax.numpy as jnp

from marlcomm.envs.api import Environment, Observation
from marlcomm.learners.collect import collect, team_return
from marlcomm.learners.value import (
    AgentMemory,
    Decision,
    Loss,
    TrainState,
    ValueHParams,
    ValueLearner,
    select,
)
from marlcomm.messages.edits import Edit
from marlcomm.types import Episodes


@dataclass(frozen=True)
class Algorithm:
    """A task, a learner and default hyper-parameters. Everything it does is pure and may be jitted and vmapped.

    Attributes:
      name: such as "ndq".
      env: the task.
      learner: how parameters move.
      hparams: defaults of what may be traced.
      settings: every setting by name as resolved, for records.
      aliases: short names of hyper-parameters, such as beta -> weights.succinctness.
    """

    name: str
    env: Environment
    learner: ValueLearner
    hparams: ValueHParams
    settings: Mapping[str, Any] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def init(self, key: chex.PRNGKey, hparams: ValueHParams | None = None) -> TrainState:
        """The state before training; the key decides the whole run."""
        return self.learner.init(key, self.hparams if hparams is None else hparams)

    def step(
        self, state: TrainState, limit: chex.Numeric = jnp.iinfo(jnp.int32).max
    ) -> tuple[TrainState, dict[str, chex.Array]]:
        """Collects one episode in each environment, stores them and learns.

        Args:
          state: from `init` or the last step.
          limit: environment steps after which the state no longer changes (a member of a population that is done).

        Returns:
          the new state, and metrics, each []: losses, `return`, `won`, `epsilon`, `episode_length`.
        """
        play_key, key = jax.random.split(state.key)
        epsilon = self.learner.epsilon(state)
        edit = self.learner.training_edit
        episodes, _, _ = self.play(state.params, play_key, epsilon=epsilon, edit=edit)
        learned, metrics = self.learn(state.replace(key=key), episodes)
        metrics |= {
            "return": team_return(episodes).mean(),
            "won": episodes.won.mean(),
            "episode_length": episodes.valid.sum(1).mean(),
            "epsilon": epsilon,
        }
        active = state.healthy & (state.env_steps < limit)
        # a member that fails now is marked, and otherwise stays as it was before this step
        stay = state.replace(healthy=state.healthy & (learned.healthy | ~active))
        return select(active & learned.healthy, learned, stay), metrics

    def play(
        self,
        params: Any,
        key: chex.PRNGKey,
        *,
        num_envs: int | None = None,
        epsilon: chex.Numeric = 0.0,
        edit: Edit | None = None,
    ) -> tuple[Episodes, Decision, Any]:
        """Whole episodes of the team: the episodes [B, ...], what stood behind each action [B, T, ...], and the
        environments' states [B, T+1, ...].

        Args:
          params: `state.params`.
          key: decides everything.
          num_envs: B, episodes to play; by default the learner's own number.
          epsilon: share of random actions.
          edit: what happens to the messages on their way.
        """
        count = self.learner.settings.num_envs if num_envs is None else num_envs

        def policy(observation: Observation, memory: AgentMemory, key: chex.PRNGKey) -> tuple:
            return self.learner.act(params, observation, memory, key, epsilon, edit)

        return collect(self.env, policy, self.learner.initial_memory(count), count, key)

    def act(
        self,
        params: Any,
        observation: Observation,
        memory: AgentMemory,
        key: chex.PRNGKey,
        epsilon: chex.Numeric = 0.0,
        edit: Edit | None = None,
    ) -> tuple[chex.Array, AgentMemory, Decision]:
        """See `ValueLearner.act`."""
        return self.learner.act(params, observation, memory, key, epsilon, edit)

    def learn(self, state: TrainState, episodes: Episodes) -> tuple[TrainState, dict[str, chex.Array]]:
        """See `ValueLearner.learn`: the half of `step` for simulators outside JAX."""
        return self.learner.learn(state, episodes)

    def with_loss(self, name: str, loss: Loss, weight: float) -> Algorithm:
        """The same algorithm with one more loss `f(unroll, episodes, hparams) -> (scalar, metrics)`, or another under
        a name that exists. The weight is a hyper-parameter, `weights.<name>`, and may be swept."""
        learner = replace(self.learner, losses={**self.learner.losses, name: loss})
        weights = {**self.hparams.weights, name: weight}
        return replace(self, learner=learner, hparams=self.hparams.replace(weights=weights))

    def with_hparams(self, **changes: float) -> Algorithm:
        """The same algorithm with other hyper-parameters; names as in `hparam_names()`."""
        return replace(self, hparams=set_hparams(self, changes))

    def hparam_names(self) -> list[str]:
        """Every name that a sweep or `--set` can use for a traced hyper-parameter."""
        return [*self.aliases, *_plain_names(self.hparams), *(f"weights.{name}" for name in self.hparams.weights)]


def set_hparams(algorithm: Algorithm, changes: Mapping[str, Any]) -> ValueHParams:
    """The algorithm's hyper-parameters with `changes` by name.

    Raises:
      ValueError: a name that does not exist.
    """
    hparams = algorithm.hparams
    for name, value in changes.items():
        path = algorithm.aliases.get(name, name)
        group, dot, leaf = path.partition(".")
        if dot and group == "weights" and leaf in hparams.weights:
            hparams = hparams.replace(weights={**hparams.weights, leaf: value})
        elif not dot and path in _plain_names(hparams):
            hparams = hparams.replace(**{path: value})
        else:
            raise ValueError(f"no hyper-parameter {name!r}: one of {', '.join(algorithm.hparam_names())}")
    return hparams


def _plain_names(hparams: ValueHParams) -> list[str]:
    return [name for name in hparams.__dataclass_fields__ if name != "weights"]
