"""Trains a sweep, part by part, in one folder that can be gone on with, and gathers what came out in one table."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marlcomm.analysis.measures.tables import Table, write_csv, write_parquet
from marlcomm.names import modules_of_users
from marlcomm.sweeps.engines import Engine, ThisProcess, follow, make_engine
from marlcomm.sweeps.figure import plot_sweep
from marlcomm.sweeps.jobs import RECORD, Job, checksum, receive
from marlcomm.sweeps.plan import Part, Plan, make_plan
from marlcomm.sweeps.progress import SweepProgress, share_done
from marlcomm.sweeps.spec import read_spec
from marlcomm.training.metrics_file import replace_file
from marlcomm.training.record import RunFolderError
from marlcomm.training.run_lock import LOCK, PROCESS, RunLock
from marlcomm.validation import UsageError

TABLE, PARQUET, PICTURE = "sweep.csv", "sweep.parquet", "sweep.png"
SAME = ("evaluations", "evaluation_episodes")  # of the whole sweep
DONE = "done"


@dataclass(frozen=True)
class SweepResult:
    """What a sweep gives back.

    Attributes:
      folder: with a run folder for each part, sweep.csv and sweep.png.
      table: name -> column, a row a member, as in sweep.csv.
      failed: name of a part -> why it could not be trained.
    """

    folder: Path
    table: Table
    failed: Mapping[str, str]

    def __repr__(self) -> str:
        members = len(next(iter(self.table.values()), ()))
        return f"SweepResult({str(self.folder)!r}, {members} members, {len(self.failed)} parts failed)"


def sweep(
    source: str | Path | Mapping[str, Any],
    out: str | Path,
    *,
    engine: str | Engine | None = None,
    progress: bool = True,
) -> SweepResult:
    """Trains every point of a sweep with every seed, and goes on where it was stopped.

    Points that differ only in hyper-parameters are one population under one compiled program, split where memory does
    not hold it. A part that fails is reported, and the others are trained; the same call tries it again. More seeds or
    values may be added later: what is trained stays.

    Args:
      source: a TOML file or a mapping, see `read_spec`.
      out: the folder of the sweep.
      engine: who trains the parts: "ray" or "submitit", or one with settings, such as `RayEngine(gpus=1)`; None for
        this process, one part after the other.
      progress: whether to print progress to stderr.

    Raises:
      UsageError: the sweep cannot be read, or one member does not fit into memory; before anything compiles.
      RunFolderError: `out` cannot be written, is in use, or holds another sweep.
      KeyboardInterrupt: after saving, if it was interrupted.
    """
    chosen = make_engine(engine) if isinstance(engine, str) else engine or ThisProcess(progress)
    if isinstance(chosen, type) or not hasattr(chosen, "submit"):
        raise UsageError(f"engine={engine!r} must be a name, or an engine, such as RayEngine(gpus=1)")
    folder = Path(out).absolute()
    plan = plan_sweep(source, folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = RunLock(folder)
    lock.acquire()
    try:
        _write_record(plan, folder)
        failed: dict[str, str] = {}
        report = SweepProgress(plan, folder, progress)
        try:
            with (
                report if chosen.elsewhere else contextlib.nullcontext()
            ):  # runs of this process have lines of their own
                for job, outcome in follow(chosen, _jobs(plan, folder), report.say, report.look):
                    receive(outcome, folder)
                    if error := outcome.error or _what_is_missing(job):
                        failed[job.name] = error
                    ended = f"failed, the others go on: {error}" if error else "is done"
                    report.say(f"{job.title} {ended}; {share_done(plan, folder):.0%} of the sweep is done")
                    write_table(plan, folder, failed)
        finally:
            table = write_table(plan, folder, failed)
        plot_sweep(plan, folder).savefig(folder / PICTURE, dpi=120)
    finally:
        lock.release()
    return SweepResult(folder, table, failed)


def plan_sweep(source: str | Path | Mapping[str, Any], out: str | Path) -> Plan:
    """What `sweep` would do. Raises as `sweep`; nothing is written."""
    spec, path = read_spec(source), Path(out) / RECORD
    if not path.exists():
        if Path(out).is_dir() and {entry.name for entry in Path(out).iterdir()} - {LOCK, PROCESS}:
            raise RunFolderError(f"{out} is not the folder of a sweep: it has no {RECORD}")
        return make_plan(spec)
    try:
        recorded = json.loads(path.read_text())
        before = {name: recorded[name] for name in SAME}
        parts = recorded["parts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunFolderError(f"{path} cannot be read: {error!r}") from None
    different = [name for name in SAME if before[name] != getattr(spec, name)]
    if different:
        said = ", ".join(f"{name}: {before[name]} then, {getattr(spec, name)} now" for name in different)
        raise RunFolderError(f"{Path(out)} holds another sweep ({said}): choose another folder")
    try:
        return make_plan(spec, parts)
    except UsageError as error:
        raise RunFolderError(f"{Path(out)} holds another sweep: {error}. Choose another folder") from None


def write_table(plan: Plan, folder: Path, failed: Mapping[str, str]) -> Table:
    """Writes and gives back sweep.csv: a row a member, with what it was trained with, how it ended, and where it is.

    Where pyarrow is installed sweep.parquet holds the same.
    """
    rows = [row for part in plan.parts for row in _rows(part, folder, failed)]
    names = dict.fromkeys(name for row in rows for name in row)
    table = {name: np.array([row.get(name, "") for row in rows], dtype=object) for name in names}
    write_csv(table, folder / TABLE)
    with contextlib.suppress(ImportError):
        write_parquet(table, folder / PARQUET)
    return table


def is_done(name: str, folder: Path) -> bool:
    """Whether the run of a part has ended."""
    return (folder / name / "summary.json").exists()


def _what_is_missing(job: Job) -> str:
    """Why a part that is said to have been trained is not done; nothing where it is."""
    if is_done(job.name, job.folder):
        return ""
    return f"it has ended, and {job.folder / job.name} does not show it: is another folder of that name there?"


def _jobs(plan: Plan, folder: Path) -> list[Job]:
    """Parts that are not done yet."""
    return [
        Job(
            folder,
            part.record(),
            plan.spec.evaluations,
            plan.spec.evaluation_episodes,
            plan.spec.checkpoint_seconds,
            f"{number}/{len(plan.parts)} {part.name}",
            modules_of_users(),
            checksum(folder),
        )
        for number, part in enumerate(plan.parts, 1)
        if not is_done(part.name, folder)
    ]


def _rows(part: Part, folder: Path, failed: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    path, resolved = folder / part.name / "summary.json", part.algorithm.describe()["resolved"]
    found = json.loads(path.read_text())["members"] if path.exists() else [{}] * len(part.members)
    status = failed.get(part.name) or (DONE if path.exists() else "not finished")
    names = sorted({name for _, changes in part.members for name in changes})
    for number, ((seed, changes), outcome) in enumerate(zip(part.members, found, strict=True)):
        yield {
            "run": part.name,
            "member": number,
            "algorithm": part.about["algorithm"],
            "task": part.about["task"],
            **part.asked(),
            **{name: changes.get(name, resolved.get(name, "")) for name in names},
            "seed": seed,
            "status": status,
            **{name: value for name, value in outcome.items() if name not in ("seed", "hparams")},
        }


def _write_record(plan: Plan, folder: Path) -> None:
    content = {name: getattr(plan.spec, name) for name in SAME} | {"parts": [part.record() for part in plan.parts]}
    replace_file(folder / RECORD, (json.dumps(content, indent=1) + "\n").encode())
