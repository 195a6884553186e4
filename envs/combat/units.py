"""Kinds of units, as the maps of SMAC and NDQ have them: base data of Wings of Liberty, on which all of them depend.

Each number is in game seconds, from `mods/liberty.sc2mod` (GameData of build 74071) where nothing else is said; the
comment beside a kind names its weapon there. The maps' own copies of units (`*_RL`) have the same numbers but never
attack by themselves. `cooldown_scale` is that of SMAC's wrapper, which has those of stalker and colossus
exchanged.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, get_args

from marlcomm.envs.combat.types import Attribute, Unit
from marlcomm.validation import UsageError, check_field_types, check_number, nearest

ZERG = 0.2734  # LifeRegenRate
NOT_NEGATIVE = (
    "shield", "armor", "speed", "regeneration", "damage", "hit_delay", "range", "damage_point", "splash_radius",
    "heals", "heal_cost", "energy", "energy_max", "energy_regeneration", "scan", "separation", "sight",
)  # fmt: skip
ABOVE_ZERO = ("health", "radius", "period", "cooldown_scale", "shield_scale")

UNITS: dict[str, Unit] = {
    # GuassRifle
    "marine": Unit(
        health=45, attributes=("light", "biological"), damage=6, range=5, period=0.8608, damage_point=0.05,
        hits_air=True,
    ),
    # PunisherGrenades; slowing is an upgrade
    "marauder": Unit(
        health=125, armor=1, attributes=("armored", "biological"), radius=0.5625, damage=10, bonus={"armored": 10},
        range=6, period=1.5, sight=10, cooldown_scale=25,
    ),
    # MedivacHeal, cast by itself within 6
    "medivac": Unit(
        health=150, armor=1, attributes=("armored", "mechanical"), flying=True, speed=2.75, radius=0.75, heals=9,
        range=4, scan=6, energy=50, energy_max=200, energy_regeneration=0.5625, sight=11, cooldown_scale=200,
    ),
    # P38ScytheGuassPistol
    "reaper": Unit(
        health=50, attributes=("light", "biological"), speed=2.9531, damage=4, bonus={"light": 5}, hits=2,
        hit_delay=0.122, range=4.5, period=1.1,
    ),
    # ParticleDisruptors
    "stalker": Unit(
        health=80, shield=80, armor=1, attributes=("armored", "mechanical"), speed=2.9531, radius=0.625, damage=10,
        bonus={"armored": 4}, range=6, period=1.44, hits_air=True, sight=10, cooldown_scale=35,
    ),
    # PsiBlades
    "zealot": Unit(
        health=100, shield=50, armor=1, attributes=("light", "biological"), radius=0.5, separation=0.375, damage=8,
        hits=2, hit_delay=0.28, range=0.1, period=1.2, cooldown_scale=22,
    ),
    # ThermalLances; the line is 2.5 wide
    "colossus": Unit(
        health=200, shield=150, armor=1, attributes=("armored", "mechanical", "massive"), radius=1, damage=20, hits=2,
        range=6, period=2.2, splash="line", splash_radius=1.25, sight=10, cooldown_scale=24,
    ),
    # Claws
    "zergling": Unit(
        health=35, attributes=("light", "biological"), speed=2.9531, damage=5, range=0.1, period=0.696, sight=8,
        cooldown_scale=11, regeneration=ZERG,
    ),
    # VolatileBurst; 80 only against structures
    "baneling": Unit(
        health=30, attributes=("biological",), speed=2.5, damage=20, bonus={"light": 15, "structure": 60}, range=0.25,
        period=0.833, splash_radius=2.2, explodes=True, sight=8, cooldown_scale=1, regeneration=ZERG,
    ),
    # NeedleSpines; what it does close by is the same
    "hydralisk": Unit(
        health=80, attributes=("light", "biological"), radius=0.625, damage=12, range=5, period=0.83,
        damage_point=0.208, hits_air=True, cooldown_scale=10, regeneration=ZERG,
    ),
    # AcidSaliva; its InnerRadius of .625 keeps nobody apart, else zerglings could not reach it
    "roach": Unit(
        health=145, armor=1, attributes=("armored", "biological"), radius=0.5, damage=16, range=3, period=2.0,
        regeneration=ZERG,
    ),
    # KaiserBlades
    "ultralisk": Unit(
        health=600, armor=1, attributes=("armored", "biological", "massive"), radius=1, damage=18, range=1,
        period=0.861, damage_point=0.333, splash="arc", splash_radius=2, regeneration=ZERG,
    ),
    # Overlord, which has no weapon; NDQ's maps call it Overseer
    "overlord": Unit(
        health=200, attributes=("armored", "biological"), flying=True, speed=0.4687, radius=1, separation=0.75,
        sight=11, regeneration=ZERG,
    ),
    # ImpalerTentacle
    "spine_crawler": Unit(
        health=300, armor=2, attributes=("armored", "biological", "structure"), speed=0, radius=0.875, damage=25,
        bonus={"armored": 5}, range=7, period=1.6, sight=11, regeneration=ZERG,
    ),
}  # fmt: skip


def register_unit(name: str, unit: Unit, *, replace: bool = False) -> None:
    """Lets scenarios name a kind of unit of your own.

    Raises:
      UsageError: the name is empty, or taken and `replace` is False; or `unit` is not a `Unit`.
    """
    if not isinstance(name, str) or not name:
        raise UsageError(f"name={name!r} must be a string that is not empty.")
    if not isinstance(unit, Unit):
        raise UsageError(f"unit {name!r}: {unit!r} must be a marlcomm.envs.Unit.")
    if name in UNITS and not replace:
        raise UsageError(f"A unit called {name!r} exists already; choose another name or pass replace=True.")
    check_unit(name, unit)
    UNITS[name] = unit


def check_unit(name: str, unit: Unit) -> None:
    """Raises UsageError for the first number of a kind of unit that makes no sense."""
    check_field_types(f"unit {name!r}", unit)
    numbers = {field: it for field, it in vars(unit).items() if isinstance(it, int | float)}
    for field, value in numbers.items():
        if not math.isfinite(value):
            raise UsageError(f"unit {name!r}: {field}={value!r} must be finite.")
        if field in ABOVE_ZERO and not value > 0:
            raise UsageError(f"unit {name!r}: {field}={value!r} must be above 0.")
        if field in NOT_NEGATIVE and not value >= 0:
            raise UsageError(f"unit {name!r}: {field}={value!r} must be at least 0.")
    known = get_args(Attribute)
    for field, words in (("attributes", unit.attributes), ("bonus", unit.bonus)):
        for word in words:
            if word not in known:
                raise UsageError(
                    f"unit {name!r}: {field} has {word!r}, which no unit can be.{nearest(str(word), known)}"
                )
    for word, more in unit.bonus.items():
        check_number(f"unit {name!r}: bonus of {word!r}", more)
    if len(unit.jitter) != 2 or not unit.jitter[0] <= unit.jitter[1]:
        raise UsageError(f"unit {name!r}: jitter={unit.jitter!r} must be the least and the most.")
    if unit.energy > unit.energy_max:
        raise UsageError(f"unit {name!r}: energy={unit.energy!r} must be at most energy_max={unit.energy_max!r}.")
    if unit.heals and unit.damage:
        raise UsageError(f"unit {name!r}: it heals, so cannot attack: damage={unit.damage!r} must be 0.")
    if unit.hits not in (1, 2):
        raise UsageError(f"unit {name!r}: hits={unit.hits!r} must be 1 or 2.")
    if unit.damage_point + unit.hit_delay >= unit.period + unit.jitter[0]:
        raise UsageError(
            f"unit {name!r}: period={unit.period!r} must be longer than damage_point + hit_delay, with its jitter."
        )
    if unit.splash not in ("", "arc", "line"):
        raise UsageError(f"unit {name!r}: splash={unit.splash!r} must be '', 'arc' or 'line'.")


def changed_unit(scenario: str, name: str, changes: Mapping[str, Any]) -> Unit:
    """A kind of unit with what a scenario changes of it. Raises UsageError for an unknown kind or field."""
    if name not in UNITS:
        raise UsageError(f"scenario {scenario!r}: no unit is called {name!r}.{nearest(name, tuple(sorted(UNITS)))}")
    fields = tuple(each.name for each in dataclasses.fields(Unit))
    for key in changes:
        if key not in fields:
            raise UsageError(f"scenario {scenario!r}: a unit has no {key!r}.{nearest(str(key), fields)}")
    unit = dataclasses.replace(UNITS[name], **changes)
    check_unit(name, unit)
    return unit
