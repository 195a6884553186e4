"""Roads on a square grid, and the routes that cars take over them: plain numpy, made once for a task."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

Cell = tuple[int, int]  # row, column; as a heading, the step to the next cell
DOWN, RIGHT, UP, LEFT = (1, 0), (0, 1), (-1, 0), (0, -1)


class Roads(NamedTuple):
    """A road map. G cells along each side, R routes, E entrances, at most L cells on a route."""

    is_road: np.ndarray  # [G, G] bool
    path: np.ndarray  # [R, L, 2] int32: row and column of each cell of a route; the last cell repeats at the end
    path_length: np.ndarray  # [R] int32
    routes: np.ndarray  # [E, R / E] int32: the routes that start at each entrance


def crossing(size: int) -> Roads:
    """Two one-way roads, down and to the right, that cross in the middle. Nobody turns: a route an entrance."""
    middle = size // 2
    is_row = np.arange(size) == middle
    entrances = [((0, middle), DOWN), ((middle, 0), RIGHT)]
    return _make(is_row, entrances, turns=("straight",))


def two_way(size: int, lanes: Sequence[int]) -> Roads:
    """Two-way roads, right-hand traffic, two lanes each: rows and columns k and k + 1 for each k of `lanes`.

    At the first two junctions on its way a route goes straight on, right or left; at later ones straight on.
    """
    is_row = np.isin(np.arange(size), [lane + side for lane in lanes for side in (0, 1)])
    entrances = [
        *(((0, lane), DOWN) for lane in lanes),
        *(((lane + 1, 0), RIGHT) for lane in lanes),
        *(((size - 1, lane + 1), UP) for lane in lanes),
        *(((lane, size - 1), LEFT) for lane in lanes),
    ]
    return _make(is_row, entrances, turns=("straight", "right", "left"))


def _make(is_row: np.ndarray, entrances: Sequence[tuple[Cell, Cell]], turns: Sequence[str]) -> Roads:
    """The map whose roads are these rows and the same columns, with all routes from the entrances."""
    paths = []
    for start, heading in entrances:
        ways = (_drive(is_row, start, heading, plan) for plan in itertools.product(turns, repeat=2))
        paths.append(list(dict.fromkeys(ways)))  # a route that leaves after one junction has no second turn
    count = len(paths[0])
    flat = list(itertools.chain.from_iterable(paths))
    longest = max(map(len, flat))
    return Roads(
        is_road=is_row[:, None] | is_row,
        path=np.array([path + path[-1:] * (longest - len(path)) for path in flat], np.int32),
        path_length=np.array([len(path) for path in flat], np.int32),
        routes=np.arange(len(flat), dtype=np.int32).reshape(len(entrances), count),
    )


def _drive(is_row: np.ndarray, start: Cell, heading: Cell, plan: Iterable[str]) -> tuple[Cell, ...]:
    """The cells from `start` to the edge of the map, turning at junctions as planned, then straight on."""
    turns, path, inside, turn = iter(plan), [start], 0, "straight"
    while True:
        (row, column), (down, right) = path[-1], heading
        row, column = row + down, column + right
        if not (0 <= row < len(is_row) and 0 <= column < len(is_row)):
            return tuple(path)
        path.append((row, column))
        inside = inside + 1 if is_row[row] and is_row[column] else 0  # cells since the junction began
        turn = next(turns, "straight") if inside == 1 else turn
        if inside == 1 and turn == "right":  # the near lane of the crossing road
            heading = (heading[1], -heading[0])
        if inside == 2 and turn == "left":  # the far lane
            heading = (-heading[1], heading[0])
