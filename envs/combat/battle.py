"""A battle: how it starts, and what happens in a game loop and in a step of several. Copies stand in the last axis.

All that happens in a loop is decided from the state before it, so the order of units never matters: two that kill each
other both die.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.combat import movement, opponents, weapons
from marlcomm.envs.combat.roster import Roster, Side
from marlcomm.envs.combat.types import FIRST_MOVE, FIRST_TARGET, MOVES, Orders, Units
from marlcomm.envs.combat.weapons import Aim, Left, Swings


def start(roster: Roster, key: chex.PRNGKey, sort_enemies: bool) -> tuple[Units, Orders]:
    """Units [U] and orders [U] of one battle at its start. `key` decides where, if the scenario leaves that open."""
    place = roster.offset
    drawn = jax.random.uniform(key, (len(roster.draws), 3))
    which = (drawn[:, 0] * roster.num_rects).astype(jnp.int32)  # a draw's rectangles are repeated to one length
    rect = jnp.asarray(roster.draws)[np.arange(len(roster.draws)), which]  # [D, 4]
    points = rect[:, :2] + drawn[:, 1:] * (rect[:, 2:] - rect[:, :2])
    place = _onto_ground(roster, points[roster.draw_of] + roster.offset)
    split = roster.num_allies
    own = place[:split] if roster.sorted_allies else _sorted(place[:split], roster.names[:split])
    enemies = _sorted(place[split:], roster.names[split:]) if sort_enemies else place[split:]
    place = jnp.concatenate([own, enemies])
    count = len(roster.units)
    nothing, nobody = jnp.zeros(count), jnp.full(count, -1, jnp.int32)
    units = Units(
        x=place[:, 0],
        y=place[:, 1],
        health=jnp.asarray(roster.of("health")[:, 0]),
        shield=jnp.asarray(roster.of("shield")[:, 0]),
        energy=jnp.asarray(roster.of("energy")[:, 0]),
        cooldown=nothing,
        swing=nothing - 1.0,
        unhurt=nothing + weapons.SHIELD_DELAY,
        target=nobody,
        victim=nobody,
    )
    goal = points[roster.march] if roster.march is not None else jnp.zeros(2)
    march = np.arange(count) >= split if roster.march is not None else np.zeros(count, bool)
    return units, Orders(x=nothing + goal[0], y=nothing + goal[1], go=jnp.asarray(march))


def _onto_ground(roster: Roster, place: jax.Array) -> jax.Array:
    """[U, 2] the same places, but for units on the ground that would stand in a wall, or outside the map."""
    width, height = roster.terrain.size
    inside = jnp.clip(place, movement.EDGE, np.array([width, height], np.float32) - movement.EDGE)
    if roster.terrain.open.all():
        return inside
    cell = inside.astype(jnp.int32)
    center = jnp.asarray(roster.terrain.nearest_open)[cell[:, 0], cell[:, 1]]
    room = 0.45 - 0.3 * np.arange(len(place))[:, None] / len(place)  # of each unit another: no two in one place
    stays = np.array([[unit.flying] for unit in roster.units]) | movement.is_open(roster.terrain, *inside.T)[:, None]
    return jnp.where(stays, inside, jnp.clip(inside, center - room, center + room))


def _sorted(place: jax.Array, names: Sequence[str]) -> jax.Array:
    """[n, 2] places, within each run of units of one kind from left to right."""
    runs = np.cumsum([0, *(one != other for one, other in zip(names[1:], names[:-1], strict=True))])
    return place[jnp.lexsort((place[:, 1], place[:, 0], runs))]


def ordered(roster: Roster, units: Units, orders: Orders, action: jax.Array, distance: float) -> tuple[Units, Orders]:
    """What units are told: own ones by `action` [A, B] int32, moves by `distance` cells; enemies as before."""
    split = roster.num_allies
    target = jnp.where(action >= FIRST_TARGET, action - FIRST_TARGET, -1)
    goes = (action >= FIRST_MOVE) & (action < FIRST_TARGET)
    x, y = units.x[:split], units.y[:split]
    for move, (east, north) in enumerate(MOVES * distance):
        this = action == FIRST_MOVE + move
        x, y = x + jnp.where(this, east, 0.0), y + jnp.where(this, north, 0.0)
    orders = Orders(
        *(jnp.concatenate([mine, old[split:]]) for mine, old in zip((x, y, goes), orders, strict=True)),
    )
    return units._replace(target=jnp.concatenate([target, units.target[split:]])), orders


def jitter_bits(roster: Roster, key: chex.PRNGKey, step: jax.Array) -> jax.Array:
    """[U] uint8, even: what decides how much periods that start in the step of that number vary."""
    return jax.random.bits(jax.random.fold_in(key, step), (len(roster.units),), np.uint8)


def jitter_of(roster: Roster, bits: jax.Array) -> jax.Array:
    """[U, B] seconds that are added to periods, of `jitter_bits` [U, B]."""
    low, high = (np.array([[unit.jitter[end]] for unit in roster.units], np.float32) for end in (0, 1))
    return jnp.asarray(low + (high - low) * (bits.astype(jnp.float32) / 255.0))


def play(roster: Roster, units: Units, orders: Orders, jitter: jax.Array, loops: int) -> Units:
    """`loops` game loops of units and orders [U, B]; `jitter` [U, B] seconds is added to periods that start in them."""
    split = roster.num_allies
    sides, told = ((_part(each, slice(None, split)), _part(each, slice(split, None))) for each in (units, orders))
    late = (jitter[:split], jitter[split:])
    sides = jax.lax.fori_loop(0, loops, lambda _, now: game_loop(roster, now, told, late), sides)
    return Units(*(jnp.concatenate(fields) for fields in zip(*sides, strict=True)))


Both = tuple[Any, Any]  # of the allies [A, B], and of the enemies [E, B]
Rest = tuple[jax.Array, jax.Array]  # [I, B] health and shields of one side


def game_loop(roster: Roster, units: Both, orders: Both, jitter: Both) -> Both:
    """One sixteenth of a game second of allies and enemies."""
    tables = (roster.ally, roster.enemy)
    facing = zip(tables, units, units[::-1], strict=True)
    healing = [weapons.heal(side, own, weapons.take_aim(side, own, others)) for side, own, others in facing]
    aims = [healing[0].aim, opponents.follow(roster, units[1], healing[1].aim)]
    swings = [weapons.swing(*each) for each in zip(tables, units, aims, jitter, strict=True)]
    left = _hurt(roster, units, swings)
    after = []
    for which, (side, own, order, aim, swung, rest, healed) in enumerate(
        zip(tables, units, orders, aims, swings, left, healing, strict=True)
    ):
        x, y = _walked(roster, side, units, which, order, aim, swung.rooted)
        health, shield, energy, unhurt = weapons.recovered(side, own, rest.health, rest.shield, healed)
        arms = (swung.cooldown, swung.swing, unhurt, own.target, swung.victim)
        after.append(Units(x, y, health, shield, energy, *arms))
    target = opponents.next_targets(roster, units, left[0], left[1], swings[1].rooted)
    return after[0], after[1]._replace(target=target)


def _hurt(roster: Roster, units: Both, swings: Sequence[Swings]) -> tuple[Left, Left]:
    """What is left of both sides after the attacks and explosions of a loop.

    It is left out where no copy of the battle has any. The branch also makes compilers keep what goes in and comes out
    as arrays: without it they would compute a unit's attack anew for each unit that it might hit.
    """
    tables = (roster.ally, roster.enemy)

    def nothing(units: Both, deeds: Any) -> tuple[Left, ...]:
        idle = [jnp.zeros(own.health.shape, bool) for own in units]
        return tuple(Left(own.health, own.shield, no, no) for own, no in zip(units, idle, strict=True))

    def something(units: Both, deeds: Any) -> tuple[Left, ...]:
        facing = zip(tables, units, units[::-1], deeds, strict=True)
        harm = [
            weapons.harm_of_hits(side, own, others, victim, hits, roster.has_shields)
            for side, own, others, (victim, hits) in facing
        ][::-1]
        left = [
            weapons.after(side, done, own.health, own.shield, roster.has_shields)
            for side, done, own in zip(tables, harm, units, strict=True)
        ]
        if roster.has_explosions:
            left = _exploded(roster, units, left, [hits for _, hits in deeds])
        return tuple(
            Left(health, shield, (health < own.health) | (shield < own.shield), hits > 0.0)
            for own, (health, shield), (_, hits) in zip(units, left, deeds, strict=True)
        )

    deeds = tuple((swung.victim, swung.hits) for swung in swings)
    busy = [jnp.any(hits > 0.0) for _, hits in deeds]
    return jax.lax.cond(jnp.any(jnp.stack(busy)), something, nothing, units, deeds)


def _walked(
    roster: Roster, side: Side, units: Both, which: int, orders: Orders, aim: Aim, rooted: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Places [I, B] of one side after a loop: toward a target out of range, else by orders, and apart from others."""
    own = units[which]
    goes = (own.health > 0.0) & ~rooted & ~aim.near & (aim.has | orders.go)
    x = jnp.where(aim.has, aim.x, orders.x - own.x)
    y = jnp.where(aim.has, aim.y, orders.y - own.y)
    step_x, step_y = movement.steps_toward(x, y, side.of_units("speed"))
    push_x, push_y = movement.pushes(side, own, units[1 - which])
    step_x, step_y = (jnp.where(goes, each, 0.0) for each in (step_x, step_y))
    return movement.moved(roster.terrain, side, own, step_x + push_x, step_y + push_y)


def _exploded(roster: Roster, units: Both, left: Sequence[Rest], hits: Sequence[jax.Array]) -> Sequence[Rest]:
    """Health and shields of both sides after explosions. What explodes does so as its attack falls due, or as it dies.

    Those whom explosions kill explode in the same loop: no battle may end with explosions to come.
    """
    tables = (roster.ally, roster.enemy)
    explosive = [side.of_units("explodes") > 0.0 for side in tables]

    def killed(before: Sequence[jax.Array], after: Sequence[jax.Array]) -> tuple[jax.Array, ...]:
        return tuple(kind & (was > 0.0) & (now <= 0.0) for kind, was, now in zip(explosive, before, after, strict=True))

    def one_round(now: Any) -> Any:
        living, explodes = now
        standing = [own._replace(health=health) for own, (health, _) in zip(units, living, strict=True)]
        harm = [
            weapons.harm_of_explosions(side, standing[which], standing[1 - which], explodes[which], roster.has_shields)
            for which, side in enumerate(tables)
        ][::-1]
        rest = tuple(
            weapons.after(side, done, health, shield, roster.has_shields)
            for side, done, (health, shield) in zip(tables, harm, living, strict=True)
        )
        return rest, killed([health for health, _ in living], [health for health, _ in rest])

    due = [kind & (hit > 0.0) for kind, hit in zip(explosive, hits, strict=True)]
    living = tuple((jnp.where(one, 0.0, health), shield) for one, (health, shield) in zip(due, left, strict=True))
    first = living, killed([own.health for own in units], [health for health, _ in living])
    if not all(side.explodes for side in tables):  # then explosions kill nobody who explodes
        return one_round(first)[0]
    return jax.lax.while_loop(lambda now: jnp.any(jnp.stack([jnp.any(each) for each in now[1]])), one_round, first)[0]


def _part(arrays: Any, part: slice) -> Any:
    """Some of the units in each field of a tuple of arrays."""
    return type(arrays)(*(each[part] for each in arrays))
