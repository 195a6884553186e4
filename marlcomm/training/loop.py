"""The host's loop around compiled chunks: progress, evaluation, records, checkpoints, resuming."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.learners.state import LearnerState
from marlcomm.training.drivers import CannotPlay, CompiledDriver, Driver, PlayStopped, Program, driver_of
from marlcomm.training.evaluate import assess_player, check_episodes, on_host
from marlcomm.training.interrupt import stop_between_chunks
from marlcomm.training.memory import require_room
from marlcomm.training.policy import Policy, best_member, policy_of
from marlcomm.training.population import Population, make_population
from marlcomm.training.processes import agree, is_first, together, value_of_first
from marlcomm.training.progress import ProgressReport, Standing, standing
from marlcomm.training.record import RunFolder
from marlcomm.training.recorder import Recorder
from marlcomm.training.schedule import Schedule, few_updates, late_losses, make_schedule
from marlcomm.validation import UsageError, check_count, check_number

Prepare = Callable[[LearnerState], LearnerState]

FINAL_ROUNDS = 10  # the last evaluation counts: it is as large as this many of the others
EVALUATION = 1  # tells the keys of evaluations from those of training


@dataclass(frozen=True)
class TrainResult:
    """What training gives back.

    Attributes:
      algorithm: what was trained.
      population: seeds and hyper-parameters of the members.
      state: the final states, leading axis P.
      metrics: name -> array [time, P], a row a chunk; those of evaluations begin with `test_`, NaN between them.
      summary: what summary.json holds.
      folder: the run folder, or None.
    """

    algorithm: Algorithm
    population: Population
    state: LearnerState
    metrics: dict[str, np.ndarray]
    summary: dict[str, Any]
    folder: Path | None

    def __repr__(self) -> str:
        return f"TrainResult({self.algorithm!r}, {self.population!r}, folder={str(self.folder or '')!r})"

    def _repr_html_(self) -> str:
        return self.population.html(repr(self), self.metrics)

    @property
    def params(self) -> Any:
        """Parameters of all members, leading axis P."""
        return self.state.params

    def policy(self, member: int = 0) -> Policy:
        """One member, ready to act. Raises ValueError if there is no such member."""
        return policy_of(self.algorithm, self.population, self.params, member)

    def best(self) -> int:
        """The member with the highest return in its last evaluation; the first where there was none."""
        return best_member(self.metrics, len(self.population))


def train(
    algorithm: Algorithm,
    *,
    steps: int = 1_000_000,
    seeds: int | Sequence[int] = 1,
    seed: int = 0,
    hparams: Mapping[str, float | Sequence[float]] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    evaluations: int = 20,
    evaluation_episodes: int = 320,
    checkpoint_seconds: float = 30.0,
    tensorboard: bool = False,
    progress: bool = True,
    prepare: Prepare | None = None,
) -> TrainResult:
    """Trains a population: every seed with every combination of hyper-parameters, in one compiled program.

    Args:
      algorithm: what to train, bound to its task.
      steps: environment steps of each member; the batch of episodes in which they end is played to its end.
      seeds: how many seeds, or which.
      seed: the first seed where `seeds` is a number.
      hparams: name -> value or values to try; names as in `algorithm.hparam_names()`.
      out: a folder for the run; None keeps nothing on disk.
      resume: go on with the run in `out` from its newest whole checkpoint (or begin it, if there is none).
      evaluations: how often to evaluate, evenly over the steps; at most once after each batch of episodes.
      evaluation_episodes: greedy episodes of each evaluation; the last takes ten times as many.
      checkpoint_seconds: least time between checkpoints, seconds; 0 saves after every chunk.
      tensorboard: also write TensorBoard events (needs the extra `tensorboard`, and `out`).
      progress: whether to print progress to stderr.
      prepare: changes the members' first states (leading axis P), such as to begin with parameters learned before.

    Raises:
      UsageError: what is no algorithm, an argument out of its range, an unknown hyper-parameter, or more than memory
        can hold; a ValueError.
      RunFolderError: `out` is in the way, cannot be written, or holds another run.
      CheckpointError: `resume` found only damaged checkpoints.
      KeyboardInterrupt: after saving, if the run was interrupted.

    A member whose loss is not finite is frozen as it was before and reported; `summary` marks it `healthy: false`.
    """
    _check_algorithm(algorithm)
    return train_population(
        algorithm,
        make_population(algorithm, seeds, seed, hparams),
        steps=steps,
        out=out,
        resume=resume,
        evaluations=evaluations,
        evaluation_episodes=evaluation_episodes,
        checkpoint_seconds=checkpoint_seconds,
        tensorboard=tensorboard,
        progress=progress,
        prepare=prepare,
    )


def train_population(
    algorithm: Algorithm,
    population: Population,
    *,
    steps: int,
    out: str | Path | None = None,
    resume: bool = False,
    evaluations: int = 20,
    evaluation_episodes: int = 320,
    checkpoint_seconds: float = 30.0,
    tensorboard: bool = False,
    progress: bool = True,
    prepare: Prepare | None = None,
    title: str = "training",
    way_on: str | None = None,
) -> TrainResult:
    """As `train`, for members of any seeds and hyper-parameters; `title` names the run in its progress, and `way_on`
    what goes on with it once interrupted (None: `--resume`)."""
    counts = _check(algorithm, steps, evaluations, evaluation_episodes)
    checkpoint_seconds = check_number("checkpoint_seconds", checkpoint_seconds, 0.0, finite=False)
    if out is None and (resume or tensorboard):
        raise UsageError("resume and tensorboard need out, the folder of the run")
    if resume and out is not None:
        population = replace(population, block=value_of_first(RunFolder(out).block()))
    schedule = make_schedule(algorithm, counts["steps"], counts["evaluations"])
    shapes = jax.eval_shape(population.padded, population.template(algorithm))
    _check_processes(algorithm, population)
    takes = together(lambda: require_room(algorithm, shapes, population.mesh().size, saved=out is not None))
    with (
        ProgressReport(schedule.steps, len(population), progress and is_first(), title) as report,
        stop_between_chunks(report.say) as stopping,
        Recorder(algorithm, population, counts, out, checkpoint_seconds, report, way_on) as recorder,
    ):
        warnings = (takes, few_updates(algorithm, schedule), late_losses(algorithm, schedule))
        for warning in filter(None, warnings):
            report.say(warning, style="yellow")
        run = _Run(algorithm, population, schedule, counts["evaluation_episodes"], recorder, report)
        state = population.own(run.loop(run.begin(resume, tensorboard, prepare), stopping))
        summary = recorder.finish(state, run.found, run.driver.report().summary)
    return TrainResult(algorithm, population, state, recorder.metrics(), summary, recorder.path)


def _check(algorithm: Algorithm, steps: int, evaluations: int, evaluation_episodes: int) -> dict[str, int]:
    """What is counted in a run, by name. Raises UsageError: a count out of its range."""
    return {
        "steps": check_count("steps", steps),
        "evaluations": check_count("evaluations", evaluations),
        "evaluation_episodes": check_episodes(algorithm, "evaluation_episodes", evaluation_episodes),
    }


def _check_processes(algorithm: Algorithm, population: Population) -> None:
    """Raises UsageError where some of the processes that train together would have nothing to do."""
    busy, processes = {device.process_index for device in population.mesh().devices.flat}, jax.process_count()
    if len(busy) < processes:
        raise UsageError(
            f"{len(population)} members use the devices of {len(busy)} of {processes} processes: train at least "
            f"{len(jax.devices()) - jax.local_device_count() + 1} members, or start fewer processes"
        )
    if processes > 1 and not isinstance(driver_of(algorithm), CompiledDriver):
        raise UsageError(f"{algorithm.env!r} is played outside JAX, where one process alone can train")


def _check_algorithm(algorithm: Any) -> None:
    if not isinstance(algorithm, Algorithm):
        raise UsageError(
            f"algorithm={algorithm!r} must be an algorithm bound to a task, such as "
            'ndq(env) or make_algorithm("ndq", env)'
        )


@dataclass
class _Run:
    """One run, and what it remembers between chunks."""

    algorithm: Algorithm
    population: Population
    schedule: Schedule
    evaluation_episodes: int
    recorder: Recorder
    report: ProgressReport
    found: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.driver: Driver = driver_of(self.algorithm)

    def begin(self, resume: bool, tensorboard: bool, prepare: Prepare | None) -> LearnerState:
        """The state to start from: a new one, or that of the newest whole checkpoint."""
        saved = self.recorder.open(self.population.template(self.algorithm), resume, tensorboard)
        if saved is None:
            state = self.population.init(self.algorithm)
            if prepare is None:
                return state
            saved = prepare(self.population.own(state))
        return jax.device_put(self.population.padded(saved), self.population.sharding())

    def loop(self, state: LearnerState, stopping: threading.Event) -> LearnerState:
        """Trains to the end, leaving the last evaluation in `found`."""
        limit = jnp.int32(self.schedule.steps)
        advance, evaluate = together(lambda: self.compile(state, limit))
        now, (stop, _) = self.standing(state), self.agree(stopping)
        evaluated, spent = now, 0.0  # seconds of training since then: one short piece says little about speed
        while not (over := self.is_over(now)) and not stop:
            before, started = now, time.monotonic()
            try:
                state, metrics = advance(state, limit, jnp.int32(self.chunk_length(now)))
            except CannotPlay as error:
                self.recorder.save(state)
                self.stop(error, now)
            now, seconds = self.standing(state), time.monotonic() - started
            spent += seconds
            rows = _to_numpy(self.population.own(metrics))
            self.report_diverged(state, before.healthy & ~now.healthy, rows)
            self.report_news(state, before, now)
            more = self.driver.report().line
            if self.is_over(now) or self.schedule.evaluation_due(before.done, now.done):
                try:
                    self.found = self.evaluate(evaluate, state, FINAL_ROUNDS if self.is_over(now) else 1)
                except CannotPlay as error:
                    self.recorder.record(state, rows, save=True)
                    self.stop(error, now)
                self.report.evaluated(now, (now.all_steps - evaluated.all_steps) / spent, self.found, more)
                evaluated, spent = now, 0.0
                rows |= {f"test_{name}": value for name, value in self.found.items()}
            self.report.advance(now, (now.all_steps - before.all_steps) / seconds, rows, more)
            stop, due = self.agree(stopping)  # looked at once: what ends here is saved here
            self.recorder.record(state, rows, save=stop or due or self.is_over(now))
        if not over:
            self.stop(PlayStopped(), now)
        self.found = self.found or self.evaluate(evaluate, state, FINAL_ROUNDS)  # a run that was complete when resumed
        return state

    def stop(self, why: CannotPlay, now: Standing) -> NoReturn:
        """Says how to go on with a run that was saved, and ends it: as interrupted if that was asked for."""
        asked = isinstance(why, PlayStopped)
        how = f"{'interrupted' if asked else 'stopped'} after {now.done:,} steps{self.recorder.how_to_resume()}"
        self.report.say(how, style="yellow")
        if asked:
            raise KeyboardInterrupt
        raise why

    def agree(self, stopping: threading.Event) -> tuple[bool, bool]:
        """Whether to stop, as any process was told to, and whether the first is to save."""
        told = agree(stopping.is_set(), self.recorder.is_due())
        return bool(told[:, 0].any()), bool(told[0, 1])

    def standing(self, state: LearnerState) -> Standing:
        """How far the members are, by their counters."""
        names = ("env_steps", "healthy", "episodes", "updates")
        return standing(**_to_numpy(self.population.own({name: getattr(state, name) for name in names})))

    def is_over(self, now: Standing) -> bool:
        """Whether nobody goes on."""
        return now.done >= self.schedule.steps or not now.healthy.any()

    def chunk_length(self, now: Standing) -> int:
        """Training steps to take before anything is looked at again."""
        return self.schedule.chunk(now.done, now.done_episodes // self.algorithm.learner.config.num_envs)

    def compile(self, state: LearnerState, limit: jax.Array) -> tuple[Program, Program]:
        """Both programs, compiled before anything runs, so that the time it takes is known."""
        members, driver = len(self.population), self.driver
        self.report.say(f"compiling for {members} member{'s' * (members > 1)}")
        started = time.monotonic()
        advance = driver.trainer(self.algorithm, self.population)
        advance.compile(state, limit, limit)
        evaluate = driver.measurer(assess_player, self.algorithm, self.evaluation_episodes, self.population)
        evaluate.compile(state.params, np.asarray(self.population.keys()))
        self.recorder.compile_seconds += time.monotonic() - started
        return advance, evaluate

    def evaluate(self, evaluate: Program, state: LearnerState, rounds: int) -> dict[str, np.ndarray]:
        """The population's evaluation, mean over rounds. A member's own seed and steps alone decide its randomness, so
        that it is the same whoever is trained beside it."""
        steps = np.asarray(self.population.own(state.env_steps))
        keys = jax.device_get(_evaluation_keys(self.population.keys(), steps, rounds))
        found = [on_host(self.population.own(evaluate(state.params, key))) for key in keys]
        return {name: np.mean([each[name] for each in found], axis=0) for name in found[0]}

    def report_diverged(self, state: LearnerState, diverged: np.ndarray, rows: Mapping[str, np.ndarray]) -> None:
        """Says at once which member met a number that is not finite, when, and in which terms."""
        steps, updates = (np.asarray(self.population.own(x)) for x in (state.env_steps, state.updates))
        for member in np.flatnonzero(diverged):
            terms = [name for name, value in rows.items() if not np.isfinite(value[member])]
            self.report.say(
                f"member {member} ({self.population.name(int(member))}) diverged after update "
                f"{int(updates[member])}, step {int(steps[member]):,}: not finite: "
                f"{', '.join(terms) or 'new parameters or what the optimizer remembers'}. "
                "It is frozen as it was before; the others go on.",
                style="bold red",
            )

    def report_news(self, state: LearnerState, before: Standing, now: Standing) -> None:
        """Says what the edit schedule has begun to do to messages, and what happened to simulators."""
        for news in self.driver.report().news:
            self.report.say(news, style="yellow")
        numbers = _to_numpy(self.population.own(state.hparams.training_edit))
        if news := self.algorithm.learner.schedule.news(numbers, before.env_steps, now.env_steps):
            self.report.say(news)


def _to_numpy(values: Mapping[str, jax.Array]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in values.items()}


@partial(jax.jit, static_argnums=2)
def _evaluation_keys(keys: jax.Array, env_steps: jax.Array | np.ndarray, rounds: int) -> jax.Array:
    """[rounds, P, 2] of the members' keys and steps [P]; other keys than those that training uses."""

    def of_one(key: jax.Array, steps: jax.Array) -> jax.Array:
        key = jax.random.fold_in(jax.random.fold_in(key, EVALUATION), steps)
        return jax.random.split(key, rounds)

    return jax.vmap(of_one, out_axes=1)(keys, jnp.asarray(env_steps))
