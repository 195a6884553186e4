"""A part of a sweep as any process can train it, on this machine or another."""

from __future__ import annotations

import contextlib
import importlib
import io
import tarfile
import tempfile
import time
import traceback
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from marlcomm import devices
from marlcomm.algorithms import make_algorithm
from marlcomm.envs import Environment, make_env
from marlcomm.training.loop import train_population
from marlcomm.training.population import Population
from marlcomm.training.run_lock import RunFolderError, RunInUseError
from marlcomm.validation import UsageError

RECORD, LOGS = "sweep.json", "logs"
WAY_ON = "the same sweep command, or call"
PATIENCE = 60.0  # seconds for a process that trained before, on a node that was lost, to be gone


class Outcome(NamedTuple):
    """How a part ended.

    Attributes:
      error: why it failed; empty where it did not.
      files: its run folder as a tar archive, where that is no folder of whoever asked; None where it is.
    """

    error: str = ""
    files: bytes | None = None


@dataclass(frozen=True)
class Job:
    """A part to train: names and numbers only, which any process can read.

    Attributes:
      folder: of the sweep.
      part: as sweep.json holds it.
      evaluations, evaluation_episodes, checkpoint_seconds: as for `train`.
      title: the part and its place in the sweep.
      modules: of the user's, which register what the part names.
      record: a checksum of sweep.json, by which a process sees whether `folder` is that of the sweep.
    """

    folder: Path
    part: Mapping[str, Any]
    evaluations: int
    evaluation_episodes: int
    checkpoint_seconds: float
    title: str
    modules: tuple[str, ...] = ()
    record: int = 0

    @property
    def name(self) -> str:
        """Of the part, and of its folder."""
        return self.part["name"]

    def train(self, progress: bool, patience: float = 0.0) -> str:
        """Trains in this process, from the newest checkpoint; why that failed, or nothing.

        `patience`: seconds to wait for another process that trains it, which may be about to end.
        """
        until = time.monotonic() + patience
        try:
            while True:
                try:
                    self._train(progress)
                    return ""
                except RunInUseError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(1.0)
        except Exception as error:  # whatever a task or a part of the user's raises: it is reported
            if not isinstance(error, UsageError | RunFolderError):  # which say all that there is to say
                traceback.print_exception(error)
            return f"{type(error).__name__}: {' '.join(str(error).split())}"

    def _train(self, progress: bool) -> None:
        part = self.part
        for module in self.modules:
            importlib.import_module(module)
        env = make_env(part["task"], **part["task_options"])
        try:
            self._train_on(env, progress)
        finally:
            getattr(env, "close", lambda: None)()  # workers, where a simulator plays

    def _train_on(self, env: Environment[Any], progress: bool) -> None:
        part = self.part
        members = [(each["seed"], each["changes"]) for each in part["members"]]
        train_population(
            make_algorithm(part["algorithm"], env, **part["settings"]),
            Population(tuple(seed for seed, _ in members), tuple(changes for _, changes in members)),
            steps=part["steps"],
            out=self.folder / self.name,
            resume=True,
            evaluations=self.evaluations,
            evaluation_episodes=self.evaluation_episodes,
            checkpoint_seconds=self.checkpoint_seconds,
            progress=progress,
            title=self.title,
            way_on=WAY_ON,
        )


def checksum(folder: Path) -> int:
    """Of a sweep's record; 0 where there is none."""
    try:
        return zlib.crc32((folder / RECORD).read_bytes())
    except OSError:
        return 0


def train_elsewhere(job: Job, cores: int | None = None) -> Outcome:
    """Trains in a process of its own; what it says is kept in `logs/` of the sweep.

    Where the sweep's folder is not to be seen from here the run is kept in a temporary one, and sent back as a whole.

    Args:
      job: what to train.
      cores: of the processor that are its; None for all that the process may use.
    """
    devices.prepare(cores)
    if checksum(job.folder) == job.record:
        return Outcome(_train_and_log(job))
    with tempfile.TemporaryDirectory() as folder:
        error = _train_and_log(replace(job, folder=Path(folder)))
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as files:
            files.add(folder, arcname=".")
        return Outcome(error, archive.getvalue())


def receive(outcome: Outcome, folder: Path) -> None:
    """Puts what was sent back into the sweep's folder."""
    if outcome.files is not None:
        with tarfile.open(fileobj=io.BytesIO(outcome.files)) as files:
            files.extractall(folder, filter="data")


def _train_and_log(job: Job) -> str:
    log = job.folder / LOGS / f"{job.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", buffering=1) as file, contextlib.redirect_stderr(file):
        return job.train(progress=True, patience=PATIENCE)
