"""Checkpoints that are whole or do not count: each is looked back at before it gets its number, and before older ones
go; checksums of its files and of its contents are held against what is read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from marlcomm.training import orbax_folder
from marlcomm.training.old_checkpoints import Layout, older_layouts
from marlcomm.validation import brief, first_line

FILES = "files.json"  # sizes and checksums of a checkpoint's files; those of older versions have none
_CLEARINGS = 100  # at most, of what was left unfinished


class CheckpointError(RuntimeError):
    """No checkpoint of a run can be used; the message says which were tried and what is wrong with them."""


class Checkpoints:
    """The newest checkpoints in a folder, numbered by chunk.

    A checkpoint is written under another name, and gets its number once it was looked back at: what was being written
    when the process died is never seen.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        """Names `folder`, an absolute path, in which the newest `keep` checkpoints are kept; nothing is touched yet."""
        self.folder, self._keep = folder, keep

    def numbers(self) -> list[int]:
        """Those that are there, whole or damaged, the newest first."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return sorted((int(name) for name in names if name.isascii() and name.isdigit()), reverse=True)

    def prove(self) -> None:
        """Writes something small as a checkpoint is written, and takes it away again: where that fails, saving would.

        Raises:
          OSError: nothing can be saved in this folder.
        """
        self._write({"proof": np.zeros(1)}, {})
        self._clear()

    def save(self, number: int, state: Any, facts: dict[str, Any]) -> None:
        """Writes a pytree of arrays and some JSON facts; returns when they are on disk and were looked back at.

        Raises:
          OSError: the disk is full or the folder cannot be written; what was saved before is still there.
        """
        arrays = jax.tree.map(np.asarray, state)  # views where they can be; one still held is spared by what comes next
        self._write(arrays, facts | {"digest": digest(arrays)})
        final = self.folder / str(number)
        if final.exists():
            self._remove(final)
        self._unfinished.rename(final)
        _to_disk(self.folder)
        for old in self.numbers()[self._keep :]:
            self._remove(self.folder / str(old))

    def restore(
        self, template: Any, set_aside: Callable[[Path], Path] | None = None
    ) -> tuple[int, Any, dict[str, Any]]:
        """The newest whole checkpoint: its number, the state as numpy arrays, and its facts.

        Args:
          template: a pytree with the shapes and types that are expected; those that older versions wrote are read too.
          set_aside: moves a damaged checkpoint away, so that its number is free again, and gives its new path.

        Raises:
          CheckpointError: there is none, or none is whole and fits the template.
        """
        abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), template)
        layouts = [Layout(abstract, lambda state: state), *older_layouts(abstract)]
        wrong: dict[int, str] = {}
        # again after each: a run that is still written drops old checkpoints, and has newer ones
        while untried := [number for number in self.numbers() if number not in wrong]:
            number = untried[0]
            found = self._read(number, layouts)
            if isinstance(found, str):
                wrong[number] = found
                continue
            # an older one was dropped by the run that is still written, while it was read: nothing is wrong with it
            newer = {tried: said for tried, said in wrong.items() if tried > number}
            return number, found[0], found[1] | {"skipped": self._move_away(newer, set_aside)}
        raise CheckpointError("; ".join(wrong.values()) or f"no whole checkpoint in {self.folder}")

    @property
    def _unfinished(self) -> Path:
        return self.folder / "unfinished"

    def _write(self, state: Any, facts: dict[str, Any]) -> None:
        """Leaves a whole checkpoint under the name of an unfinished one; nothing where it fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._clear()
        try:
            orbax_folder.write(self._unfinished, state, facts)
            orbax_folder.look_back(self._unfinished, state)
            with (self._unfinished / FILES).open("w") as file:
                json.dump(_checksums(self._unfinished), file)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            self._clear()  # room for what may still come
            raise

    def _clear(self) -> None:
        """Drops what was left unfinished, also under the name that orbax gives it meanwhile."""
        for _ in range(_CLEARINGS):
            left = list(self.folder.glob(f"{self._unfinished.name}*"))
            if not left:
                return
            for rest in left:
                shutil.rmtree(rest, ignore_errors=True)
            time.sleep(0.01)  # after an error some arrays are still under way, and make their folder again

    def _read(self, number: int, layouts: Sequence[Layout]) -> tuple[Any, dict[str, Any]] | str:
        """State and facts of a checkpoint, or what is wrong with it."""
        folder = self.folder / str(number)
        damaged = _damage(folder)
        if damaged:
            return f"checkpoint {number} is damaged: {damaged}"
        failures = []
        for layout in layouts:
            try:
                state, facts = orbax_folder.read(folder, layout.template)
            except Exception as error:  # whatever a damaged file or a foreign template makes the reader raise
                failures.append(brief(error))
                continue
            if digest(state) != facts.pop("digest", None):
                return f"checkpoint {number} is damaged: its contents do not match its checksum"
            if _shapes(state) != _shapes(layout.template):
                return f"checkpoint {number} holds arrays of other shapes than this algorithm's"
            return layout.to_today(state), facts
        if damaged is not None:
            return f"checkpoint {number} is whole, but holds other arrays than this algorithm's"
        return f"checkpoint {number} cannot be read ({failures[0]})"

    def _move_away(self, wrong: dict[int, str], set_aside: Callable[[Path], Path] | None) -> list[str]:
        """What was wrong, and where it is kept."""
        if set_aside is None:
            return list(wrong.values())
        here = {number: self.folder / str(number) for number in wrong}
        return [
            f"{said}; it is kept as {set_aside(here[number])}" if here[number].exists() else said
            for number, said in wrong.items()
        ]

    def _remove(self, folder: Path) -> None:
        """Takes a checkpoint away under another name, so that half of one is never taken for a whole."""
        leaving = self.folder / "leaving"
        shutil.rmtree(leaving, ignore_errors=True)
        if folder.exists():
            folder.rename(leaving)
            shutil.rmtree(leaving)


def digest(tree: Any) -> str:
    """Sixteen hexadecimal digits that stand for every bit of a pytree of arrays."""
    total = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.ascontiguousarray(leaf)
        total.update(f"{jax.tree_util.keystr(path)}{array.dtype}{array.shape}".encode())
        total.update(array.reshape(-1).view(np.uint8).data)  # its bytes, without a copy of them
    return total.hexdigest()[:16]


def _checksums(folder: Path) -> dict[str, list[int]]:
    """Size and checksum of every file, by its path within the folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / FILES:
            found[path.relative_to(folder).as_posix()] = [path.stat().st_size, _checksum(path)]
    return found


def _checksum(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while block := file.read(2**22):
            total = zlib.crc32(block, total)
    return total


def _damage(folder: Path) -> str | None:
    """Which file is not as it was written; empty where all are, None where nothing says how they were."""
    try:
        written = json.loads((folder / FILES).read_text())
        found = _checksums(folder)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return f"{FILES} cannot be read: {first_line(error)}"
    if not isinstance(written, dict):
        return f"{FILES} holds no checksums"
    changed = [name for name in sorted(written.keys() | found.keys()) if written.get(name) != found.get(name)]
    return f"{changed[0]} is not as it was written" if changed else ""


def _shapes(tree: Any) -> list[tuple]:
    return [(leaf.shape, np.dtype(leaf.dtype)) for leaf in jax.tree.leaves(tree)]


def _to_disk(folder: Path) -> None:
    """Makes names in a folder outlast a loss of power, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
