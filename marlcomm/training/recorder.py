"""Keeps a run: its history in memory, and in a run folder where one is wanted."""

from __future__ import annotations

import contextlib
import errno
import shlex
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.learners.state import LearnerState
from marlcomm.training.checkpoint import CheckpointError, Checkpoints, digest
from marlcomm.training.population import Population, member_of
from marlcomm.training.processes import is_first, of_first, together, value_of_first
from marlcomm.training.progress import ProgressReport
from marlcomm.training.record import RunFolder, plain, stack_metrics

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class Recorder:
    """What a run leaves behind. Rows are one a chunk; `chunk` counts them.

    While it is open as a context its folder is locked: nobody else can write there.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        population: Population,
        counts: Mapping[str, int],
        out: str | Path | None,
        checkpoint_seconds: float,
        report: ProgressReport,
        way_on: str | None = None,
    ) -> None:
        """Args: what runs, how much of it (`counts`, on record), where to keep it (None: nowhere), how often to save
        (seconds), where to say so, and what a run is gone on with (None: `--resume`)."""
        self.population, self.report, self.aliases = population, report, algorithm.aliases
        self.path = None if out is None else Path(out).absolute()
        self.folder = RunFolder(self.path) if self.path is not None and is_first() else None
        self.config = (
            algorithm.describe()
            | dict(counts)
            | {"members": [{"seed": s, **c} for s, c in zip(population.seeds, population.changes, strict=True)]}
            | {"block": population.members_together}
            | {"devices": f"{population.mesh().size} x {jax.devices()[0].device_kind}"}
        )
        self._way_on = way_on or f"--resume --out {shlex.quote(str(self.path))}"
        self.chunk, self.compile_seconds = 0, 0.0
        self._checkpoints: Checkpoints | None = None
        self._rows: list[list[dict[str, Any]]] = [[] for _ in population.seeds]  # [P][time]
        self._writers: list[Any] = []
        self._checkpoint_seconds = checkpoint_seconds
        self._started = self._saved_at = time.monotonic()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        if self.folder is not None:
            self.folder.close()
        for writer in self._writers:
            writer.close()

    def open(self, template: LearnerState, resume: bool, tensorboard: bool) -> LearnerState | None:
        """Creates the run folder, or finds the state to go on from; None where the run begins.

        This and all that writes raise OSError where the disk is full or gone; what was saved before stays whole.
        """
        if self.path is None:
            return None
        saved = together(lambda: self._open(template, resume, tensorboard))
        told = value_of_first({"saved": saved is not None, "chunk": self.chunk, "rows": self._rows})
        self.chunk, self._rows = told["chunk"], told["rows"]
        if not told["saved"]:
            return None
        return of_first(jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), template) if saved is None else saved)

    def is_due(self) -> bool:
        """Whether a checkpoint should be saved again."""
        return self.folder is not None and time.monotonic() - self._saved_at >= self._checkpoint_seconds

    def record(self, state: LearnerState, rows: Mapping[str, np.ndarray], save: bool) -> None:
        """Adds a chunk: `rows` holds arrays [P]. Saves a checkpoint if `save`."""
        self.chunk += 1
        own = self.population.own
        counters = {name: np.asarray(own(getattr(state, name))) for name in ("env_steps", "updates", "healthy")}
        lines = []
        for member, history in enumerate(self._rows):
            line = {name: plain(value[member]) for name, value in {**counters, **rows}.items()}
            lines.append({"chunk": self.chunk, **line})
            history.append(lines[-1])
        if self.path is not None:
            whole = own(state) if save else None
            together(lambda: self._write(lines, whole))

    def save(self, state: LearnerState) -> None:
        """Saves a checkpoint of a run that cannot go on."""
        if self.folder is not None:
            with self._writing():
                self._save(state)

    def metrics(self) -> dict[str, np.ndarray]:
        """Every metric as an array [time, P]."""
        return stack_metrics(self._rows)

    def finish(
        self, state: LearnerState, found: Mapping[str, np.ndarray], simulators: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Writes and gives back the summary; `found` is the last evaluation, arrays [P]; `simulators` what became of
        those outside JAX."""
        members, at_hand = [], jax.device_get(state.without_replay())  # what devices share is a program a leaf to index
        for member, seed in enumerate(self.population.seeds):
            own = member_of(at_hand, member)
            members.append(
                {
                    "seed": seed,
                    "hparams": dict(self.population.changes[member]),
                    **{name: plain(value[member]) for name, value in found.items()},
                    "env_steps": int(own.env_steps),
                    "updates": int(own.updates),
                    "healthy": bool(own.healthy),
                    "digest": digest(own),
                }
            )
        summary = {
            "algorithm": self.config["algorithm"],
            "task": self.config["task"],
            "members": members,
            "wall_seconds": round(time.monotonic() - self._started, 2),
            "compile_seconds": round(self.compile_seconds, 2),
            **({"simulators": dict(simulators)} if simulators else {}),
        }
        together(lambda: self._finish(summary))
        return summary

    def how_to_resume(self) -> str:
        """The end of a sentence that says what can be done after an interruption."""
        return "" if self.path is None else f"; saved, go on with {self._way_on}"

    def _open(self, template: LearnerState, resume: bool, tensorboard: bool) -> LearnerState | None:
        if self.folder is None:
            return None
        with self._writing():
            resumed = self.folder.open(resume)
            self._checkpoints = Checkpoints(self.folder.checkpoints())
            if not resumed:
                self.folder.write_config(self.config)
            saved = self._reopen(self.folder, self._checkpoints, template) if resumed else None
            self._checkpoints.prove()
            if tensorboard:
                self._writers = [self._event_writer(self.folder, m, saved) for m in range(len(self.population))]
        return saved

    def _write(self, lines: list[dict[str, Any]], whole: LearnerState | None) -> None:
        if self.folder is None:
            return
        with self._writing():
            self.folder.append_metrics(lines)
            for writer, line in zip(self._writers, lines, strict=False):
                for name, value in line.items():
                    if value is not None:
                        writer.add_scalar(name, value, line["env_steps"])
            if whole is not None:
                self._save(whole)

    def _finish(self, summary: Mapping[str, Any]) -> None:
        if self.folder is None:
            return
        from marlcomm.training.curves import plot_curves  # matplotlib only where something is drawn

        with self._writing():
            self.folder.write_json("summary.json", summary)
            plot_curves({self.folder.path.name: self.folder.path}).savefig(self.folder.path / "curves.png", dpi=120)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Says what to do where the disk is full or gone."""
        try:
            yield
        except OSError as error:
            raise OSError(f"cannot write to {self.path}: {error.strerror or error}. {self._way_out(error)}") from error

    def _way_out(self, error: OSError) -> str:
        assert self.path is not None
        if not self.path.is_dir():
            return "That folder was moved or deleted while the run went on; what was saved is where it went"
        what = "make room"
        if error.errno in _FORBIDDEN:
            what = "see to it that you may write there"
        elif error.errno not in _FULL:
            what = "see to that"
        return f"What was saved before is whole: {what}, and go on with {self._way_on}"

    def _reopen(self, folder: RunFolder, checkpoints: Checkpoints, template: LearnerState) -> LearnerState | None:
        said = [*folder.mend_config(self.config), *folder.check_same(self.config, self.aliases)]
        saved, marks = None, None
        if checkpoints.numbers():
            try:
                self.chunk, saved, facts = checkpoints.restore(template, folder.set_aside)
            except CheckpointError as error:
                raise CheckpointError(f"{error}. To begin anew, move {folder.checkpoints()} away") from None
            said += [f"{skipped}; an older one is used" for skipped in facts["skipped"]]
            self._started -= _seconds(facts, "elapsed")
            self.compile_seconds = _seconds(facts, "compile_seconds")
            marks = facts.get("metrics")
        self._rows, lost = folder.rewind_metrics(len(self.population), self.chunk, marks)
        for warning in said + lost:
            self.report.say(warning, style="yellow")
        if saved is None:
            self.report.say("nothing was saved yet: the run begins anew")
        else:
            self.report.say(f"resumed after {int(saved.env_steps.min()):,} steps")
        return saved

    def _save(self, state: LearnerState) -> None:
        assert self._checkpoints is not None
        assert self.folder is not None
        facts = {
            "elapsed": time.monotonic() - self._started,
            "compile_seconds": self.compile_seconds,
            "metrics": self.folder.mark_metrics(len(self.population)),
        }
        self._checkpoints.save(self.chunk, state, facts)
        self._saved_at = time.monotonic()

    @staticmethod
    def _event_writer(folder: RunFolder, member: int, saved: LearnerState | None) -> Any:
        """Writes TensorBoard events; those beyond the state that a run goes on from are taken back."""
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ImportError('TensorBoard events need tensorboardX: pip install "marlcomm[tensorboard]"') from None
        begin = None if saved is None else int(saved.env_steps[member]) + 1
        return SummaryWriter(str(folder.member(member)), purge_step=begin)


def _seconds(facts: Mapping[str, Any], name: str) -> float:
    """A duration on record; 0 where there is none that can be read."""
    return float(facts[name]) if isinstance(facts.get(name), int | float) else 0.0
