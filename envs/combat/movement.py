"""Where units go: to their target or along their orders, around one another, and not through walls."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.combat.roster import Side
from marlcomm.envs.combat.terrain import Terrain
from marlcomm.envs.combat.types import TICK, Units

EDGE = 1e-3  # cells that are left between a center and a wall
MOST_PUSH = 0.2  # cells that a unit is pushed in a loop, along each axis
SOFT = 1e-6  # keeps two units in one place free of 0 / 0


def steps_toward(x: jax.Array, y: jax.Array, speed: np.ndarray) -> tuple[jax.Array, jax.Array]:
    """[U, B] steps of one loop along (x, y), at most as far as that; `speed` [U, 1] in cells a second."""
    length = jax.lax.rsqrt(x * x + y * y + SOFT)
    share = jnp.minimum(speed * TICK * length, 1.0)
    return share * x, share * y


def pushes(side: Side, own: Units, others: Units) -> tuple[jax.Array, jax.Array]:
    """[I, B] how far units of `own` that stand too close to any are pushed away: by half of what they overlap.

    All of it, where the other never moves.
    """
    x, y = jnp.zeros_like(own.x), jnp.zeros_like(own.y)
    for near, units in ((side.near_own, own), (side.near_others, others)):
        for other in range(len(units.x)):  # one after the other: their sum then needs no array of pairs
            if not near.separation[:, other].any():
                continue
            dx, dy = own.x - units.x[other], own.y - units.y[other]
            apart = jax.lax.rsqrt(dx * dx + dy * dy + SOFT)
            overlap = near.separation[:, other, None] * apart - 1.0  # as a share of their distance
            share = jnp.where((overlap > 0.0) & (units.health[other] > 0.0), overlap * near.yields[:, other, None], 0.0)
            x, y = x + share * dx, y + share * dy
    alive = own.health > 0.0
    push_x, push_y = (jnp.where(alive, jnp.clip(each, -MOST_PUSH, MOST_PUSH), 0.0) for each in (x, y))
    return push_x, push_y


def moved(
    terrain: Terrain, side: Side, own: Units, step_x: jax.Array, step_y: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """[I, B] places after steps. On the ground, who would end in a wall slides along it, or stays."""
    width, height = terrain.size
    x = jnp.clip(own.x + step_x, EDGE, width - EDGE)
    y = jnp.clip(own.y + step_y, EDGE, height - EDGE)
    if terrain.box == (0, 0, width, height):
        return x, y
    flying = side.of_units("flying") > 0.0
    if terrain.box is not None:
        left, bottom, right, top = terrain.box
        return (
            jnp.where(flying, x, jnp.clip(x, left + EDGE, right - EDGE)),
            jnp.where(flying, y, jnp.clip(y, bottom + EDGE, top - EDGE)),
        )
    straight = flying | is_open(terrain, x, y)
    along_x, along_y = is_open(terrain, x, own.y), is_open(terrain, own.x, y)
    return (
        jnp.where(straight | along_x, x, own.x),
        jnp.where(straight | (along_y & ~along_x), y, own.y),
    )


def is_open(terrain: Terrain, x: jax.Array, y: jax.Array) -> jax.Array:
    """Whether the cells at places on the map, of any shape, can be walked on."""
    width, height = terrain.size
    column = jnp.clip(x.astype(jnp.int32), 0, width - 1)
    row = jnp.clip(y.astype(jnp.int32), 0, height - 1)
    return jnp.asarray(terrain.open.ravel())[column * height + row]
