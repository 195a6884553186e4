"""What the particle tasks share: moving bodies, a time limit that is no part of the task, and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import Environment, State
from marlcomm.envs.options import check_choice, check_count
from marlcomm.envs.particle import controls as control
from marlcomm.envs.particle.controls import Controls
from marlcomm.envs.particle.physics import INTEGRATIONS, Bodies, Integration
from marlcomm.envs.steps import Observation, TimeStep, timestep


@dataclass(frozen=True)
class Group:
    """Bodies of one kind. Those that move must come before those that do not."""

    count: int
    radius: float
    collides: bool = True
    force: float | None = None  # of a push of 1; None does not move
    max_speed: float = np.inf


class ParticleTask(Environment[State]):
    """Base class: agents act in one of three ways, bodies move, and time cuts the episode (discount 1)."""

    bodies: Bodies

    def __init__(
        self, task: str, groups: list[Group], *, integration: Integration, controls: Controls, steps: int
    ) -> None:
        """Takes what all particle tasks are given; sets `bodies`, `continuous`, `num_actions` and `horizon`."""
        self.integration: Integration = check_choice(task, "integration", integration, INTEGRATIONS)
        self.controls: Controls = check_choice(task, "controls", controls, tuple(control.SIZES))
        self.horizon = check_count(task, "steps", steps)
        self.bodies = _make_bodies(groups, self.integration)
        self.continuous = self.controls != "discrete"
        self.num_actions = self.count_actions(control.SIZES[self.controls])
        if self.num_actions == len(control.MOVE_NAMES) and not self.continuous:
            self.action_names = control.MOVE_NAMES
        super().__init__()

    def count_actions(self, moves: int) -> int:
        """A, where moving takes `moves` choices or numbers; more in tasks where agents do other things too."""
        return moves

    def push(self, action: jax.Array) -> jax.Array:
        """[N, 2] float32: what actions do, in units of each agent's force."""
        return control.push(action, self.controls, self.integration)

    def action_for(self, wanted: jax.Array) -> jax.Array:
        """The actions [N] or [N, A] whose pushes come nearest to those `wanted`, [N, 2]."""
        return control.action_for(wanted, self.controls, self.integration)

    def place(self, key: jax.Array, widths: np.ndarray) -> tuple[jax.Array, jax.Array]:
        """Positions [E, 2], uniform within `widths` [E] of the center along each axis, and velocities [M, 2] of 0."""
        shape = (len(self.bodies.radius), 2)
        position = jax.random.uniform(key, shape, minval=-1.0, maxval=1.0) * widths[:, None]
        return position, jnp.zeros((self.bodies.num_moving, 2))

    def end_step(
        self, observation: Observation, reward: jax.Array, extras: dict[str, jax.Array] | None = None
    ) -> TimeStep[Observation]:
        """A `TimeStep` that is the last at the horizon, cut but not terminal."""
        over = observation.step_count >= self.horizon
        return timestep(observation, reward, terminal=jnp.zeros((), bool), truncated=over, extras=extras)


def check_neighbors(task: str, field: str, value: int | None) -> int | None:
    """`value`, if it is a whole number (0 sees none) or None (sees all); else a ValueError."""
    return None if value is None else check_count(task, field, value, at_least=0)


def seen_of(count: int, nearest: int | None) -> int:
    """How many of `count` things a view has room for."""
    return count if nearest is None else nearest


def flat(*arrays: jax.Array) -> jax.Array:
    """All numbers in a row: a global state."""
    return jnp.concatenate([array.reshape(-1) for array in arrays])


def _make_bodies(groups: list[Group], integration: Integration) -> Bodies:
    def each(values: list[Any], of: list[Group]) -> np.ndarray:
        return np.repeat(np.array(values), [group.count for group in of])

    moving = [group for group in groups if group.force is not None]
    return Bodies(
        radius=each([group.radius for group in groups], groups).astype(np.float32),
        collides=each([group.collides for group in groups], groups).astype(bool),
        force=each([group.force for group in moving], moving).astype(np.float32),
        max_speed=each([group.max_speed for group in moving], moving).astype(np.float32),
        integration=integration,
    )
