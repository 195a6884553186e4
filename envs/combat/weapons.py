"""Attacks and what they do: aims, swings, hits, splash, explosions, healing. All from the state before the loop.

Letters as in `types`; I units of the side that acts, J of the other. Times in game seconds.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.combat.roster import LEAST_DAMAGE, Side
from marlcomm.envs.combat.types import TICK, Unit, Units

FAR = 1e9  # more than any square of a distance
SHIELD_DELAY = 10.0  # seconds without damage until shields regenerate (ShieldRegenDelay)
SHIELD_RATE = 2.0  # a second (ShieldRegenRate)
BEAM = 0.15  # half of the depth of the line that a colossus burns


class Aim(NamedTuple):
    """Where each unit's target is, for those that have one."""

    x: jax.Array  # [I, B] float32: from the unit to its target
    y: jax.Array  # [I, B] float32
    has: jax.Array  # [I, B] bool: there is one, which lives and can be dealt with
    near: jax.Array  # [I, B] bool: and it is in range


class Swings(NamedTuple):
    """Attacks after a loop."""

    swing: jax.Array  # [I, B] float32
    cooldown: jax.Array  # [I, B] float32
    victim: jax.Array  # [I, B] int32
    hits: jax.Array  # [I, B] float32: that fell in this loop
    rooted: jax.Array  # [I, B] bool: stands still, since its attack has not hit yet


class Harm(NamedTuple):
    """What is done to each unit of one side in a loop."""

    raw: jax.Array  # [J, B] float32: before armor
    number: jax.Array  # [J, B] float32: of hits
    wound: jax.Array  # [J, B] float32: after armor, as if there were no shields


class Left(NamedTuple):
    """What is left of one side after the attacks of a loop."""

    health: jax.Array  # [I, B] float32
    shield: jax.Array  # [I, B] float32
    hurt: jax.Array  # [I, B] bool: was hit
    struck: jax.Array  # [I, B] bool: has hit somebody


def offset(own: Units, others: Units, other: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """[I, B] from each of `own` to one of the others: along x, along y, and the square of the distance."""
    dx, dy = others.x[other] - own.x, others.y[other] - own.y
    return dx, dy, dx * dx + dy * dy


def take_aim(side: Side, own: Units, others: Units) -> Aim:
    """What each unit was told to attack, if it can."""
    x = y = jnp.zeros_like(own.x)
    gap = jnp.full_like(own.x, FAR)
    for other in range(len(side.others)):
        dx, dy, d2 = offset(own, others, other)
        ok = (own.target == other) & (others.health[other] > 0.0) & side.can_hit[:, other, None]
        x, y = jnp.where(ok, dx, x), jnp.where(ok, dy, y)
        gap = jnp.where(ok, d2 - side.reach2[:, other, None], gap)
    return Aim(x, y, gap < FAR / 2, gap <= 0.0)


def swing(side: Side, own: Units, aim: Aim, jitter: jax.Array) -> Swings:
    """Attacks start, go on, hit, end, or are broken off.

    Args:
      side: whose units these are.
      own: [I, B].
      aim: of the same units.
      jitter: [I, B] seconds that are added to a period that starts now.
    """
    alive = own.health > 0.0
    point = side.of_units("damage_point")
    last = point + side.of_units("hit_delay") * (side.of_units("hits") > 1)
    idle = own.swing < 0.0
    ready = own.cooldown - TICK <= 0.0
    begins = alive & idle & aim.near & ready
    due = jnp.where(own.cooldown > 0.0, own.cooldown - TICK, 0.0)  # since when, within this loop: periods stay exact
    broken = ~idle & (own.swing < point) & ((own.target != own.victim) | ~aim.has)
    before = jnp.where(idle, -1.0, own.swing)
    now = jnp.where(begins, 0.0, jnp.where(idle | broken, -1.0, own.swing + TICK))
    hits = ((now >= point) & (before < point)).astype(jnp.float32)
    if side.two_hits:
        second = (now >= last) & (before < last) & (side.of_units("hits") > 1)
        hits += second.astype(jnp.float32)
    waits = jnp.where(broken, 0.0, jnp.maximum(own.cooldown - TICK, 0.0))
    return Swings(
        swing=jnp.where(alive & (now < last), now, -1.0),
        cooldown=jnp.where(begins, due + side.of_units("period") + jitter, waits),
        victim=jnp.where(begins, own.target, own.victim),
        hits=jnp.where(alive & (side.of_units("damage") > 0.0), hits, 0.0),  # healers swing, and hit nobody
        rooted=(now >= 0.0) & (now < point),
    )


def harm_of_hits(side: Side, own: Units, others: Units, victim: jax.Array, fell: jax.Array, with_shields: bool) -> Harm:
    """What the hits of `own` that `fell` [I, B] on each one's `victim` [I, B] do to the others [J, B]."""
    index = np.arange(len(side.others), dtype=np.int32)[:, None]
    hits = []
    for unit, kind in enumerate(side.units):
        struck = victim[unit] == index
        if kind.splash:
            struck |= _splashed(kind, side, own, others, unit, struck)
        hits.append(jnp.where(struck & side.can_hit[unit, :, None], fell[unit], 0.0))
    return _harm(hits, others, side.damage, side.wound, with_shields)


def harm_of_explosions(side: Side, own: Units, others: Units, explodes: jax.Array, with_shields: bool) -> Harm:
    """What explosions [I, B] among `own` do to the others [J, B]."""
    rows = [unit for unit, kind in enumerate(side.units) if kind.explodes]
    hits = []
    for unit in rows:
        _, _, d2 = offset(others, own, unit)
        hits.append((explodes[unit] & (d2 <= side.blast2[unit, :, None])).astype(jnp.float32))
    return _harm(hits, others, side.blast[rows], side.blast_wound[rows], with_shields)


def _harm(hits: list[jax.Array], others: Units, damage: np.ndarray, wound: np.ndarray, with_shields: bool) -> Harm:
    """Sums of hits [J, B], one array an acting unit, on those of the others that live."""
    raw = count = total = jnp.zeros_like(others.x)
    for unit, fell in enumerate(hits):
        if with_shields:
            raw = raw + fell * damage[unit, :, None]
            count = count + fell * (damage[unit, :, None] > 0)
        else:  # nothing else is read then
            total = total + fell * wound[unit, :, None]
    alive = others.health > 0.0
    return Harm(*(jnp.where(alive, each, 0.0) for each in (raw, count, total)))


def _splashed(kind: Unit, side: Side, own: Units, others: Units, unit: int, struck: jax.Array) -> jax.Array:
    """[J, B] bool: whom the attack of one unit hits beside those who are `struck` [J, B]."""
    radius = side.of_others("radius")[:, None]
    dx, dy = others.x - own.x[unit], others.y - own.y[unit]
    x, y = (jnp.sum(jnp.where(struck, each, 0.0), axis=0) for each in (dx, dy))  # to the victim
    length = jnp.sqrt(x * x + y * y + 1e-9)
    along = (dx * x + dy * y) / length
    if kind.splash == "arc":
        far = kind.splash_radius + kind.radius + radius
        return (along >= 0.0) & (dx * dx + dy * dy <= far * far)
    across = jnp.abs(dy * x - dx * y) / length
    return (jnp.abs(along - length) <= BEAM + radius) & (across <= kind.splash_radius + radius)


def after(
    side: Side, harm: Harm, health: jax.Array, shield: jax.Array, with_shields: bool
) -> tuple[jax.Array, jax.Array]:
    """Health and shield [I, B] after harm: armor is taken from each hit that gets through the shield."""
    if not with_shields:
        return jnp.maximum(health - harm.wound, 0.0), shield
    through = jnp.maximum(harm.raw - shield, 0.0)
    each = harm.raw / jnp.maximum(harm.number, 1.0)
    hits = jnp.ceil(through / jnp.maximum(each, 1e-6) - 1e-4)  # that get through, wholly or in part
    wound = jnp.maximum(through - side.of_units("armor") * hits, jnp.minimum(LEAST_DAMAGE * hits, through))
    return jnp.maximum(health - wound, 0.0), jnp.maximum(shield - harm.raw, 0.0)


class Healing(NamedTuple):
    """What healers do in a loop, and where they go; those of other units are as if they had no target."""

    aim: Aim  # [I, B]
    healed: jax.Array  # [I, B] float32: health that each unit is given
    spent: jax.Array  # [I, B] float32: energy


def heal(side: Side, own: Units, aim: Aim) -> Healing:
    """Healers among `own` [I, B], whose `aim` is replaced by that at their own side."""
    alive = own.health > 0.0
    most = np.array([[unit.health] for unit in side.units], np.float32)
    healed = jnp.zeros_like(own.health)
    spent = jnp.zeros_like(own.health)
    for healer in side.healers:
        unit = side.units[healer]
        row = (np.arange(len(side.units)) == healer)[:, None]
        reach = np.array([[unit.range + unit.radius + other.radius] for other in side.units], np.float32)
        told = (np.arange(len(side.units))[:, None] == own.target[healer]) & alive & can_be_healed(side)
        dx, dy = own.x - own.x[healer], own.y - own.y[healer]
        x, y = (jnp.sum(jnp.where(told, each, 0.0), axis=0) for each in (dx, dy))
        close = told & (dx * dx + dy * dy <= reach * reach) & alive[healer]
        aim = Aim(
            x=jnp.where(row, x, aim.x),
            y=jnp.where(row, y, aim.y),
            has=jnp.where(row, jnp.any(told, axis=0), aim.has),
            near=jnp.where(row, jnp.any(close, axis=0), aim.near),
        )
        wanted = jnp.minimum(unit.heals * TICK, most - own.health - healed)
        given = jnp.where(close, jnp.maximum(jnp.minimum(wanted, own.energy[healer] / unit.heal_cost), 0.0), 0.0)
        healed += given
        spent += jnp.where(row, jnp.sum(given, axis=0) * unit.heal_cost, 0.0)
    return Healing(aim, healed, spent)


def can_be_healed(side: Side) -> np.ndarray:
    """[I, 1] bool: units of a side that its healers may heal."""
    return np.array([["biological" in unit.attributes and not unit.flying] for unit in side.units])


def recovered(
    side: Side, before: Units, health: jax.Array, shield: jax.Array, healing: Healing
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Health, shield, energy and time unhurt [I, B] at the end of a loop.

    Args:
      side: whose units these are.
      before: [I, B] the units before the loop.
      health: [I, B] that was left to them.
      shield: [I, B] the same.
      healing: by their healers.
    """
    alive = health > 0.0
    hurt = (health < before.health) | (shield < before.shield)
    if side.healers:
        health += healing.healed
    if any(unit.regeneration for unit in side.units):
        health += side.of_units("regeneration") * TICK
    health = jnp.where(alive, jnp.minimum(health, side.of_units("health")), 0.0)
    energy, unhurt = before.energy, before.unhurt
    if any(unit.energy_max for unit in side.units):
        gained = side.of_units("energy_regeneration") * TICK
        energy = jnp.minimum(energy - healing.spent + gained, side.of_units("energy_max"))
    if any(unit.shield for unit in side.units):
        unhurt = jnp.where(hurt, 0.0, jnp.minimum(unhurt + TICK, SHIELD_DELAY))
        grown = jnp.minimum(shield + SHIELD_RATE * TICK, side.of_units("shield"))
        shield = jnp.where(alive & (unhurt >= SHIELD_DELAY), grown, shield)
    return health, jnp.where(alive, shield, 0.0), energy, unhurt
