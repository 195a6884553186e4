"""Discs on a plane: pushed, slowed by drag, held to a top speed, and repelled where they touch.

Source: OpenAI's multi-agent particle environments. Their order of integration and that of the Farama
Foundation's later versions differ, and so do returns: neither can be compared with the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

Integration = Literal["openai", "farama"]
INTEGRATIONS: tuple[Integration, ...] = ("openai", "farama")

TIME_STEP = 0.1
DRAG = 0.25  # share of its velocity that a body loses in a step
STIFFNESS = 100.0  # force for each unit that two bodies overlap
SOFTNESS = 1e-3  # distance over which contact sets in
TINY = 1e-20  # keeps two bodies in one place, and a body at rest, free of 0 / 0


@dataclass(frozen=True, eq=False)
class Bodies:
    """What stays the same about E entities. The first M move, the others stay where they are put.

    Attributes:
      radius: [E] float32.
      collides: [E] bool: two bodies that both do repel each other.
      force: [M] float32: of a push of 1.
      max_speed: [M] float32: above 0, infinite where there is no limit.
      integration: "openai" changes velocities first and moves bodies with the new ones; "farama" (MPE2,
        JaxMARL) moves them with the old ones.
    """

    radius: np.ndarray
    collides: np.ndarray
    force: np.ndarray
    max_speed: np.ndarray
    integration: Integration = "openai"

    @property
    def num_moving(self) -> int:
        """M."""
        return len(self.force)

    @cached_property
    def pairs(self) -> np.ndarray:
        """[C, E] float32: a row for each pair that can collide, 1 at the one body and -1 at the other."""
        first, second = np.triu_indices(len(self.radius), 1)
        can = self.collides[first] & self.collides[second] & (first < self.num_moving)
        bodies = np.eye(len(self.radius), dtype=np.float32)
        return bodies[first[can]] - bodies[second[can]]

    @cached_property
    def reach(self) -> np.ndarray:
        """[C] float32: sum of the two radii of each such pair."""
        return np.abs(self.pairs) @ self.radius

    def advance(self, position: jax.Array, velocity: jax.Array, push: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One step of 0.1 units of time.

        Args:
          position: [E, 2]; velocity: [M, 2];
          push: [M, 2] what agents do, times `force`.

        Returns:
          position [E, 2] and velocity [M, 2] afterwards.
        """
        force = self.force[:, None] * push + self.contact_force(position)
        new_velocity = self._limit((1.0 - DRAG) * velocity + TIME_STEP * force)
        shift = TIME_STEP * (new_velocity if self.integration == "openai" else velocity)
        moving = self.num_moving
        return jnp.concatenate([position[:moving] + shift, position[moving:]]), new_velocity

    def contact_force(self, position: jax.Array) -> jax.Array:
        """[M, 2] force on each moving body: stiffness times overlap (softened), away from the other body."""
        if not len(self.pairs):
            return jnp.zeros((self.num_moving, 2), position.dtype)
        # Products with the pairs' matrix run faster on batches than indexing, or all bodies against all.
        offset = jnp.einsum("ce,ex->cx", self.pairs, position, precision="highest")
        apart = jnp.sqrt(jnp.sum(offset**2, -1) + TINY)
        depth = (self.reach - apart) / SOFTNESS
        overlap = SOFTNESS * (jnp.maximum(depth, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(depth))))
        force = (STIFFNESS * overlap / apart)[:, None] * offset
        return jnp.einsum("cm,cx->mx", self.pairs[:, : self.num_moving], force, precision="highest")

    def _limit(self, velocity: jax.Array) -> jax.Array:
        if np.isinf(self.max_speed).all():
            return velocity
        speed = jnp.sqrt(jnp.sum(velocity**2, -1) + TINY)
        return velocity * jnp.minimum(1.0, self.max_speed / speed)[:, None]


def distance(offset: jax.Array) -> jax.Array:
    """Length of vectors: [..., 2] -> [...]."""
    return jnp.sqrt(jnp.sum(offset**2, -1))
