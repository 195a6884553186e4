"""The ground of the maps: 32 by 32 cells, row by row from the top, read from the map files of SMAC and NDQ.

`.` can be walked on. `+` is on the same level but flagged as a cliff's edge, `#` is higher and `-` lower ground: none
of these three can be. `:` is as `+`, but taken as ground to walk on, as the map makes no sense otherwise. Levels are
those of `t3SyncCliffLevel`, flags bit 0 of `t3CellFlags`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from marlcomm.validation import UsageError, nearest

HEIGHTS = {".": 207, ":": 207, "+": 207, "#": 223, "-": 191}  # of 255, as the game's interface gives terrain heights


OPEN = ".:"


def _rows(*runs: tuple[int, str]) -> tuple[str, ...]:
    return tuple(row for count, row in runs for _ in range(count))


TERRAINS: dict[str, tuple[str, ...]] = {
    "strip": _rows(
        (7, "--------------------------------"),
        (1, "++++++++++++++++++++++++++++++++"),
        (16, "................................"),
        (1, "++++++++++++++++++++++++++++++++"),
        (7, "--------------------------------"),
    ),
    "open": _rows(
        (32, "................................"),
    ),
    "ring": _rows(
        (4, "................................"),
        (1, "......++++++++++++++++++++......"),
        (1, "......++----------------++......"),
        (20, "......+------------------+......"),
        (1, "......++----------------++......"),
        (1, "......++++++++++++++++++++......"),
        (4, "................................"),
    ),
    "rocks": _rows(  # banelings appear in the middle; what is the edge of two cliffs is a gap between them
        (6, "................................"),
        (1, "........++++........++++........"),
        (1, "........+##+........:##+........"),
        (1, "......++###+..+++++::###++......"),
        (1, "......+####+..:####::+###+......"),
        (1, "......+#####+::####:..+##+......"),
        (1, "......++++###::++++:..:::+......"),
        (1, "..........+##:......::::........"),
        (1, "..........:::+......+##+........"),
        (1, "........+:::........+##+........"),
        (2, "........+##+........+##+........"),
        (1, "........+##+........:::+........"),
        (1, "........+##+......+:::.........."),
        (1, "........::::......:##+.........."),
        (1, "......+:::..:++++::###++++......"),
        (1, "......+##+..:####::+#####+......"),
        (1, "......+###+::####:..+####+......"),
        (1, "......++###::+++++..+###++......"),
        (1, "........+##:........+##+........"),
        (1, "........++++........++++........"),
        (6, "................................"),
    ),
    "tee": _rows(  # the stem is flagged as a cliff, but a unit appears in it
        (2, "................................"),
        (1, "++++++++++++++....++++++++++++++"),
        (1, "------------++....++------------"),
        (1, "-------------+::::+-------------"),
        (1, "--------------+::+--------------"),
        (26, "---------------::---------------"),
    ),
    "octagon": _rows(
        (5, "--------------------------------"),
        (1, "---------++++++++++++++---------"),
        (1, "--------++............++--------"),
        (1, "-------+++............+++-------"),
        (1, "------++................++------"),
        (1, "-----+++................+++-----"),
        (12, "-----+....................+-----"),
        (1, "-----+++................+++-----"),
        (1, "------++................++------"),
        (1, "-------+++............+++-------"),
        (1, "--------++............++--------"),
        (1, "---------++++++++++++++---------"),
        (5, "--------------------------------"),
    ),
    "bell": _rows(
        (7, "--------------------------------"),
        (1, "-----------++++++---------------"),
        (1, "----------++....++--------------"),
        (1, "---------+++....+++-------------"),
        (1, "--------++........++------------"),
        (1, "-------+++........+++-----------"),
        (12, "-------+............+-----------"),
        (1, "-------++++++++++++++-----------"),
        (7, "--------------------------------"),
    ),
    "pit": _rows(
        (11, "--------------------------------"),
        (1, "---------++++++++++++-----------"),
        (1, "--------++..........++----------"),
        (1, "-------+++..........+++---------"),
        (8, "-------+..............+---------"),
        (1, "-------+++..........+++---------"),
        (1, "--------++..........++----------"),
        (1, "---------++++++++++++-----------"),
        (7, "--------------------------------"),
    ),
    "two_rooms": _rows(  # which only flagged cells join
        (1, "--------------------------------"),
        (1, "-------------------++++++++++++-"),
        (1, "------------------++..........+-"),
        (1, "-----------------+++..........+-"),
        (1, "----------------++............+-"),
        (1, "---------------+++............+-"),
        (1, "--------------++..............+-"),
        (1, "-------------+++..............+-"),
        (1, "------------++................+-"),
        (1, "-----------+++................+-"),
        (4, "-----------+..................+-"),
        (1, "-----------+++..............+++-"),
        (1, "------------++..............++--"),
        (1, "------------++............+++---"),
        (1, "-----------++:............++----"),
        (1, "----------++..:++++++++++++-----"),
        (1, "-++++++++++:..++----------------"),
        (1, "-+..........:++-----------------"),
        (1, "-+..........++------------------"),
        (6, "-+..........+-------------------"),
        (1, "-+..........++------------------"),
        (1, "-+..........+++-----------------"),
        (1, "-++++++++++++++-----------------"),
        (1, "--------------------------------"),
    ),
    "stairs": _rows(
        (1, "--------------------------------"),
        (1, "---------------------++++++++++-"),
        (1, "--------------------++........+-"),
        (1, "-------------------+++........+-"),
        (2, "-------------------+..........+-"),
        (1, "------------------++..........+-"),
        (1, "---------------+++++..........+-"),
        (1, "--------------++..............+-"),
        (1, "-------------+++..............+-"),
        (1, "-------------+............+++++-"),
        (1, "-------------+............++----"),
        (1, "------------++............+-----"),
        (1, "---------+++++............+-----"),
        (1, "--------++..........+++++++-----"),
        (1, "-------+++..........++----------"),
        (2, "-------+............+-----------"),
        (1, "------++............+-----------"),
        (1, "---+++++............+-----------"),
        (1, "---+............+++++-----------"),
        (1, "---+............++--------------"),
        (1, "--++............+---------------"),
        (1, "-+++............+---------------"),
        (1, "-+..........+++++---------------"),
        (1, "-+..........++------------------"),
        (2, "-+..........+-------------------"),
        (1, "-+......+++++-------------------"),
        (1, "-+......++----------------------"),
        (1, "-++++++++-----------------------"),
        (1, "--------------------------------"),
    ),
}


class Terrain:
    """The ground of one map.

    Attributes:
      rows: as in `TERRAINS`.
      open: [W, H] bool: x to the right, y upwards, whether a unit on the ground may stand there.
      height: [W, H] float32 in 0 .. 1.
      extent: by which states divide places: the size of the map, or of the part of it that is played on.
    """

    def __init__(self, scenario: str, terrain: str | Sequence[str]) -> None:
        """Reads a map. Raises UsageError where there is none of that name, or its rows make none."""
        if isinstance(terrain, str):
            if terrain not in TERRAINS:
                raise UsageError(
                    f"scenario {scenario!r}: terrain={terrain!r} is not known.{nearest(terrain, [*TERRAINS])}"
                )
            terrain = TERRAINS[terrain]
        rows = tuple(terrain)
        for number, row in enumerate(rows):
            if not isinstance(row, str) or len(row) != len(rows[0]) or not row:
                raise UsageError(f"scenario {scenario!r}: row {number} of terrain must be text as long as row 0.")
            if odd := set(row) - set(HEIGHTS):
                raise UsageError(
                    f"scenario {scenario!r}: row {number} of terrain has {min(odd)!r}; "
                    f"only {' '.join(HEIGHTS)} mean anything."
                )
        self.rows = rows
        cells = np.array([list(row) for row in rows[::-1]]).T if rows else np.empty((0, 0), str)  # [W, H]
        self.open = np.isin(cells, list(OPEN))
        if not self.open.any():
            raise UsageError(f"scenario {scenario!r}: terrain has no ground to walk on, written `.`.")
        self.height = np.vectorize(HEIGHTS.get)(cells).astype(np.float32) / 255.0
        self.extent = self.size

    @classmethod
    def of_grids(cls, can_walk: np.ndarray, height: np.ndarray, extent: tuple[int, int]) -> Terrain:
        """The ground as a game tells it: [W, H] bool, [W, H] float32, and the attribute `extent`."""
        rows = tuple("".join("." if cell else "+" for cell in row) for row in can_walk.T[::-1])
        terrain = cls("of the game", rows)
        terrain.height, terrain.extent = height, extent
        return terrain

    @property
    def size(self) -> tuple[int, int]:
        """W, H: cells from left to right, and from bottom to top."""
        return self.open.shape[0], self.open.shape[1]

    @cached_property
    def box(self) -> tuple[int, int, int, int] | None:
        """Left, bottom, right, top of the ground that can be walked on, where that is one rectangle; else None."""
        xs, ys = np.nonzero(self.open)
        left, bottom, right, top = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
        return (left, bottom, right, top) if self.open[left:right, bottom:top].all() else None

    @cached_property
    def nearest_open(self) -> np.ndarray:
        """[W, H, 2] float32: the place to stand on nearest to each cell, which is its center where it is open."""
        cells = np.argwhere(self.open) + 0.5  # [n, 2]
        centers = np.stack(np.meshgrid(*(np.arange(side) + 0.5 for side in self.size), indexing="ij"), -1)  # [W, H, 2]
        apart = ((centers[:, :, None] - cells) ** 2).sum(-1)
        return cells[apart.argmin(-1)].astype(np.float32)
