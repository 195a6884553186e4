"""RGMComm's released order of work: first an ideal team, then labels from its critic, then a team that hears them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.learners.state import LearnerState, with_params
from marlcomm.training.drivers import CompiledProgram, Player, driver_of
from marlcomm.training.loop import TrainResult, train
from marlcomm.training.population import Population
from marlcomm.training.schedule import make_schedule
from marlcomm.types import Episodes
from marlcomm.validation import check_above_zero, check_count

EXPLORING = 0.3  # share of random actions in the episodes that labels are fitted to, so that critics are asked widely


class PipelineResult(NamedTuple):
    """What the three stages gave.

    `fit` holds the metrics of the second: name -> [P, updates], such as the loss, `labels`.
    """

    ideal: TrainResult
    fit: dict[str, jax.Array]
    team: TrainResult


def train_pipeline(
    ideal: Algorithm,
    team: Algorithm,
    *,
    steps: int,
    ideal_steps: int | None = None,
    seeds: int | Sequence[int] = 1,
    updates: int = 500,
    episodes: int = 256,
    learning_rate: float = 2e-3,
    warm: bool = True,
    out: str | Path | None = None,
    **options: Any,
) -> PipelineResult:
    """Trains in three stages, each seed by itself: the ideal team, the labels, the team that hears them.

    Args:
      ideal: a team that sees everything, such as `maddpg(env, channel=SharedChannel(), critics_see="observations")`.
      team: the same learner with a `ClusterChannel` and the loss `labels`, such as `rgmcomm(env, message_rate=0.0)`;
        with another rate than 0, labels go on learning.
      steps: environment steps of the team; ideal_steps: of the ideal one, by default as many.
      seeds: how many, or which.
      updates: gradient steps on the labels, by Adam (released: 70, on one batch).
      episodes: of the ideal team, exploring, that labels are fitted to; every update sees an eighth of them.
      learning_rate: of these updates (released: 2e-3).
      warm: whether the team begins with the ideal team's critics, as released, or with new ones.
      out: a folder, for the runs `ideal` and `team`; with `resume=True` finished stages are read from it.
      **options: as for `train`, the same for both runs.

    Raises:
      ValueError: the two algorithms do not fit, a number that cannot be, or as `train`; before anything is trained.
    """
    _require_fit(ideal, team, warm)
    steps = check_count("steps", steps)
    ideal_steps = steps if ideal_steps is None else check_count("ideal_steps", ideal_steps)
    for algorithm, length in ((ideal, ideal_steps), (team, steps)):
        make_schedule(algorithm, length, 1)  # refuses more than can be counted
    updates, episodes = check_count("updates", updates), check_count("episodes", episodes)
    learning_rate = check_above_zero("learning_rate", learning_rate)
    folders = {name: None if out is None else Path(out) / name for name in ("ideal", "team")}
    first = train(ideal, steps=ideal_steps, seeds=seeds, out=folders["ideal"], **options)
    start = first.population.own(first.population.init(team).params)
    params, fit = fit_labels(
        ideal,
        first.params,
        team,
        start,
        seeds=first.population.seeds,
        updates=updates,
        episodes=episodes,
        learning_rate=learning_rate,
    )

    def prepare(state: LearnerState) -> LearnerState:
        chosen = {**params, **({k: v for k, v in first.params.items() if k != "agent"} if warm else {})}
        return with_params(state, chosen)

    second = train(team, steps=steps, seeds=seeds, out=folders["team"], prepare=prepare, **options)
    return PipelineResult(first, fit, second)


def _require_fit(ideal: Algorithm, team: Algorithm, warm: bool) -> None:
    """Raises ValueError where the stages would find out only later that they do not fit."""
    if "labels" not in team.learner.losses:
        raise ValueError(f"{team.name} has no loss called labels: nothing would teach its messages")
    if getattr(ideal.learner.config, "critics_see", None) != "observations":
        raise ValueError(f'{ideal.name}\'s critics do not see what others see: give it critics_see="observations"')
    key = jax.random.PRNGKey(0)
    critics = [jax.tree.map(jnp.shape, jax.eval_shape(each.init, key).params["critic"]) for each in (ideal, team)]
    if warm and critics[0] != critics[1]:
        raise ValueError("the two teams' critics differ in shape: give both the same hidden and layers, or warm=False")


def fit_labels(
    ideal: Algorithm,
    ideal_params: Any,
    team: Algorithm,
    params: Any,
    *,
    seeds: Sequence[int],
    updates: int = 500,
    episodes: int = 256,
    learning_rate: float = 2e-3,
) -> tuple[Any, dict[str, jax.Array]]:
    """Fits a team's message network to the action values of an ideal team's critics; its other parameters stay.

    Args:
      ideal: an algorithm of the actor-critic learner; ideal_params: its parameters, leading axis P.
      team: with a `ClusterChannel` and the loss `labels`; params: its parameters, leading axis P.
      seeds: [P] one a member; they decide what is played, and which of it each update sees.
      updates, episodes, learning_rate: as for `train_pipeline`.

    Returns:
      the team's parameters, and metrics [P, updates].
    """
    optimizer = optax.adam(learning_rate)
    batch = max(episodes // 8, 1)
    valuing: Any = ideal.learner
    learning: Any = team.learner

    def fit(ideal_params: Any, params: Any, played: Episodes, key: jax.Array) -> tuple[Any, dict[str, jax.Array]]:
        def loss(params: Any, key: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
            chosen = jax.random.choice(key, episodes, (batch,), replace=False)
            seen = jax.tree.map(lambda x: x[chosen], played)
            valued = valuing.unroll(ideal_params, ideal_params, seen, ideal.hparams, key)
            said = learning.unroll(params, params, seen, team.hparams, key).auxiliary
            value, metrics = learning.losses["labels"](valued._replace(auxiliary=said), seen, team.hparams)
            return value, {"labels": value} | metrics

        def update(carry: tuple[Any, Any], key: jax.Array) -> tuple[tuple[Any, Any], dict[str, jax.Array]]:
            params, memory = carry
            gradient, metrics = jax.grad(loss, has_aux=True)(params, key)
            change, memory = optimizer.update(gradient, memory, params)
            return (optax.apply_updates(params, change), memory), metrics

        keys = jax.random.split(key, updates)
        (params, _), metrics = jax.lax.scan(update, (params, optimizer.init(params)), keys)
        return params, metrics

    population = Population(tuple(seeds), ({},) * len(seeds))
    play_keys, fit_keys = jax.vmap(jax.random.split, out_axes=1)(population.keys())
    played = driver_of(ideal).measurer(_explore, ideal, episodes, population)(ideal_params, play_keys)
    program = CompiledProgram(jax.jit(jax.vmap(fit)), 1, "fitting labels", f"lower episodes={episodes}")
    return program(ideal_params, params, played, fit_keys)


def _explore(player: Player, key: jax.Array) -> Episodes:
    return player.play(key, exploration=EXPLORING).episodes
