"""What the rooms of combat hand to one another: kinds of units, scenarios, and arrays of units.

Axis letters: A own units (the agents), E enemies, U = A + E all units, own first; B copies of the task, *last*: so
each operation runs over copies side by side, which is what processors do best.
Lengths are in map cells, times in game seconds; 16 game loops make one game second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:  # what a worker process of the bridge imports loads no JAX
    import jax

LOOPS_PER_SECOND = 16  # of the game's speed "Normal", in which all data are given
TICK = 1.0 / LOOPS_PER_SECOND

MOVES = np.array([(0, 1), (0, -1), (1, 0), (-1, 0)], np.float32)  # [4, 2] north, south, east, west
FIRST_MOVE, FIRST_TARGET = 2, 6  # of SMAC's actions: 0 nothing (the dead), 1 stop, then moves, then targets

Rect = tuple[float, float, float, float]  # left, bottom, right, top; a point has no extent
Attribute = Literal["light", "armored", "biological", "mechanical", "massive", "structure"]


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A kind of unit. Damage that is not stopped by a shield is what armor leaves of each hit, at least 0.5.

    Attributes:
      health: hit points.
      shield: hit points in front of them, which armor does not help.
      armor: taken from each hit on health.
      attributes: what bonuses of damage look for.
      flying: moves over all terrain, and touches only what flies.
      speed: cells a second; 0 stands still for ever.
      radius: of the body; ranges count from edge to edge.
      separation: radius within which no other unit of its plane stands; None is `radius`.
      regeneration: of health, a second.
      damage: of one hit; 0 does not attack.
      bonus: added to it, by attribute.
      hits: 1 or 2 in one attack.
      hit_delay: seconds from the first hit to the second.
      range: of the weapon.
      period: seconds from one attack to the next.
      damage_point: seconds from the start of an attack to its first hit; an attack that is broken off before has
        not happened.
      jitter: least and most that is added to a period, drawn evenly.
      hits_air, hits_ground: what the weapon reaches.
      scan: how near a target must come before this unit attacks by itself; None is 5, or the range if that is more.
      splash: whom else an attack hits, with full damage: "arc", others in front within `splash_radius` of its own
        edge; "line", others within `splash_radius` of the victim along a line across the shot.
      splash_radius: see `splash`; of an explosion, around its center. A victim's radius is added.
      explodes: an attack, and death, are an explosion that hits all enemies on the ground around it.
      heals: health a second that it restores to biological units of its side that do not fly; 0 for none.
      heal_cost: energy for each point of health.
      energy, energy_max, energy_regeneration: at the start, at most, a second.
      sight: cells; for pictures, since SMAC's observations know one range for all.
      cooldown_scale: by which SMAC divides the cooldown, in game loops.
      shield_scale: by which it divides the shield; None is `shield`.
    """

    health: float
    shield: float = 0.0
    armor: float = 0.0
    attributes: tuple[Attribute, ...] = ()
    flying: bool = False
    speed: float = 2.25
    radius: float = 0.375
    separation: float | None = None
    regeneration: float = 0.0
    damage: float = 0.0
    bonus: Mapping[Attribute, float] = field(default_factory=dict)
    hits: int = 1
    hit_delay: float = 0.0
    range: float = 0.1
    period: float = 1.0
    damage_point: float = 0.167
    jitter: tuple[float, float] = (-0.0625, 0.125)
    hits_air: bool = False
    hits_ground: bool = True
    scan: float | None = None
    splash: Literal["", "arc", "line"] = ""
    splash_radius: float = 0.0
    explodes: bool = False
    heals: float = 0.0
    heal_cost: float = 0.33
    energy: float = 0.0
    energy_max: float = 0.0
    energy_regeneration: float = 0.0
    sight: float = 9.0
    cooldown_scale: float = 15.0
    shield_scale: float | None = None

    @property
    def reach(self) -> float:
        """How near a target must come before this unit attacks, or heals, by itself."""
        return max(5.0, self.range) if self.scan is None else self.scan


@dataclass(frozen=True)
class Group:
    """Units of one kind that appear together.

    Attributes:
      unit: name of the kind.
      count: how many.
      place: name of the place; groups with the same one appear around the same point.
      apart: each draws a point of its own.
    """

    unit: str
    count: int
    place: str
    apart: bool = False


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A battle: who, where, and for how long.

    Attributes:
      name: under which it is registered.
      allies: the agents, in this order; within a kind by place, from left to right.
      enemies: their opponents.
      places: name -> rectangles, of which one is drawn, and in it a point; a point alone is (x, y, x, y).
      limit: steps after which an episode ends.
      terrain: a name in `terrain.TERRAINS`, or the map itself: rows from the top, `.` for ground that can be walked on,
        `+` for ground that cannot, `#` for higher and `-` for lower ground.
      march: place to which the enemies march, attacking whom they meet; empty lets them wait.
      overrides: kind of unit -> fields that are different here.
      ally_types, enemy_types: order of the kinds in one-hot codes; by default as they appear.
      medics_alone: what happens to a side of which only healers are left: "fight" on, "lose" on either side, or
        "win", where only the enemies are asked.
      settings: the observations that it has by default: "smac" or "ndq", see `task.Combat`.
      shoot_range: cells at which an attack may be ordered, with these settings; None is theirs.
      source: where the numbers come from.
    """

    name: str
    allies: tuple[Group, ...]
    enemies: tuple[Group, ...]
    places: Mapping[str, tuple[Rect, ...]]
    limit: int
    terrain: str | tuple[str, ...] = "strip"
    march: str = ""
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ally_types: tuple[str, ...] = ()
    enemy_types: tuple[str, ...] = ()
    medics_alone: Literal["fight", "lose", "win"] = "fight"
    settings: Literal["smac", "ndq"] = "smac"
    shoot_range: float | None = None
    source: str = ""


class Units(NamedTuple):
    """All units of a battle. [U] in the state of a task, [U, B] where it is played."""

    x: jax.Array  # float32
    y: jax.Array  # float32, upwards
    health: jax.Array  # float32, 0 is dead
    shield: jax.Array  # float32
    energy: jax.Array  # float32
    cooldown: jax.Array  # float32, seconds until the next attack may start
    swing: jax.Array  # float32, seconds since the attack under way started; -1 for none
    unhurt: jax.Array  # float32, seconds since the last damage, at most SHIELD_DELAY
    target: (
        jax.Array
    )  # int32, index in the other side (of healers: in their own) of what it was told to deal with, or -1
    victim: jax.Array  # int32, index of what the attack under way, or the last one, was meant for


class Orders(NamedTuple):
    """Where units go that have no target; [U] in the state of a task, [U, B] where it is played."""

    x: jax.Array  # float32
    y: jax.Array  # float32
    go: jax.Array  # bool, whether they go anywhere


class Seen(NamedTuple):
    """What observations, masks and states are made of, whatever it comes from: this engine or StarCraft II itself."""

    x: jax.Array  # [U, B] float32
    y: jax.Array  # [U, B] float32, upwards
    health: jax.Array  # [U, B] float32, 0 is dead
    shield: jax.Array  # [U, B] float32
    energy: jax.Array  # [U, B] float32
    cooldown: jax.Array  # [U, B] float32, game loops
    last_action: jax.Array  # [A, B] int32, -1 before the first
    step_count: jax.Array  # [B] int32


class CombatState(NamedTuple):
    """One battle."""

    units: Units  # [U]
    orders: Orders  # [U]
    last_action: jax.Array  # [A] int32, -1 before the first
    step_count: jax.Array  # [] int32
    key: jax.Array  # [2] uint32 or a typed key: decides how periods vary
