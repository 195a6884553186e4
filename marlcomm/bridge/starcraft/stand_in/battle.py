"""The game that the stand-in plays: a battle of our engine, commanded unit by unit."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.bridge.starcraft.protocol import ATTACK, HEAL, MOVE
from marlcomm.envs.combat import battle
from marlcomm.envs.combat.roster import Roster
from marlcomm.envs.combat.scenarios import get_scenario
from marlcomm.envs.combat.types import Orders, Units


class StandInBattle:
    """One battle after another on one map.

    Attributes:
      roster: the tables of the map.
      episode: number of the battle, from 0.
      units: [U] what there is, in arrays of numpy.
      loop: game loops since the first battle began.
    """

    def __init__(self, scenario: str, seed: int) -> None:
        """Puts the units of battle 0 down; `seed` decides where, here and in all later battles."""
        self.roster, self._start, self._advance = _programs(scenario)
        self._key = jax.random.key(seed)
        self.episode, self.loop = -1, 0
        self._spawn()

    def alive(self) -> np.ndarray:
        """[U] bool."""
        return self.units.health > 0.0

    def order(self, unit: int, ability: int, target: Any) -> None:
        """Tells one of the allies what to do: `target` is a place (x, y), the row of a unit, or None."""
        split = self.roster.num_allies
        if unit >= split:
            return  # the enemies obey nobody
        goes = ability == MOVE
        if goes:
            self._orders.x[unit], self._orders.y[unit] = target
        self._orders.go[unit] = goes
        attacks = ability in (ATTACK, HEAL) and isinstance(target, int)
        self.units.target[unit] = (target - (0 if ability == HEAL else split)) if attacks else -1

    def kill(self, units: Sequence[int]) -> None:
        """Lets units die."""
        self.units.health[list(units)] = 0.0

    def step(self, loops: int) -> None:
        """Plays; where nobody is left, the next battle begins in place of that, as by the maps' own trigger."""
        self.loop += loops
        if not self.alive().any():
            self._spawn()
            return
        self.units = _on_host(self._advance(self.units, self._orders, self._vary, self._steps, loops))
        self._steps += 1

    def _spawn(self) -> None:
        self.episode += 1
        place, self._vary = jax.random.split(jax.random.fold_in(self._key, self.episode))
        units, orders = self._start(key=place)
        self.units, self._orders = _on_host(units), _on_host(orders)
        self._steps = 0


@functools.cache
def _programs(scenario: str) -> tuple[Roster, Any, Any]:
    """The tables of a battle, what starts it, and what plays it, compiled once."""
    roster = Roster(get_scenario(scenario))
    start = jax.jit(functools.partial(battle.start, roster, sort_enemies=False))
    return roster, start, jax.jit(functools.partial(_advance, roster))


def _on_host(arrays: Any) -> Any:
    """The same arrays in numpy, which may be changed."""
    return jax.tree.map(np.array, arrays)


def _advance(roster: Roster, units: Units, orders: Orders, key: jax.Array, step: jax.Array, loops: Any) -> Units:
    """[U] units after some game loops, as `Combat.step` would play them."""
    bits = battle.jitter_bits(roster, key, step)
    units, orders, bits = jax.tree.map(lambda leaf: jnp.asarray(leaf)[..., None], (units, orders, bits))
    units = battle.play(roster, units, orders, battle.jitter_of(roster, bits), loops)
    return jax.tree.map(lambda leaf: leaf[..., 0], units)
