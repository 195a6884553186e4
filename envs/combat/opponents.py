"""The enemies' rules, after what the game's own units do. There is no difficulty: it made none in SMAC's maps either.

An enemy without a target takes the nearest own unit that it can hit within its scan range. It keeps a target while
that is in range of its weapon, or attacks it, and else looks again; it follows a target that is out of range. Who is
hit may take any own unit that is attacking, however far; where enemies wait, so may those near by, who are called for
help, and a target is kept while it attacks anyone. With no target, enemies march where the scenario says, or wait. A
healer tends to the one within its scan range that lacks the largest part of its health; with nobody to heal, it keeps
to the nearest unit of its side where that marches.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.combat.roster import Roster, Side
from marlcomm.envs.combat.types import Units
from marlcomm.envs.combat.weapons import FAR, Aim, Left, can_be_healed, offset

HELP = 5.0  # cells from center to center within which waiting enemies hear a call for help
NEAR_FRIEND2 = 1.0  # squared cells within which a healer stays by a friend


def next_targets(
    roster: Roster, units: tuple[Units, Units], left_own: Left, left: Left, rooted: jax.Array
) -> jax.Array:
    """[E, B] int32: whom enemies deal with in the next loop, or -1.

    Args:
      roster: the tables.
      units: own units [A, B] and enemies [E, B] before this loop.
      left_own: [A, B] what is left of own units.
      left: [E, B] the same of the enemies.
      rooted: [E, B] bool: enemies with an attack on its way, while which a target stays.
    """
    own, enemies = units[0]._replace(health=left_own.health), units[1]._replace(health=left.health)
    hurt = left.hurt
    side = roster.enemy
    index = np.arange(len(side.units), dtype=np.int32)[:, None]
    if roster.march is None:
        hurt = _called(enemies, hurt)
    best = jnp.full_like(enemies.x, FAR)
    target = jnp.full_like(enemies.target, -1)
    for other, kind in enumerate(side.others):
        _, _, d2 = offset(enemies, own, other)
        can = (own.health[other] > 0.0) & side.can_hit[:, other, None]
        attacks = own.target[other] >= 0 if roster.march is None else own.target[other] == index
        attacked = attacks & (kind.damage > 0)
        keep = (enemies.target == other) & ((d2 <= side.reach2[:, other, None]) | rooted | attacked)
        may = (d2 <= side.scan2[:, other, None]) | (hurt & left_own.struck[other])
        order = jnp.where(can & keep, -1.0, jnp.where(can & may, d2, FAR))
        target = jnp.where(order < best, other, target)
        best = jnp.minimum(order, best)
    for healer in side.healers:
        target = jnp.where(index == healer, _patient(side, healer, enemies), target)
    return target


def _nearest(distance: jax.Array) -> jax.Array:
    """[B] int32: index of the least `distance` [I, B], -1 where none is below `FAR`."""
    best = jnp.full_like(distance[0], FAR)
    index = jnp.full(best.shape, -1, jnp.int32)
    for unit in range(len(distance)):
        index = jnp.where(distance[unit] < best, unit, index)
        best = jnp.minimum(distance[unit], best)
    return index


def _called(enemies: Units, hurt: jax.Array) -> jax.Array:
    """[E, B] bool: enemies that were hit, or stand near one that was."""
    called = hurt
    for other in range(len(hurt)):
        _, _, d2 = offset(enemies, enemies, other)
        called |= hurt[other] & (d2 <= HELP * HELP)
    return called


def _patient(side: Side, healer: int, enemies: Units) -> jax.Array:
    """[B] int32: whom a healer heals: who lacks most, then who is nearest; -1 for nobody."""
    unit = side.units[healer]
    most = np.array([[each.health] for each in side.units], np.float32)
    scan = np.array([[unit.reach + unit.radius + each.radius] for each in side.units], np.float32)
    dx, dy = enemies.x - enemies.x[healer], enemies.y - enemies.y[healer]
    d2 = dx * dx + dy * dy
    hurt = (enemies.health > 0.0) & (enemies.health < most) & can_be_healed(side) & (d2 <= scan * scan)
    order = enemies.health / most + 1e-5 * d2  # a hundred thousandth of the health weighs less than a cell
    return _nearest(jnp.where(hurt & (enemies.energy[healer] > 0.0), order, FAR))


def follow(roster: Roster, enemies: Units, aim: Aim) -> Aim:
    """Healers on the march with nobody to heal keep to the nearest living unit that is no healer."""
    side = roster.enemy
    if roster.march is None:
        return aim
    others = np.array([[i not in side.healers] for i in range(len(side.units))])
    for healer in side.healers:
        row = (np.arange(len(side.units)) == healer)[:, None]
        dx, dy = enemies.x - enemies.x[healer], enemies.y - enemies.y[healer]
        d2 = jnp.where(others & (enemies.health > 0.0), dx * dx + dy * dy, FAR)
        friend = _nearest(d2)
        at = np.arange(len(side.units))[:, None] == friend
        lonely = row & ~aim.has & (friend >= 0)
        x, y = (jnp.sum(jnp.where(at, each, 0.0), axis=0) for each in (dx, dy))
        close = jnp.min(d2, axis=0) <= NEAR_FRIEND2
        aim = Aim(
            jnp.where(lonely, x, aim.x), jnp.where(lonely, y, aim.y), aim.has | lonely, aim.near | (lonely & close)
        )
    return aim
