"""Battles of two, and of whoever else, set up by hand."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.combat import battle
from marlcomm.envs.combat.roster import Roster
from marlcomm.envs.combat.types import Group, Scenario


def scenario(allies, enemies, name="test", *, limit=100, **more):
    """Allies at (10, 16), enemies at (20, 16), waiting: each side a tuple of (kind, count)."""
    return Scenario(
        name=name,
        allies=tuple(Group(kind, count, "left") for kind, count in allies),
        enemies=tuple(Group(kind, count, "right") for kind, count in enemies),
        places={"left": ((10, 16, 10, 16),), "right": ((20, 16, 20, 16),)},
        limit=limit,
        **{"terrain": "open", **more},
    )


class Field:
    """A battle whose units can be set by hand, played loop by loop."""

    def __init__(self, roster):
        self.roster = roster
        self.units, self.orders = jax.tree.map(
            lambda leaf: leaf[..., None], battle.start(roster, jax.random.key(0), False)
        )
        jitter = jnp.zeros((len(roster.units), 1))
        self._play = jax.jit(lambda units, orders, loops: battle.play(roster, units, orders, jitter, loops))

    def set(self, **fields):
        """Fields of units, each as a list over units."""
        values = {key: jnp.asarray(value, getattr(self.units, key).dtype)[:, None] for key, value in fields.items()}
        self.units = self.units._replace(**values)
        return self

    def play(self, loops):
        self.units = self._play(self.units, self.orders, loops)
        return self

    def __getattr__(self, field):
        return np.asarray(getattr(self.units, field))[:, 0]


@functools.cache
def field_of(allies, enemies, *overrides):
    return Field(Roster(scenario(allies, enemies, overrides={kind: dict(changes) for kind, changes in overrides})))


def fresh(allies, enemies, *overrides):
    """A new battle; what compiles is shared. Each of `overrides` is a kind and pairs of a field and its value."""
    known = field_of(allies, enemies, *overrides)
    new = object.__new__(Field)
    new.__dict__.update(known.__dict__)
    return new
