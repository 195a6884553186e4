"""The host's loop around compiled chunks: progress, evaluation, records, checkpoints, resuming."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as Spec

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.learners.learner import LearnerState
from marlcomm.training.evaluate import assess, on_host
from marlcomm.training.interrupt import stop_between_chunks
from marlcomm.training.journal import Journal
from marlcomm.training.policy import Policy, best_member, policy_of
from marlcomm.training.population import Population, make_population
from marlcomm.training.progress import ProgressReport
from marlcomm.training.step import chunk_length, make_chunk

Prepare = Callable[[LearnerState], LearnerState]

FINAL_ROUNDS = 10  # the last evaluation counts: it is as large as this many of the others


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
      steps: environment steps of each member.
      seeds: how many seeds, or which.
      seed: the first seed where `seeds` is a number.
      hparams: name -> value or values to try; names as in `algorithm.hparam_names()`.
      out: a folder for the run; None keeps nothing on disk.
      resume: go on with the run in `out` from its newest whole checkpoint (or begin it, if there is none).
      evaluations: how often to evaluate, evenly over the steps.
      evaluation_episodes: greedy episodes of each evaluation; the last takes ten times as many.
      checkpoint_seconds: least time between checkpoints, seconds; 0 saves after every chunk.
      tensorboard: also write TensorBoard events (needs the extra `tensorboard`, and `out`).
      progress: whether to print progress to stderr.
      prepare: changes the members' first states (leading axis P), such as to begin with parameters learned before.

    Raises:
      ValueError: an argument out of its range, or an unknown hyper-parameter.
      RunFolderError: `out` is in the way, cannot be written, or holds another run.
      CheckpointError: `resume` found only damaged checkpoints.
      KeyboardInterrupt: after saving, if the run was interrupted.

    A member whose loss is not finite is frozen as it was before and reported; `summary` marks it `healthy: false`.
    """
    counts = {"steps": steps, "evaluations": evaluations, "evaluation_episodes": evaluation_episodes}
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} is {value}: must be at least 1")
    if not checkpoint_seconds >= 0:
        raise ValueError(f"checkpoint_seconds is {checkpoint_seconds}: must be at least 0")
    if out is None and (resume or tensorboard):
        raise ValueError("resume and tensorboard need out, the folder of the run")
    population = make_population(algorithm, seeds, seed, hparams)
    with ProgressReport(steps, len(population), progress) as report, stop_between_chunks() as stopping:
        journal = Journal(algorithm, population, counts, out, checkpoint_seconds, report)
        run = _Run(algorithm, population, steps, evaluations, evaluation_episodes, journal, report)
        state = run.loop(run.begin(resume, tensorboard, prepare), stopping)
        summary = journal.finish(state, run.found)
    return TrainResult(algorithm, population, state, journal.metrics(), summary, journal.path)


@dataclass
class _Run:
    """One run, and what it remembers between chunks."""

    algorithm: Algorithm
    population: Population
    steps: int
    evaluations: int
    evaluation_episodes: int
    journal: Journal
    report: ProgressReport
    found: dict[str, np.ndarray] = field(default_factory=dict)

    def begin(self, resume: bool, tensorboard: bool, prepare: Prepare | None) -> LearnerState:
        """The state to start from: a new one, or that of the newest whole checkpoint."""
        state = self.population.init(self.algorithm)
        state = state if prepare is None else prepare(state)
        saved = self.journal.open(state, resume, tensorboard)
        if saved is None:
            return state
        return jax.device_put(saved, NamedSharding(self.population.mesh(), Spec("population")))

    def loop(self, state: LearnerState, stopping: threading.Event) -> LearnerState:
        """Trains to the end, leaving the last evaluation in `found`."""
        limit = jnp.int32(self.steps)
        advance, evaluate = self.compile(state, limit)
        done, healthy = _progress(state)
        while done < self.steps and healthy.any():
            before, started = int(state.env_steps.sum()), time.monotonic()
            state, metrics = jax.block_until_ready(advance(state, limit))
            speed = (int(state.env_steps.sum()) - before) / (time.monotonic() - started)
            rows = _to_numpy(metrics)
            was_done, was_healthy = done, healthy
            done, healthy = _progress(state)
            self.report_diverged(state, was_healthy & ~healthy, rows)
            over = done >= self.steps or not healthy.any()
            if over or self.evaluation_due(was_done, done):
                self.found = self.evaluate(evaluate, state, FINAL_ROUNDS if over else 1)
                self.report.evaluated(done, speed, self.found)
                rows |= {f"test_{name}": value for name, value in self.found.items()}
            self.report.advance(done, speed, rows)
            self.journal.record(state, rows, save=over or stopping.is_set())
            if stopping.is_set() and not over:
                self.report.say(f"interrupted after {done:,} steps{self.journal.how_to_resume()}", style="yellow")
                raise KeyboardInterrupt
        self.found = self.found or self.evaluate(evaluate, state, FINAL_ROUNDS)  # a run that was complete when resumed
        return state

    def compile(self, state: LearnerState, limit: jax.Array) -> tuple[Any, Any]:
        """Both programs, compiled before anything runs, so that the time it takes is known."""
        members = len(self.population)
        self.report.say(f"compiling for {members} member{'s' * (members > 1)}")
        started = time.monotonic()
        advance = make_chunk(self.algorithm, self.population, chunk_length(self.algorithm))
        evaluate = jax.jit(self.population.spread(self.assess, shared=1))
        compiled = advance.lower(state, limit).compile(), evaluate.lower(state.params, _key(0)).compile()
        self.journal.compile_seconds += time.monotonic() - started
        return compiled

    def assess(self, params: Any, key: jax.Array) -> dict[str, jax.Array]:
        """One member's evaluation."""
        return assess(self.algorithm, params, key, None, self.evaluation_episodes)

    def evaluate(self, evaluate: Any, state: LearnerState, rounds: int) -> dict[str, np.ndarray]:
        """The population's evaluation, mean over rounds; how far the run is decides its randomness."""
        keys = jax.random.split(_key(int(state.env_steps.sum())), rounds)
        found = [on_host(evaluate(state.params, key)) for key in keys]
        return {name: np.mean([each[name] for each in found], axis=0) for name in found[0]}

    def evaluation_due(self, before: int, done: int) -> bool:
        """Whether the slowest member passed a multiple of steps / evaluations."""
        every = self.steps / self.evaluations
        return int(before / every) < int(done / every)

    def report_diverged(self, state: LearnerState, diverged: np.ndarray, rows: Mapping[str, np.ndarray]) -> None:
        """Says at once which member met a number that is not finite, when, and in which terms."""
        for member in np.flatnonzero(diverged):
            terms = [name for name, value in rows.items() if not np.isfinite(value[member])]
            self.report.say(
                f"member {member} ({self.population.name(int(member))}) diverged after update "
                f"{int(state.updates[member])}, step {int(state.env_steps[member]):,}: not finite: {', '.join(terms)}. "
                "It is frozen as it was before; the others go on.",
                style="bold red",
            )


def _progress(state: LearnerState) -> tuple[int, np.ndarray]:
    """Steps of the slowest member that goes on (of the furthest, if none does), and who goes on [P]."""
    steps, healthy = np.asarray(state.env_steps), np.asarray(state.healthy)
    return int(steps[healthy].min() if healthy.any() else steps.max()), healthy


def _to_numpy(values: Mapping[str, jax.Array]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in values.items()}


def _key(number: int) -> jax.Array:
    return jax.random.fold_in(jax.random.PRNGKey(0), number)
