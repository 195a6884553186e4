"""The run folder: what was asked for, what happened, and what came out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = ("marlcomm", "jax", "jaxlib", "flax", "optax", "distrax", "flashbax", "jumanji", "numpy")


class RunFolderError(RuntimeError):
    """A run folder is missing, in the way, or holds another run; the message says what to do."""


class RunFolder:
    """Files of one run.

    config.json          what was asked for, resolved; package versions and commit
    member_K/metrics.jsonl   one line a chunk of training, and what evaluation found
    checkpoints/         the newest whole states
    summary.json         what came out
    curves.png           the learning curves
    """

    def __init__(self, path: str | Path) -> None:
        """Names a folder; nothing is touched yet."""
        self.path = Path(path).absolute()

    def create(self, config: Mapping[str, Any]) -> None:
        """Makes the folder and writes the configuration.

        Raises:
          RunFolderError: it exists and is not empty, or cannot be written.
        """
        if self.exists() or self.path.is_file():
            raise RunFolderError(
                f"{self.path} exists already: choose another folder, or go on with that run by resume (--resume)"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.write_json("config.json", {**config, "versions": versions(), "commit": commit()})
        except OSError as error:
            raise RunFolderError(f"cannot write to {self.path}: {error.strerror or error}") from error

    def check_same(self, config: Mapping[str, Any]) -> list[str]:
        """Compares a configuration with the one on record; gives back warnings about other package versions.

        Raises:
          RunFolderError: there is no run here, or it was asked for something else; the message shows the difference.
        """
        recorded = self.config()
        before, asked = _flat(recorded), _flat(json.loads(json.dumps(config)))
        names = [name for name in sorted(asked.keys() | before.keys()) if before.get(name) != asked.get(name)]
        if names:
            different = [f"{name}: {before.get(name)!r} in the run, {asked.get(name)!r} now" for name in names]
            if "steps" in names:  # what people try with a run that has ended
                different.append(
                    "a run cannot be made longer or shorter: learning rates, curricula and evaluations follow its "
                    "length; train anew, into another folder, or go on with the steps of the run"
                )
            raise RunFolderError(
                f"{self.path} was started with another configuration, and cannot go on with this one:\n  "
                + "\n  ".join(different)
            )
        now = versions()
        return [
            f"{name} was {version} when this run began and is {now.get(name)} now: results may differ in the last bits"
            for name, version in recorded.get("versions", {}).items()
            if now.get(name) != version
        ]

    def config(self, *needed: str) -> dict[str, Any]:
        """What the run was asked for.

        Raises:
          RunFolderError: there is no readable run here, or its configuration lacks a name of `needed`.
        """
        config = self.read_json("config.json")
        missing = [name for name in needed if name not in config]
        if missing:
            raise RunFolderError(f"{self.path / 'config.json'} is no configuration of a run: no {', '.join(missing)}")
        return config

    def read_json(self, name: str) -> dict[str, Any]:
        """The contents of a file of the run. Raises RunFolderError where it is missing or damaged."""
        try:
            found = json.loads((self.path / name).read_text())
        except (FileNotFoundError, NotADirectoryError):
            raise RunFolderError(f"{self.path} is not a run folder: it has no {name}") from None
        except (OSError, ValueError) as error:  # no JSON, or no text at all
            raise RunFolderError(f"{self.path / name} cannot be read: {error}") from None
        if not isinstance(found, dict):
            raise RunFolderError(f"{self.path / name} cannot be read: it holds a {type(found).__name__}, no names")
        return found

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Replaces a file whole: a reader sees the old or the new one, never half."""
        self._replace(self.path / name, json.dumps(content, indent=2) + "\n")

    def checkpoints(self) -> Path:
        """Where the checkpoints are."""
        return self.path / "checkpoints"

    def exists(self) -> bool:
        """Whether there is something in the folder."""
        return self.path.is_dir() and any(self.path.iterdir())

    def member(self, number: int) -> Path:
        """The folder of one member."""
        return self.path / f"member_{number}"

    def append_metrics(self, lines: list[dict[str, Any]]) -> None:
        """Adds one line to every member's metrics."""
        for number, line in enumerate(lines):
            self.member(number).mkdir(exist_ok=True)
            with (self.member(number) / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")

    def read_metrics(self, members: int) -> list[list[dict[str, Any]]]:
        """Each member's lines; a last line that a crash cut short is left out."""
        return [_read_lines(self.member(number) / "metrics.jsonl") for number in range(members)]

    def truncate_metrics(self, members: int, chunk: int) -> list[list[dict[str, Any]]]:
        """Drops what was recorded after `chunk`, which a run that goes on from there records again; gives the rest."""
        kept = [[row for row in rows if row["chunk"] <= chunk] for rows in self.read_metrics(members)]
        for number, rows in enumerate(kept):
            if self.member(number).is_dir():
                text = "".join(json.dumps(row) + "\n" for row in rows)
                self._replace(self.member(number) / "metrics.jsonl", text)
        return kept

    @staticmethod
    def _replace(path: Path, text: str) -> None:
        temporary = path.with_name(path.name + ".tmp")
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


def stack_metrics(lines: list[list[dict[str, Any]]]) -> dict[str, np.ndarray]:
    """Every metric as an array [time, P]; NaN where a line lacks it."""
    names = dict.fromkeys(name for rows in lines for row in rows for name in row)
    length = max((len(rows) for rows in lines), default=0)
    table = {name: np.full((length, len(lines)), np.nan) for name in names}
    for member, rows in enumerate(lines):
        for time, row in enumerate(rows):
            for name, value in row.items():
                table[name][time, member] = np.nan if value is None else value
    return table


def plain(value: Any) -> Any:
    """A number as JSON can hold it: None for NaN and infinities."""
    number = np.asarray(value).item()
    if isinstance(number, float):
        return float(f"{number:.7g}") if np.isfinite(number) else None
    return number


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


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


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """What decides a run, by name; entries of mappings by themselves, so that only those that differ are shown."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, dict) and value and name != "versions":
            flat |= {f"{name}.{key}": entry for key, entry in value.items()}
        elif name not in ("versions", "commit"):
            flat[name] = value
    return flat


def _read_lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    if path.exists():
        for line in path.read_text(errors="replace").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                break
            if not isinstance(row, dict):
                break
            rows.append(row)
    return rows
