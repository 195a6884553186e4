"""One game on one map: created, joined, and started anew for each episode by killing everybody, as SMAC's maps want."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from marlcomm.bridge.simulator import SimulatorFault
from marlcomm.bridge.starcraft import protocol
from marlcomm.bridge.starcraft.connection import Connection
from marlcomm.bridge.starcraft.lineup import ALLY, ENEMY
from marlcomm.envs.combat.terrain import Terrain

LATEST_SPAWN = 200  # game loops that a map's trigger may take to put new units down
AFTER_KILL = 2  # game loops in which the killed disappear


class Game:
    """The dialog with a game that runs, from its creation on.

    Attributes:
      version: what the game calls its version.
      terrain: the map's ground, as the game tells it.
      names: what kinds of units are called, by the game's number of the kind.
      units: of both players, as the last observation lists them.
      loop: the game's clock at that observation.
    """

    def __init__(self, connection: Connection, seconds: float) -> None:
        """Args: the line to the game, and the seconds that it has for any answer but to its creation."""
        self._connection, self._seconds = connection, seconds
        self.units: Sequence[Any] = ()
        self.loop = 0

    def create(self, map_file: Path, races: tuple[str, str], difficulty: str, seed: int, seconds: float) -> None:
        """Creates the game on a map and joins it; `seconds` is how long each answer may take.

        Raises:
          SimulatorFault: the game refuses, or does not answer.
        """
        path = f"{map_file.parent.name}/{map_file.name}"
        create = protocol.create_game(path, map_file.read_bytes(), races[1], difficulty, seed)
        self._connection.ask([create], seconds)
        self._connection.ask([protocol.join_game(races[0])], seconds)
        asked = [protocol.request("ping"), protocol.request("game_info"), protocol.request("data", unit_type_id=True)]
        ping, info, data = self._connection.ask(asked, seconds)
        self.version = ping.game_version
        self.terrain = _terrain(info.start_raw)
        self.names = {unit.unit_id: unit.name for unit in data.units}
        self._look()

    def begin(self, num_allies: int, num_enemies: int, anew: bool) -> None:
        """Waits until new units stand on the map, of the first episode or, `anew`, of another.

        Raises:
          SimulatorFault: "no units" appear.
        """
        old = {unit.tag for unit in self.units} if anew else set()
        if old:
            self._look(protocol.kill(old), protocol.request("step", count=AFTER_KILL))
        latest = self.loop + LATEST_SPAWN
        while not self._everybody_is_there(num_allies, num_enemies, old):
            if self.loop >= latest:
                raise SimulatorFault("no units", f"{len(self.units)} units stand there, {LATEST_SPAWN} loops after")
            self._look(protocol.request("step", count=1))

    def _everybody_is_there(self, num_allies: int, num_enemies: int, old: set[int]) -> bool:
        owners = [unit.owner for unit in self.units if unit.tag not in old]
        whole = len(owners) == len(self.units)
        return whole and owners.count(ALLY) == num_allies and owners.count(ENEMY) == num_enemies

    def play(self, orders: Sequence[tuple[int, int, Any]], loops: int) -> None:
        """Gives orders (see `protocol.commands`), plays so many loops, and looks: all sent at once."""
        self._look(protocol.commands(orders), protocol.request("step", count=loops))

    def _look(self, *before: Any) -> None:
        *_, seen = self._connection.ask([*before, protocol.request("observation")], self._seconds)
        self.units = [unit for unit in seen.observation.raw_data.units if unit.owner in (ALLY, ENEMY)]
        self.loop = seen.observation.game_loop


def _terrain(start: Any) -> Terrain:
    """The ground, from the game's pictures of it, read as SMAC's wrapper reads them."""
    width, height = start.map_size.x, start.map_size.y
    area = start.playable_area
    cells = np.frombuffer(start.pathing_grid.data, np.uint8)
    if start.pathing_grid.bits_per_pixel == 1:
        can_walk = np.unpackbits(cells).reshape(height, width).T.astype(bool)
    else:  # of old versions: 0 where units can walk, rows from the top
        can_walk = cells.reshape(height, width).T[:, ::-1] == 0
    level = np.frombuffer(start.terrain_height.data, np.uint8).reshape(height, width).T[:, ::-1]
    extent = (area.p1.x - area.p0.x or width, area.p1.y - area.p0.y or height)
    return Terrain.of_grids(can_walk, level.astype(np.float32) / 255.0, extent)
