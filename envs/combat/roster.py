"""A scenario as tables: everything about a battle that never changes while it lasts.

Letters as in `types`; I units of the side that acts, J of the other side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args, get_type_hints

import numpy as np

from marlcomm.envs.combat.terrain import Terrain
from marlcomm.envs.combat.types import Group, Scenario, Unit
from marlcomm.envs.combat.units import UNITS, changed_unit
from marlcomm.validation import (
    UsageError,
    check_above_zero,
    check_choice,
    check_count,
    check_field_types,
    fits_type,
    nearest,
)

LEAST_DAMAGE = 0.5  # of a hit, whatever the armor
GRID = 0.125  # cells between the places that are tried when units are set side by side


class Nearness:
    """How near units of one group may stand to those of another.

    Attributes:
      separation: [I, J] float32: centers nearer than this are pushed apart; 0 where two never touch.
      yields: [I, J] float32: share of that push which the first of a pair takes.
    """

    def __init__(self, units: Sequence[Unit], others: Sequence[Unit]) -> None:
        apart = [[_separation(i) + _separation(j) if i.flying == j.flying else 0.0 for j in others] for i in units]
        self.separation = np.array(apart, np.float32)
        if units is others:
            np.fill_diagonal(self.separation, 0.0)
        self.yields = np.array(
            [[(0.5 if j.speed else 1.0) if i.speed else 0.0 for j in others] for i in units], np.float32
        )


class Side:
    """What one side can do to the other.

    Attributes:
      units: the acting side's kinds, one a unit.
      others: the other side's.
      can_hit: [I, J] bool: whether the weapon reaches the other's plane.
      reach2: [I, J] float32: square of the distance of centers from which it does.
      scan2: [I, J] float32: square of that from which a unit attacks by itself.
      damage: [I, J] float32: of one hit, bonus included; 0 of what explodes.
      wound: [I, J] float32: the same after armor.
      blast, blast_wound: [I, J] float32: the same of an explosion; 0 of what does not explode.
      blast2: [I, J] float32: square of the distance at which an explosion still hits.
      healers: indices of those that heal.
      near_own, near_others: how units make room for one another within the side, and for the other side.
    """

    def __init__(self, units: Sequence[Unit], others: Sequence[Unit]) -> None:
        self.units, self.others = tuple(units), tuple(others)
        self.can_hit = self._pairs(lambda i, j: i.damage > 0 and (i.hits_air if j.flying else i.hits_ground), bool)
        self.reach2 = self._pairs(lambda i, j: (i.range + i.radius + j.radius) ** 2)
        self.scan2 = self._pairs(lambda i, j: (i.reach + i.radius + j.radius) ** 2)
        hit = self._pairs(_hit) * self.can_hit
        armor = self.of_others("armor")
        explodes = self.of_units("explodes").astype(bool)
        self.damage = np.where(explodes, 0.0, hit).astype(np.float32)
        self.blast = np.where(explodes, hit, 0.0).astype(np.float32)
        self.wound = _after_armor(self.damage, armor)
        self.blast_wound = _after_armor(self.blast, armor)
        self.blast2 = self._pairs(lambda i, j: (i.splash_radius + j.radius) ** 2)
        self.healers = tuple(i for i, unit in enumerate(units) if unit.heals > 0)
        self.two_hits = any(unit.hits == 2 for unit in units)
        self.explodes = bool(explodes.any())
        self.near_own, self.near_others = Nearness(self.units, self.units), Nearness(self.units, self.others)

    def of_units(self, field: str) -> np.ndarray:
        """[I, 1] float32: one number of each acting unit."""
        return np.array([[getattr(unit, field)] for unit in self.units], np.float32)

    def of_others(self, field: str) -> np.ndarray:
        """[J] float32: one number of each of the others."""
        return np.array([getattr(unit, field) for unit in self.others], np.float32)

    def _pairs(self, value: Callable[[Unit, Unit], Any], dtype: Any = np.float32) -> np.ndarray:
        return np.array([[value(unit, other) for other in self.others] for unit in self.units], dtype)


class Roster:
    """All units of a scenario, where they start, and what they can do.

    Attributes:
      scenario: whose tables these are.
      terrain: the ground.
      names: [U] of kinds, own units first.
      units: [U] the kinds.
      num_allies, num_enemies: A, E.
      ally, enemy: what each side can do to the other.
      draws: [D, R, 4] float32: rectangles in which points are drawn; those of a draw that has fewer are repeated.
      draw_of: [U] int: which draw a unit starts at.
      march: the draw of the point to which the enemies march, or None.
      offset: [U, 2] float32: from that point, so that none overlap.
      ally_codes, enemy_codes: [A], [E] int: each unit's kind in one-hot codes.
      num_codes: length of those; 0 where either side has only one kind.
    """

    def __init__(self, scenario: Scenario) -> None:
        """Raises UsageError for whatever in the scenario cannot be."""
        self.scenario = scenario
        self.kinds = _kinds(scenario)
        self.terrain = Terrain(scenario.name, scenario.terrain)
        allies = _by_kind(scenario.allies)
        self.num_allies, self.num_enemies = (sum(g.count for g in groups) for groups in (allies, scenario.enemies))
        groups = (*allies, *scenario.enemies)
        self.names = tuple(group.unit for group in groups for _ in range(group.count))
        self.units = tuple(self.kinds[name] for name in self.names)
        self.ally = Side(self.units[: self.num_allies], self.units[self.num_allies :])
        self.enemy = Side(self.units[self.num_allies :], self.units[: self.num_allies])
        for place in scenario.places:
            check_place(scenario, self.terrain, place, ground=False)
        self._check_room()
        self._place(groups)
        self._encode()
        self.has_shields = any(unit.shield > 0 for unit in self.units)
        self.has_explosions = self.ally.explodes or self.enemy.explodes

    def of(self, field: str) -> np.ndarray:
        """[U, 1] float32: one number of each unit."""
        return np.array([[getattr(unit, field)] for unit in self.units], np.float32)

    def _check_room(self) -> None:
        cells = {"on the ground": int(self.terrain.open.sum()), "in the air": self.terrain.open.size}
        for plane, there in cells.items():
            units = [unit for unit in self.units if unit.flying == (plane == "in the air")]
            needed = sum((2 * _separation(unit)) ** 2 for unit in units)
            if needed > there:
                raise UsageError(
                    f"scenario {self.scenario.name!r}: {len(units)} units {plane} need {needed:.0f} cells, "
                    f"and the map holds {there}."
                )

    def _place(self, groups: Sequence[Group]) -> None:
        """Draws and offsets: groups of one place share a draw, units that stand apart have one each."""
        scenario = self.scenario
        places: list[str] = []  # of each draw
        draw_of: list[int] = []
        for group in groups:
            check_place(scenario, self.terrain, group.place, ground=not self.kinds[group.unit].flying)
            if not group.apart and group.place not in places:
                places.append(group.place)
            for _ in range(group.count):
                if group.apart:
                    places.append(group.place + "\n")  # shared by nobody
                draw_of.append(len(places) - 1 if group.apart else places.index(group.place))
        if scenario.march:
            walk = any(not self.kinds[group.unit].flying for group in scenario.enemies)
            check_place(scenario, self.terrain, scenario.march, ground=walk)
            if scenario.march not in places:
                places.append(scenario.march)
        rects = [scenario.places[place.rstrip("\n")] for place in places]
        most = max(map(len, rects))
        self.draws = np.array([[each[k % len(each)] for k in range(most)] for each in rects], np.float32)
        self.num_rects = np.array([len(each) for each in rects], np.float32)
        self.draw_of = np.array(draw_of)
        self.march = places.index(scenario.march) if scenario.march else None
        self.offset = np.zeros((len(self.units), 2), np.float32)
        for draw in range(len(places)):
            here = np.flatnonzero(self.draw_of == draw)
            self.offset[here] = side_by_side([self.units[unit] for unit in here])
        self.sorted_allies = self._sort_where_drawn_together()

    def _sort_where_drawn_together(self) -> bool:
        """Sorts offsets of own units by place. Whether that suffices: one point a kind, and no wall there."""
        own = np.array(self.names[: self.num_allies])
        enough = True
        for name in dict.fromkeys(own):
            units = np.flatnonzero(own == name)
            together = len({*self.draw_of[units]}) == 1
            enough &= together
            if together:
                order = np.lexsort((self.offset[units, 1], self.offset[units, 0]))
                self.offset[units] = self.offset[units][order]
        return enough and self._never_in_a_wall()

    def _never_in_a_wall(self) -> bool:
        """Whether own units stand where they were drawn: those drawn into a wall are moved, and may change order."""
        for unit, kind in enumerate(self.units[: self.num_allies]):
            for left, bottom, right, top in self.draws[self.draw_of[unit]] + np.tile(self.offset[unit], 2):
                columns, rows = (slice(int(max(low, 0)), int(high) + 1) for low, high in ((left, right), (bottom, top)))
                if not kind.flying and not self.terrain.open[columns, rows].all():
                    return False
        return True

    def _encode(self) -> None:
        names, count = self.names, self.num_allies
        self.ally_types = _type_order(self.scenario, "ally_types", names[:count])
        self.enemy_types = _type_order(self.scenario, "enemy_types", names[count:])
        most = max(len(self.ally_types), len(self.enemy_types))
        self.num_codes = most if most > 1 else 0
        self.ally_codes = np.array([self.ally_types.index(name) for name in names[:count]])
        self.enemy_codes = np.array([self.enemy_types.index(name) for name in names[count:]])


def check_place(scenario: Scenario, terrain: Terrain, place: str, *, ground: bool) -> None:
    """Raises UsageError where a place is unknown, outside the map, or in a wall though `ground` units need it."""
    name = f"scenario {scenario.name!r}"
    if place not in scenario.places:
        raise UsageError(f"{name}: no place is called {place!r}.{nearest(place, tuple(scenario.places))}")
    width, height = terrain.size
    if not scenario.places[place]:
        raise UsageError(f"{name}: place {place!r} must have at least one rectangle.")
    for rect in scenario.places[place]:
        if len(rect) != 4 or not (0 <= rect[0] <= rect[2] <= width and 0 <= rect[1] <= rect[3] <= height):
            raise UsageError(
                f"{name}: place {place!r} has {rect!r}; "
                f"it must be (left, bottom, right, top) within {width} by {height}."
            )
        left, bottom = (min(int(rect[axis]), side - 1) for axis, side in enumerate((width, height)))
        right, top = (max(int(np.ceil(rect[axis])), low + 1) for axis, low in ((2, left), (3, bottom)))
        if ground and not terrain.open[left:right, bottom:top].any():
            raise UsageError(
                f"{name}: place {place!r} at {rect!r} is in a wall; "
                "units on the ground must start, and march to, where the terrain is `.`."
            )


def side_by_side(units: Sequence[Unit]) -> np.ndarray:
    """[n, 2] offsets around a point, nearest first, at which units of one plane do not overlap."""
    area = sum((2 * _separation(unit)) ** 2 for unit in units)
    far = GRID * np.ceil((np.sqrt(area) + 2 * max((_separation(unit) for unit in units), default=0.0)) / GRID)
    axis = np.arange(-far, far + GRID / 2, GRID)
    x, y = (each.ravel() for each in np.meshgrid(axis, axis, indexing="ij"))
    order = np.lexsort((y, x, np.round(x * x + y * y, 6)))
    spots = np.stack([x[order], y[order]], -1)  # [n, 2]
    placed = np.zeros((len(units), 2), np.float32)
    for index, unit in enumerate(units):
        free = np.ones(len(spots), bool)
        for other, at in zip(units[:index], placed, strict=False):
            if other.flying == unit.flying:
                apart = _separation(unit) + _separation(other)
                free &= ((spots - at) ** 2).sum(-1) >= apart**2 - 1e-6
        placed[index] = spots[np.argmax(free)]
    return placed


def _separation(unit: Unit) -> float:
    return unit.radius if unit.separation is None else unit.separation


def _hit(unit: Unit, other: Unit) -> float:
    return unit.damage + max((more for kind, more in unit.bonus.items() if kind in other.attributes), default=0.0)


def _after_armor(damage: np.ndarray, armor: np.ndarray) -> np.ndarray:
    return np.where(damage > 0, np.maximum(damage - armor, LEAST_DAMAGE), 0.0).astype(np.float32)


def _by_kind(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Groups of one kind after one another, kinds as they first appear."""
    kinds = [*dict.fromkeys(group.unit for group in groups)]
    return tuple(sorted(groups, key=lambda group: kinds.index(group.unit)))


def _kinds(scenario: Scenario) -> dict[str, Unit]:
    """The kinds of units with what the scenario changes of them; checks groups on the way."""
    name = f"scenario {scenario.name!r}"
    _check_types(name, scenario)
    check_count(f"{name}: limit", scenario.limit)
    for field in ("medics_alone", "settings"):
        check_choice(f"{name}: {field}", getattr(scenario, field), get_args(get_type_hints(Scenario)[field]))
    if scenario.shoot_range is not None:
        check_above_zero(f"{name}: shoot_range", scenario.shoot_range)
    used = dict.fromkeys(group.unit for group in (*scenario.allies, *scenario.enemies))
    for name in scenario.overrides:
        changed_unit(scenario.name, name, scenario.overrides[name])  # also of a kind that does not appear
    return {name: changed_unit(scenario.name, name, scenario.overrides.get(name, {})) for name in used}


def _check_types(name: str, scenario: Scenario) -> None:
    """Raises UsageError where something is of another type, most often since a tuple of one lacks its comma."""
    check_field_types(name, scenario)
    for side in ("allies", "enemies"):
        if not getattr(scenario, side):
            raise UsageError(f"{name}: {side} must have at least one group.")
        for group in getattr(scenario, side):
            check_field_types(f"{name}: {side}", group)
            check_count(f"{name}: count of {group.unit!r} in {side}", group.count)
    for place, rects in scenario.places.items():
        if not fits_type(rects, tuple[tuple[float, ...], ...]):
            raise UsageError(
                f"{name}: place {place!r} must be a tuple of rectangles, not {rects!r}; "
                "one alone is ((left, bottom, right, top),)."
            )
    for unit, fields in scenario.overrides.items():
        if not isinstance(fields, Mapping):
            raise UsageError(f"{name}: overrides of {unit!r} must be a dict of fields, not {fields!r}.")


def _type_order(scenario: Scenario, field: str, names: Sequence[str]) -> tuple[str, ...]:
    order = getattr(scenario, field) or tuple(dict.fromkeys(names))
    for kind in order:
        if kind not in UNITS:
            raise UsageError(f"scenario {scenario.name!r}: {field} has {kind!r}.{nearest(kind, tuple(sorted(UNITS)))}")
    if missing := sorted({*names} - {*order}):
        raise UsageError(
            f"scenario {scenario.name!r}: {field} lacks {missing[0]!r}; it must name every kind of that side."
        )
    return tuple(order)
