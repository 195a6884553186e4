"""Which unit of the game stands in which row of our arrays, and what it is doing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from marlcomm.bridge.simulator import SimulatorFault
from marlcomm.envs.combat.roster import Roster

ALLY, ENEMY = 1, 2  # owners
FIELDS = ("x", "y", "health", "shield", "energy", "cooldown")


class Lineup:
    """The units of one episode, in the order of a roster.

    Own units of a kind stand in a row by x, then y, as SMAC numbers them; enemies of a kind as the game lists them, or
    by place as well. Kinds follow one another as in the roster.

    Attributes:
      tags: [U] how the game calls them.
      most: [U, 2] their full health and shield.
    """

    def __init__(self, roster: Roster, units: Sequence[Any], names: Mapping[int, str], sort_enemies: bool) -> None:
        """Finds everybody's row.

        Args:
          roster: the battle.
          units: of both sides, as the game lists them.
          names: what kinds of units are called, by the game's number of the kind.
          sort_enemies: whether enemies are numbered by place, too.

        Raises:
          SimulatorFault: "wrong units" stand there.
        """
        split = roster.num_allies
        found: list[Any] = []
        for owner, wanted in ((ALLY, roster.names[:split]), (ENEMY, roster.names[split:])):
            side = [unit for unit in units if unit.owner == owner]
            if owner == ALLY or sort_enemies:
                side.sort(key=lambda unit: (unit.pos.x, unit.pos.y))
            found += _in_order(side, wanted, _kinds(roster, side, dict.fromkeys(wanted), names))
        self.tags = [unit.tag for unit in found]
        self.most = np.array([(unit.health_max, unit.shield_max) for unit in found], np.float32)
        self._rows = {tag: row for row, tag in enumerate(self.tags)}
        self._table = np.zeros((len(found), len(FIELDS)), np.float32)

    def read(self, units: Iterable[Any]) -> dict[str, Any]:
        """Arrays [U, 1] float32 of `FIELDS`, from the units that the game lists: who is missing is dead."""
        rows, values = [], []
        for unit in units:
            row = self._rows.get(unit.tag)
            if row is not None:
                rows.append(row)
                place = unit.pos
                values.append((place.x, place.y, unit.health, unit.shield, unit.energy, unit.weapon_cooldown))
        table = self._table.copy()
        table[:, FIELDS.index("health")] = 0.0
        if rows:
            table[rows] = values
        self._table = table
        return {name: table[:, column : column + 1] for column, name in enumerate(FIELDS)}


def _kinds(roster: Roster, side: Sequence[Any], wanted: Iterable[str], names: Mapping[int, str]) -> dict[int, str]:
    """The game's number of a kind -> our name of it: by its name, such as `Marine_RL`, else by its full health."""
    plain = {kind.replace("_", ""): kind for kind in wanted}
    found: dict[int, str] = {}
    for unit in side:
        if unit.unit_type in found:
            continue
        name = names.get(unit.unit_type, "").lower().removesuffix("_rl").replace("_", "")
        full = [
            kind
            for kind in plain.values()
            if (roster.kinds[kind].health, roster.kinds[kind].shield) == (unit.health_max, unit.shield_max)
        ]
        kind = plain.get(name) or (full[0] if len(full) == 1 else "")
        if not kind:
            raise SimulatorFault(
                "wrong units",
                f"kind {unit.unit_type} ({name or 'without a name'}, health {unit.health_max:g}, shield "
                f"{unit.shield_max:g}) is none of {', '.join(plain.values())}: is this the map of "
                f"{roster.scenario.name!r}?",
            )
        found[unit.unit_type] = kind
    return found


def _in_order(side: Sequence[Any], wanted: Sequence[str], kinds: Mapping[int, str]) -> list[Any]:
    """The units of one side as the roster has them: kind for kind."""
    queues = {kind: [unit for unit in side if kinds[unit.unit_type] == kind] for kind in dict.fromkeys(wanted)}
    counts = {kind: (len(queue), wanted.count(kind)) for kind, queue in queues.items()}
    if any(there != needed for there, needed in counts.values()):
        listed = ", ".join(f"{there} {kind} of {needed}" for kind, (there, needed) in counts.items())
        raise SimulatorFault("wrong units", f"there are {listed}")
    return [queues[kind].pop(0) for kind in wanted]
