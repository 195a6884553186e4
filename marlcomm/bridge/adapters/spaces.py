"""Spaces of gymnasium as numbers: sizes, views side by side, and actions of agents. Duck-typed: nothing is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class ActionSpaceError(TypeError):
    """A space that an agent cannot act in."""


def flat_size(space: Any) -> int:
    """How many numbers an observation is made of."""
    kind = type(space).__name__
    if kind == "Discrete":
        return int(space.n)
    if kind == "MultiDiscrete":
        return int(np.sum(space.nvec))
    if kind in ("Tuple", "Dict"):
        return sum(flat_size(each) for each in _parts(space))
    return int(np.prod(space.shape))


def flatten(space: Any, value: Any) -> np.ndarray:
    """[`flat_size`] float32: choices are one-hot, all else as it is."""
    kind = type(space).__name__
    if kind == "Discrete":
        return np.eye(int(space.n), dtype=np.float32)[int(value) - int(getattr(space, "start", 0))]
    if kind == "MultiDiscrete":
        chosen = zip(np.ravel(space.nvec), np.ravel(value), strict=True)
        return np.concatenate([np.eye(int(n), dtype=np.float32)[int(each)] for n, each in chosen])
    if kind == "Dict":
        return np.concatenate([flatten(each, value[name]) for name, each in space.spaces.items()])
    if kind == "Tuple":
        return np.concatenate([flatten(each, part) for each, part in zip(space.spaces, value, strict=True)])
    return np.asarray(value, np.float32).reshape(-1)


class AgentActions:
    """The actions of agents whose spaces are all choices, or all boxes; the fewer of an agent are masked."""

    def __init__(self, spaces: Sequence[Any]) -> None:
        """Raises ActionSpaceError for spaces that are neither, or of both kinds."""
        kinds = {type(space).__name__ for space in spaces}
        if len(kinds) != 1 or not kinds <= {"Discrete", "Box"}:
            raise ActionSpaceError(f"agents must have actions that are all Discrete or all Box, not {sorted(kinds)}")
        self._spaces = list(spaces)
        self.continuous = kinds == {"Box"}
        sizes = [int(np.prod(space.shape)) if self.continuous else int(space.n) for space in spaces]
        self.count = max(sizes)
        self.mask = np.arange(self.count) < np.array(sizes)[:, None]  # [N, A] those that an agent has
        for number, space in enumerate(spaces):
            if self.continuous and not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
                raise ActionSpaceError(f"agent {number} has actions without a least or a greatest value: {space}")

    def of(self, agent: int, action: np.ndarray) -> Any:
        """What the simulator takes: a choice, or numbers between its limits for those in -1 .. 1."""
        space = self._spaces[agent]
        if not self.continuous:
            return int(action) + int(getattr(space, "start", 0))
        own = action[: int(np.prod(space.shape))].reshape(space.shape)
        return (space.low + (own + 1.0) / 2.0 * (space.high - space.low)).astype(space.dtype)


def padded(values: Sequence[np.ndarray], size: int) -> np.ndarray:
    """[N, size] float32 of vectors that may be shorter."""
    rows = np.zeros((len(values), size), np.float32)
    for row, value in zip(rows, values, strict=True):
        row[: len(value)] = value
    return rows


def _parts(space: Any) -> list[Any]:
    return list(space.spaces.values()) if type(space).__name__ == "Dict" else list(space.spaces)
