"""The run folder: what was asked for, what happened, and what came out."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from marlcomm.training.checkpoint import Checkpoints
from marlcomm.training.metrics_file import MetricsFile, Row, missing, read_rows, replace_file, stack_metrics
from marlcomm.training.old_records import with_todays_words
from marlcomm.training.run_lock import LOCK, PROCESS, RunFolderError, RunLock
from marlcomm.training.same_run import FORMAT, differences, versions

__all__ = ["RunFolder", "RunFolderError", "commit", "folder_name", "free_folder", "plain", "stack_metrics", "versions"]

CONFIG = "config.json"
# what may lie in a folder in which no run has begun: a process that died while it wrote its configuration leaves these
_LEFTOVERS = {LOCK, PROCESS, CONFIG + ".tmp"}

_TYPES: Mapping[str, tuple[type, ...]] = {
    "algorithm": (str,),
    "task": (str,),
    "task_options": (dict, type(None)),
    "settings": (dict, type(None)),
    "members": (list,),
}


class RunFolder:
    """Files of one run.

    config.json          what was asked for, resolved; package versions and commit
    member_K/metrics.jsonl   one line a chunk of training, and what evaluation found
    checkpoints/         the newest whole states
    summary.json         what came out
    curves.png           the learning curves
    set_aside/           what was found damaged, as it was found
    """

    def __init__(self, path: str | Path) -> None:
        """Names a folder; nothing is touched yet."""
        self.path = Path(path).absolute()
        self._lock = RunLock(self.path)
        self._metrics: dict[int, MetricsFile] = {}

    def open(self, resume: bool) -> bool:
        """Makes this process the only one that writes here, until `close` or its end; gives whether there is a run.

        Args:
          resume: whether a run may be here.

        Raises:
          RunFolderError: another process writes here; there is a run and there should be none, or something else than
            a run; the folder cannot be made.
        """
        self._require_usable(resume)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"cannot write to {self.path}: {error.strerror or error}") from error
        self._lock.acquire()
        self._require_usable(resume)  # another process may have begun a run here in between
        return self.exists()

    def close(self) -> None:
        """Lets others write here."""
        self._lock.release()

    def create(self, config: Mapping[str, Any]) -> None:
        """Makes the folder and writes the configuration.

        Raises:
          RunFolderError: it exists and is not empty, or cannot be written.
        """
        self.open(resume=False)
        self.write_config(config)

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Writes what was asked for, with versions and commit, and a checksum over all of it."""
        content = {**config, "format": FORMAT, "versions": versions(), "commit": commit()}
        self.write_json(CONFIG, {**content, "digest": _digest(content)})

    def check_same(self, config: Mapping[str, Any], aliases: Mapping[str, str] | None = None) -> list[str]:
        """Compares a configuration with the one on record; gives back warnings about what may make results differ.

        `aliases` are short names of hyper-parameters, by which members may be called.

        Raises:
          RunFolderError: there is no run here, or it was asked for something else; the message shows the difference.
        """
        recorded = self.read_json(CONFIG)
        different, said = differences(with_todays_words(recorded), config, aliases)
        changed = self._was_changed(recorded)
        if changed and different:
            different.append(f"{changed}: if what you ask for now is right, move that file away, and resume")
        if different:
            if any(line.startswith("steps:") for line in different):  # what people try with a run that has ended
                different.append(
                    "a run cannot be made longer or shorter: learning rates, curricula and evaluations follow its "
                    "length; train anew, into another folder, or go on with the steps of the run"
                )
            raise RunFolderError(
                f"{self.path} was started with another configuration, and cannot go on with this one:\n  "
                + "\n  ".join(different)
            )
        return [*said, changed] if changed else said

    def mend_config(self, config: Mapping[str, Any]) -> list[str]:
        """Where a run has no readable configuration, writes the one that is asked for now; gives back what it did."""
        path = self.path / CONFIG
        if path.exists():
            try:
                self.read_json(CONFIG)
                return []
            except RunFolderError as error:
                said = f"{error}; it is kept as {self.set_aside(path)}"
        else:
            said = f"{path} is missing"
        self.write_config(config)
        return [f"{said}: this run goes on as it is asked for now, which nothing can be compared with"]

    def config(self, *needed: str) -> dict[str, Any]:
        """What the run was asked for.

        Raises:
          RunFolderError: there is no readable run here, or its configuration lacks a name of `needed`, or holds
            something else there.
        """
        config = self.read_json(CONFIG)
        if changed := self._was_changed(config):
            warnings.warn(changed, stacklevel=2)
        missing_names = [name for name in needed if name not in config]
        if missing_names:
            raise RunFolderError(f"{self.path / CONFIG} is no configuration of a run: no {', '.join(missing_names)}")
        for name in needed:
            value = config[name]
            if not isinstance(value, _TYPES.get(name, object)) or (name == "members" and not _are_members(value)):
                raise RunFolderError(f"{self.path / CONFIG} is no configuration of a run: {name} is {value!r}")
        return with_todays_words(config)

    def read_json(self, name: str) -> dict[str, Any]:
        """The contents of a file of the run. Raises RunFolderError where it is missing or damaged."""
        try:
            found = json.loads((self.path / name).read_text())
        except (FileNotFoundError, NotADirectoryError):
            raise RunFolderError(f"{self.path} is not a run folder: it has no {name}") from None
        except (OSError, ValueError, RecursionError) as error:  # no JSON, or no text at all
            raise RunFolderError(f"{self.path / name} cannot be read: {error}") from None
        if not isinstance(found, dict):
            raise RunFolderError(f"{self.path / name} cannot be read: it holds a {type(found).__name__}, no names")
        return found

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Replaces a file whole: a reader sees the old or the new one, never half."""
        replace_file(self.path / name, (json.dumps(content, indent=2) + "\n").encode())

    def block(self) -> int | None:
        """How many members the run here computes together, see `Population`; None where nothing says so."""
        try:
            config = self.read_json(CONFIG)
            devices = int(str(config.get("devices")).partition(" x ")[0])  # older runs: as many blocks as devices
            block = config.get("block", len(config["members"]) // devices)
        except (RunFolderError, ValueError, KeyError, TypeError, ZeroDivisionError):
            return None
        return block if isinstance(block, int) and block >= 1 else None

    def checkpoints(self) -> Path:
        """Where the checkpoints are."""
        return self.path / "checkpoints"

    def exists(self) -> bool:
        """Whether there is something in the folder, but for what a process that died at once leaves behind."""
        return self.path.is_dir() and any(entry.name not in _LEFTOVERS for entry in self.path.iterdir())

    def has_run(self) -> bool:
        """Whether a run has begun here, even if its configuration is lost."""
        return (self.path / CONFIG).exists() or self.checkpoints().exists() or self.member(0).exists()

    def member(self, number: int) -> Path:
        """The folder of one member."""
        return self.path / f"member_{number}"

    def set_aside(self, path: Path) -> Path:
        """Moves something damaged out of the way, and gives its new path; nothing is thrown away."""
        place = self.path / "set_aside"
        place.mkdir(exist_ok=True)
        name, number = "_".join(path.relative_to(self.path).parts), 1
        while (place / f"{number}_{name}").exists():
            number += 1
        return path.rename(place / f"{number}_{name}")

    def append_metrics(self, lines: list[Row]) -> None:
        """Adds one line to every member's metrics."""
        for number, line in enumerate(lines):
            self._metrics_of(number).append(line)

    def mark_metrics(self, members: int) -> list[dict[str, Any]]:
        """How far each member's metrics go, for `rewind_metrics`."""
        return [self._metrics_of(number).mark() for number in range(members)]

    def rewind_metrics(self, members: int, chunk: int, marks: Any = None) -> tuple[list[list[Row]], list[str]]:
        """Drops what was recorded after `chunk`, which a run that goes on from there records again.

        Gives the rest, and says what of it is lost or was changed. `marks` is what `mark_metrics` gave after `chunk`.
        """
        known = isinstance(marks, list) and len(marks) == members
        found = [
            self._metrics_of(number).rewind(chunk, marks[number] if known else None, self.set_aside)
            for number in range(members)
        ]
        return [rows for rows, _ in found], [said for _, said in found if said]

    def read_metrics(self, members: int) -> list[list[Row]]:
        """Each member's lines in order; warns where lines are lost or cannot be read."""
        saved = max(Checkpoints(self.checkpoints()).numbers(), default=0)  # before the lines, which then go as far
        found = [read_rows(self.member(number) / "metrics.jsonl") for number in range(members)]
        last = max([row["chunk"] for rows, _ in found for row in rows[-1:]], default=0)
        for number, (rows, bad) in enumerate(found):
            lost = missing(rows, max(saved, last - 1))  # while a run goes on, its first members may be a chunk ahead
            if lost or bad:
                said = lost or f"lines that cannot be read, or stand there twice: {bad}"
                warnings.warn(f"{self.member(number) / 'metrics.jsonl'}: {said}", stacklevel=2)
        return [rows for rows, _ in found]

    def _metrics_of(self, number: int) -> MetricsFile:
        if number not in self._metrics:
            self._metrics[number] = MetricsFile(self.member(number) / "metrics.jsonl")
        return self._metrics[number]

    def _was_changed(self, config: Mapping[str, Any]) -> str:
        """Says so where a configuration is not as it was written; empty where it is, or nothing says how it was."""
        same = "digest" not in config or config["digest"] == _digest(config)
        return "" if same else f"{self.path / CONFIG} was changed after it was written"

    def _require_usable(self, resume: bool) -> None:
        if self.path.is_file() or (self.exists() and not resume):
            raise RunFolderError(
                f"{self.path} exists already: choose another folder, or go on with that run by resume (--resume)"
            )
        if self.exists() and not self.has_run():
            raise RunFolderError(f"{self.path} is not a run folder: it has no {CONFIG}")


def folder_name(what: str) -> str:
    """What can name a folder: the task of a simulator may be the path of a file, or have a colon."""
    return re.sub(r"[^\w.-]+", "_", what)


@contextlib.contextmanager
def free_folder(parent: Path, name: str) -> Iterator[Path]:
    """The first folder `name`-1, -2, ... that is free, claimed by making it: of two processes each gets its own.

    It is taken away again if nothing was put into it.

    Raises:
      RunFolderError: there is no `parent`, and none can be made.
    """
    try:
        (parent / name).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:  # such as a link to nowhere
        raise RunFolderError(f"cannot make the folder {parent}: {error.strerror or error}") from error
    number = 1
    while True:
        path = parent / f"{name}-{number}"
        try:
            path.mkdir()
            break
        except FileExistsError:
            number += 1
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):  # it holds something
            path.rmdir()


def plain(value: Any) -> Any:
    """A number as JSON can hold it: None for NaN and infinities."""
    number = np.asarray(value).item()
    if isinstance(number, float):
        return float(f"{number:.7g}") if np.isfinite(number) else None
    return number


def commit() -> str | None:
    """The commit of the checkout that this package runs from; None where there is none."""
    here = Path(__file__).resolve().parent
    try:
        git = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=here,
            capture_output=True,
            text=True,
        )
    except OSError:
        return None
    return git.stdout.strip() or None if git.returncode == 0 else None


def _digest(config: Mapping[str, Any]) -> str:
    """A checksum over a configuration, but for the checksum itself."""
    content = json.loads(json.dumps({name: value for name, value in config.items() if name != "digest"}))
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _are_members(listed: list[Any]) -> bool:
    """Whether these are members of a population: a seed each, and numbers."""
    return bool(listed) and all(
        isinstance(member, dict)
        and isinstance(member.get("seed"), int)
        and all(isinstance(value, int | float) for value in member.values())
        for member in listed
    )
