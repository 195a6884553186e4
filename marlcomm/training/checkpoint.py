"""Checkpoints that are whole or do not count: orbax writes them, a checksum is held against what is read back."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax import checkpoint as orbax

logging.getLogger("absl").setLevel(logging.ERROR)


class CheckpointError(RuntimeError):
    """No checkpoint of a run can be used; the message says which were tried and what is wrong with them."""


class Checkpoints:
    """The newest checkpoints in a folder, numbered by chunk.

    A checkpoint that was being written when the process died has a temporary name and is never seen; one whose
    contents changed on disk fails its checksum.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        """Opens `folder`, an absolute path, and keeps the newest `keep` checkpoints in it."""
        options = orbax.CheckpointManagerOptions(max_to_keep=keep, create=True, enable_async_checkpointing=False)
        self.folder = folder
        self._manager = orbax.CheckpointManager(folder, options=options)

    def any(self) -> bool:
        """Whether there is a finished checkpoint, whole or damaged."""
        return bool(self._manager.all_steps())

    def save(self, number: int, state: Any, facts: dict[str, Any]) -> None:
        """Writes a pytree of arrays and some JSON facts; returns when they are on disk.

        Raises:
          OSError: the disk is full or the folder cannot be written.
        """
        copied = jax.tree.map(np.array, state)  # the originals are donated to the next chunk
        arguments = orbax.args.Composite(
            state=orbax.args.StandardSave(copied),
            facts=orbax.args.JsonSave(facts | {"digest": digest(copied)}),
        )
        try:
            self._manager.save(number, args=arguments, force=True)
            self._manager.wait_until_finished()
        except (ValueError, RuntimeError) as error:  # tensorstore's own words for a full disk
            raise OSError(f"checkpoint {number} could not be written to {self.folder}: {error}") from error

    def restore(self, template: Any) -> tuple[int, Any, dict[str, Any]]:
        """The newest whole checkpoint: its number, the state as numpy arrays, and its facts.

        Args:
          template: a pytree with the shapes and types that are expected.

        Raises:
          CheckpointError: there is none, or none is whole and fits the template.
        """
        abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), template)
        wrong = []
        for number in sorted(self._manager.all_steps(), reverse=True):
            arguments = orbax.args.Composite(state=orbax.args.StandardRestore(abstract), facts=orbax.args.JsonRestore())
            try:
                restored = self._manager.restore(number, args=arguments)
            except Exception as error:  # whatever a damaged file makes the reader raise
                wrong.append(f"checkpoint {number} cannot be read ({type(error).__name__}: {_first_line(error)})")
                continue
            state = jax.tree.map(np.asarray, restored["state"])
            facts = dict(restored["facts"])
            if digest(state) != facts.pop("digest", None):
                wrong.append(f"checkpoint {number} is damaged: its contents do not match its checksum")
            elif _shapes(state) != _shapes(abstract):
                wrong.append(f"checkpoint {number} holds arrays of other shapes than this algorithm's")
            else:
                return number, state, facts | {"skipped": wrong}
        raise CheckpointError("; ".join(wrong) or f"no whole checkpoint in {self.folder}")


def digest(tree: Any) -> str:
    """Sixteen hexadecimal digits that stand for every bit of a pytree of arrays."""
    total = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        array = np.ascontiguousarray(leaf)
        total.update(f"{jax.tree_util.keystr(path)}{array.dtype}{array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()[:16]


def _shapes(tree: Any) -> list[tuple]:
    return [(leaf.shape, np.dtype(leaf.dtype)) for leaf in jax.tree.leaves(tree)]


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]
