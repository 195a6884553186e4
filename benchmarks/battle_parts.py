"""Where the time of a battle's step goes: game loops and what is in them, views, masks, states.

Each part is compiled alone, on the arrays of battles that have gone on for some steps, and timed in turns with the
others, so their sum need not be the whole step; parts of a game loop are done as often as a step has loops.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import marlcomm as mc
from benchmarks.environments import MANY, legal
from benchmarks.tables import spread, table
from marlcomm.envs.combat import Combat, battle, movement, opponents, weapons
from marlcomm.envs.combat.copies import with_copies_last
from marlcomm.envs.combat.roster import Roster, Side
from marlcomm.envs.combat.task import BLOCK, to_seen
from marlcomm.envs.combat.types import Units
from marlcomm.envs.combat.weapons import Left

HEAD = ("part", "ns a step and copy", "share")


class Part(NamedTuple):
    """What a step does, as often as it does it, of arrays with copies in the first axis."""

    run: Callable[..., Any]
    arguments: tuple[Any, ...]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--tasks", nargs="+", default=["3m", "3s5z", "MMM"], metavar="TASK", help="battles (default: %(default)s)")
    add("--copies", type=int, default=4096, help="at once (default: %(default)s)")
    add("--after", type=int, default=15, help="steps that were played before (default: %(default)s)")
    add("--repeats", type=int, default=9, help="timed calls of each part (default: %(default)s)")
    given = parser.parse_args()
    for name in given.tasks:
        rows = measure(mc.make_env(name).unwrapped, given.copies, given.after, given.repeats)  # pyright: ignore[reportArgumentType]
        print("\n".join([f"{name}, {given.copies:,} copies, {jax.default_backend()}", "", *table(HEAD, rows), ""]))


def measure(env: Combat, copies: int, after: int, repeats: int) -> list[list[str]]:
    """Rows of the table."""
    parts = parts_of(env, *played(env, copies, after))
    compiled = {name: jax.jit(jax.vmap(part.run)) for name, part in parts.items()}
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for turn in range(repeats + 1):  # the first compiles
        for name, part in parts.items():
            started = time.perf_counter()
            jax.block_until_ready(compiled[name](*part.arguments))
            if turn:
                seconds[name].append(time.perf_counter() - started)
    whole = np.median(seconds["step"])
    return [
        [name, spread([1e9 * each / copies for each in taken]), f"{np.median(taken) / whole:.0%}"]
        for name, taken in seconds.items()
    ]


def played(env: Combat, copies: int, after: int) -> tuple[Any, jax.Array]:
    """[copies] states after some steps of random legal actions, and actions for the next one."""
    state, step = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.key(0), copies))
    draw, move = np.random.default_rng(0), jax.jit(jax.vmap(env.step))

    def drawn(mask: jax.Array) -> jax.Array:
        return legal(mask, jnp.asarray(draw.integers(0, MANY, mask.shape[:-1])))

    for _ in range(after):
        state, step = move(state, drawn(step.observation.action_mask))
    return state, drawn(step.observation.action_mask)


def parts_of(env: Combat, state: Any, action: jax.Array) -> dict[str, Part]:
    """Name -> what a step does, and `step` itself."""
    roster, views = env.roster, env.views
    bits = functools.partial(battle.jitter_bits, roster)
    drawn = jax.vmap(bits)(state.key, state.step_count)
    now = (state.units, action, state.step_count)

    def loops(units: Units, orders: Any, drawn: jax.Array) -> Units:
        return battle.play(roster, units, orders, battle.jitter_of(roster, drawn), env.step_mul)

    def look(*now: Any) -> jax.Array:
        seen = to_seen(*now)
        return views.observations(seen, views.action_mask(seen))

    def of(function: Callable[..., Any], *arguments: Any) -> Part:
        return Part(with_copies_last(function, BLOCK), arguments)

    def of_a_loop(function: Callable[..., Any]) -> Part:
        return of(functools.partial(_looped, roster, function, env.step_mul), state.units)

    return {
        "step": Part(env.step, (state, action)),
        "all game loops": of(loops, state.units, state.orders, drawn),
        "of a loop: aims": of_a_loop(_aims),
        "of a loop: hits, if there are any": of_a_loop(_hits),
        "of a loop: whom enemies turn to": of_a_loop(_targets),
        "of a loop: who pushes whom apart": of_a_loop(_pushes),
        "of a loop: walls": of_a_loop(_walls),
        "masks": of(lambda *now: views.action_mask(to_seen(*now)), *now),
        "masks and views": of(look, *now),
        "states": of(lambda *now: views.state(to_seen(*now), jnp.zeros(())), *now),
        "random bits of periods": Part(bits, (state.key, state.step_count)),
    }


def _looped(roster: Roster, function: Callable[..., Any], loops: int, units: Units) -> jax.Array:
    """A part of a game loop as often as a step does it, on arrays that stay in a processor's cache."""

    def once(_: int, units: Units) -> Units:
        found = function(roster, _sides(roster, units))
        used = sum(leaf.astype(jnp.float32).sum(0) for leaf in jax.tree.leaves(found))
        return units._replace(x=units.x + 0.0 * used)  # so that it is computed, and each time anew

    return jax.lax.fori_loop(0, loops, once, units).x


def _sides(roster: Roster, units: Units) -> tuple[Units, Units]:
    split = roster.num_allies
    return Units(*(each[:split] for each in units)), Units(*(each[split:] for each in units))


def _facing(roster: Roster, sides: tuple[Units, Units]) -> list[tuple[Side, Units, Units]]:
    """Of each side: its table, its units, and the other's."""
    return list(zip((roster.ally, roster.enemy), sides, sides[::-1], strict=True))


def _aims(roster: Roster, sides: tuple[Units, Units]) -> Any:
    return [weapons.take_aim(side, own, others) for side, own, others in _facing(roster, sides)]


def _hits(roster: Roster, sides: tuple[Units, Units]) -> Any:
    """As if everybody hit."""
    shields = roster.has_shields
    harms = [
        weapons.harm_of_hits(side, own, others, own.victim, jnp.ones_like(own.x), shields)
        for side, own, others in _facing(roster, sides)
    ]
    suffered = zip(_facing(roster, sides), harms[::-1], strict=True)
    return [weapons.after(side, harm, own.health, own.shield, shields) for (side, own, _), harm in suffered]


def _targets(roster: Roster, sides: tuple[Units, Units]) -> Any:
    idle = [jnp.zeros(own.health.shape, bool) for own in sides]
    left = [Left(own.health, own.shield, no, no) for own, no in zip(sides, idle, strict=True)]
    return opponents.next_targets(roster, sides, left[0], left[1], idle[1])


def _pushes(roster: Roster, sides: tuple[Units, Units]) -> Any:
    return [movement.pushes(side, own, others) for side, own, others in _facing(roster, sides)]


def _walls(roster: Roster, sides: tuple[Units, Units]) -> Any:
    return [
        movement.moved(roster.terrain, side, own, 0.1 * own.cooldown, -0.1 * own.unhurt)
        for side, own, _ in _facing(roster, sides)
    ]


if __name__ == "__main__":
    main()
