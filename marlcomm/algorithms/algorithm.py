"""An algorithm bound to a task: four pure functions, and the ways to change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from marlcomm import renamed
from marlcomm.algorithms.arguments import check_losses
from marlcomm.algorithms.description import describe
from marlcomm.algorithms.optimizers import refuse_unused
from marlcomm.envs.api import Environment, Observation
from marlcomm.learners.base import Learner, with_delay
from marlcomm.learners.collect import collect, team_return
from marlcomm.learners.config import GROUPS, check_range
from marlcomm.learners.off_policy import OffPolicyLearner
from marlcomm.learners.schedules import share_done
from marlcomm.learners.state import AgentMemory, Decision, as_played, playing_key, who_plays
from marlcomm.learners.update import Loss
from marlcomm.messages.edits import Edit
from marlcomm.short_repr import html_table, short
from marlcomm.types import Episodes, Scalar
from marlcomm.validation import UsageError, as_type, did_you_mean, to_python

_FIRST = 1  # tells the key of the first episodes from that of the second, where one policy plays both


@dataclass(frozen=True)
class Algorithm:
    """A task, a learner and default hyper-parameters. What it does is pure, and may be jitted and vmapped.

    Attributes:
      name: such as "ndq".
      env: the task.
      learner: how parameters move.
      hparams: defaults of what may be traced.
      settings: the settings that its factory was given, so that a saved run can make it again; None where it was
        put together by hand. A run folder holds them only if all are numbers, flags and words.
      aliases: short names of hyper-parameters, such as beta -> weights.succinctness.
    """

    name: str
    env: Environment
    learner: Learner
    hparams: Any  # the learner's, see `HParams`
    settings: Mapping[str, Any] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.policy_lag and not isinstance(self.learner, OffPolicyLearner):
            raise UsageError(
                f"policy_lag={self.policy_lag}: {self.learner.TITLE} learns from episodes of its own policy only: "
                "leave it at 0, or take a method that learns from replay, such as qmix or maddpg"
            )

    def __repr__(self) -> str:
        given = "".join(f", {name}={short(value)}" for name, value in (self.settings or {}).items())
        return f"{self.name}({short(self.env)}{given})"

    def _repr_html_(self) -> str:
        env, agent = self.env, getattr(self.learner, "agent", None)
        channel = getattr(agent, "channel", None)
        hparams = {name: getattr(self.hparams, name) for name in _plain_names(self.hparams)}
        hparams |= _numbers_in_groups(self.hparams)
        rows = [
            ("task", f"{env.num_agents} agents, {env.num_actions} actions, at most {env.horizon} steps"),
            ("channel", type(channel).__name__ if channel is not None else type(agent).__name__),
            ("learner", type(self.learner).__name__),
            ("losses", ", ".join(self.learner.losses)),
            ("hyper-parameters", ", ".join(f"{name}={float(value):g}" for name, value in hparams.items())),
        ]
        return html_table(repr(self), rows)

    def init(self, key: jax.Array, hparams: Any = None) -> Any:
        """The learner's state before training (see `LearnerState`); the key decides the whole run."""
        state = self.learner.init(key, self.hparams if hparams is None else hparams)
        if not self.policy_lag:
            return state
        first = state.replace(key=jax.random.fold_in(state.key, _FIRST))  # who learns first also plays second
        return state.with_extra(behind=as_played(first))

    @property
    def policy_lag(self) -> int:
        """Training steps by which the policy that plays is behind the one that learns."""
        return self.env.policy_lag

    def step(self, state: Any, total_steps: Scalar = float("inf")) -> tuple[Any, dict[str, jax.Array]]:
        """Collects one episode in each environment and learns.

        Args:
          state: from `init` or the last step.
          total_steps: environment steps of the whole run: then the state no longer changes, and schedules that follow
            the run's progress, a task's curriculum too, end there. Without a limit there is no curriculum.

        Returns:
          the new state, and metrics, each []: losses, `return`, `won`, `exploration`, `episode_length`.
        """
        playing = who_plays(state)
        episodes, decisions, _ = self.play(playing.params, **self.begin_step(playing, total_steps), training=True)
        return self.finish_step(state, episodes, decisions, total_steps)

    def begin_step(self, state: Any, total_steps: Scalar = float("inf")) -> dict[str, Any]:
        """How the policy of a state plays in training: arguments of `play` by name, but for the parameters."""
        return {
            "key": playing_key(state),
            "exploration": self.learner.exploration(state),
            "edit": self.learner.edit(state),
            "progress": jnp.where(jnp.isfinite(total_steps), share_done(state.env_steps, total_steps), 1.0),
        }

    def finish_step(
        self, state: Any, episodes: Episodes, decisions: Decision | None = None, total_steps: Scalar = float("inf")
    ) -> tuple[Any, dict[str, jax.Array]]:
        """What `step` does once it has played as `begin_step` says: `learn`, with the metrics of `step`."""
        learned, metrics = self.learn(state, episodes, decisions, total_steps)
        if self.policy_lag:
            learned = learned.with_extra(behind=as_played(state))
        return learned, metrics | {
            "return": team_return(episodes).mean(),
            "won": episodes.won.mean(),
            "episode_length": episodes.valid.sum(1).mean(),
            "exploration": self.learner.exploration(state),
        }

    def play(
        self,
        params: Any,
        key: jax.Array,
        *,
        num_envs: int | None = None,
        exploration: Scalar = 0.0,
        edit: Edit | None = None,
        progress: Scalar = 1.0,
        training: bool = False,
    ) -> tuple[Episodes, Decision, Any]:
        """Whole episodes of the team.

        Gives the episodes [B, ...], what stood behind each action [B, T, ...], and the environments' states
        [B, T+1, ...].

        Args:
          params: `state.params`.
          key: decides everything.
          num_envs: B, episodes to play; by default the learner's own number.
          exploration: share of exploring actions; 0 is the team at its best, as it is evaluated.
          edit: what happens to the messages on their way.
          progress: how far training is, 0 .. 1, for tasks with a curriculum; 1 is the task itself.
          training: whether the team trains; static, and read by channels only.
        """
        count = self.learner.config.num_envs if num_envs is None else num_envs
        learner, edit = with_delay(self.learner, edit)

        def policy(observation: Observation, memory: AgentMemory, key: jax.Array) -> tuple:
            return learner.act(params, observation, memory, key, exploration, edit, training)

        return collect(self.env, policy, learner.initial_memory(count), count, key, progress)

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
        """See the learner's `act`."""
        return self.learner.act(params, observation, memory, key, exploration, edit, training)

    def learn(
        self, state: Any, episodes: Episodes, decisions: Decision | None = None, total_steps: Scalar = float("inf")
    ) -> tuple[Any, dict[str, jax.Array]]:
        """See the learner's `learn`: the half of `step` for simulators outside JAX.

        `decisions` [B, T, ...] is what `act` gave beside the actions; the value learner does without it.
        """
        return self.learner.learn(state, episodes, decisions, total_steps)

    def with_loss(self, name: str, loss: Loss, weight: float) -> Algorithm:
        """The same algorithm with one more loss, or another one under a name that exists.

        Args:
          name: of the loss in metrics; its weight becomes the hyper-parameter `weights.<name>`.
          loss: `f(unroll, episodes, hparams) -> (scalar, metrics)`.
          weight: may be swept like any hyper-parameter.

        Raises:
          UsageError: the loss cannot be called, or the weight is no number.
        """
        losses, weights = check_losses(
            {**self.learner.losses, name: loss}, {**self.hparams.weights, name: as_type("weight", weight, float)}
        )
        learner = replace(self.learner, losses=losses)  # pyright: ignore[reportArgumentType]
        return replace(self, learner=learner, hparams=self.hparams.replace(weights=weights), settings=None)

    def with_hparams(self, **changes: float) -> Algorithm:
        """The same algorithm with other hyper-parameters; names as in `hparam_names()`."""
        settings = None if self.settings is None else {**self.settings, **to_python(changes)}
        return replace(self, hparams=set_hparams(self, changes), settings=settings)

    def describe(self) -> dict[str, Any]:
        """Everything that decides a run, as JSON can hold it: what run folders record and compare.

        `resolved` holds every value and what every part is made of, `code` checksums of code that no library brings.
        """
        hparams = {name: getattr(self.hparams, name) for name in _plain_names(self.hparams)}
        names = {field.name for field in fields(self.learner)} - {"task", "config", "losses"}  # pyright: ignore
        parts = {name: getattr(self.learner, name) for name in sorted(names)}
        described, code = describe({**parts, "loss_terms": self.learner.losses, "task": self.env})
        made_by = getattr(self.env, "made_by", None)
        return {
            "algorithm": self.name,
            "task": made_by[0] if made_by else type(self.env).__name__,
            "task_options": made_by[1] if made_by else None,
            "settings": dict(self.settings) if self.settings is not None and _is_plain(self.settings) else None,
            "resolved": {
                **asdict(self.learner.config),
                **{name: float(value) for name, value in (hparams | _numbers_in_groups(self.hparams)).items()},
                "losses": list(self.learner.losses),
                **described,
            },
            "code": code,
        }

    def hparam_names(self) -> list[str]:
        """Every name that a sweep or `--set` can use for a traced hyper-parameter."""
        return [
            *self.aliases,
            *_plain_names(self.hparams),
            *_numbers_in_groups(self.hparams),
        ]


def set_hparams(algorithm: Algorithm, changes: Mapping[str, Any]) -> Any:
    """The algorithm's hyper-parameters with `changes` by name.

    Raises:
      UsageError: a name that does not exist, what is no number in its range, or what an own optimizer never asks for.
    """
    refuse_unused(getattr(algorithm.learner, "optimizer", None), changes)
    return changed_hparams(algorithm, changes)


def changed_hparams(algorithm: Algorithm, changes: Mapping[str, Any]) -> Any:
    """As `set_hparams`, whatever the optimizer asks for."""
    hparams = algorithm.hparams
    for name, given in renamed.with_todays_names(changes, algorithm.hparam_names()).items():
        value = as_type(name, given, float)
        path = algorithm.aliases.get(name, name)
        group, dot, leaf = path.partition(".")
        if dot and group in GROUPS and leaf in getattr(hparams, group):
            check_range(algorithm.learner.schedule.ranges if group == "training_edit" else {}, leaf, value)
            hparams = hparams.replace(**{group: {**getattr(hparams, group), leaf: value}})
        elif not dot and path in _plain_names(hparams):
            check_range(hparams.RANGES, path, value)
            hparams = hparams.replace(**{path: value})
        else:
            raise UsageError(_no_such_setting(algorithm, name))
    return hparams


def _no_such_setting(algorithm: Algorithm, name: str) -> str:
    static = [field.name for field in fields(algorithm.learner.config)]
    channel = getattr(algorithm.learner.agent, "channel", None)
    of_channel = [field.name for field in fields(channel)] if is_dataclass(channel) else []
    if name in static or name.removeprefix("channel.") in of_channel:
        return f"{name} fixes a shape, a branch or a constant, so is no hyper-parameter: give it where it is made."
    known = algorithm.hparam_names()
    return f"no hyper-parameter {name!r}.{did_you_mean(name, [*known, *static])} There are: {', '.join(known)}."


def _plain_names(hparams: Any) -> list[str]:
    return [field.name for field in fields(hparams) if field.name not in GROUPS]


def _numbers_in_groups(hparams: Any) -> dict[str, Any]:
    """The numbers that are called by two words, such as `weights.entropy`."""
    return {f"{group}.{name}": value for group in GROUPS for name, value in getattr(hparams, group).items()}


def _is_plain(settings: Mapping[str, Any]) -> bool:
    """Whether a run folder can hold them: it keeps numbers and words, no code."""
    return all(isinstance(value, bool | int | float | str | None) for value in settings.values())
