"""Hand-written controllers for the particle tasks, and what they earn: references that need no training.

A controller is a function from a state of one environment to the actions of all its agents.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import Environment
from marlcomm.envs.particle.navigation import Navigation, NavigationState
from marlcomm.envs.particle.physics import distance
from marlcomm.envs.particle.predator_prey import PredatorPrey, PredatorPreyState
from marlcomm.envs.particle.views import offsets

Controller = Callable[[Any], jax.Array]


def returns(env: Environment[Any], controller: Controller, key: jax.Array, episodes: int) -> jax.Array:
    """[episodes, N] sum of each agent's rewards over episodes that `controller` plays, all at once."""

    def play(key: jax.Array) -> jax.Array:
        def move(state: Any, _: None) -> tuple[Any, Any]:
            state, step = env.step(state, controller(state))
            return state, step.reward

        state, _ = env.reset(key)
        return jnp.sum(jax.lax.scan(move, state, length=env.horizon)[1], axis=0)

    return jax.jit(jax.vmap(play))(jax.random.split(key, episodes))


def chase_on_ring(
    env: PredatorPrey, radius: float | None = None, gain: float = 20.0, damping: float = 1.0
) -> Controller:
    """Each predator keeps to a place of its own on a ring around the first prey. Nothing is communicated.

    It reads what a predator sees in the released view: its own and the prey's position and velocity.

    Args:
      env: the task.
      radius: of the ring; by default 0.06 for two predators and 0.08 for more. 0 is a plain chase.
      gain: push for each unit of distance to the place.
      damping: push for each unit of velocity relative to the prey.
    """
    radius = (0.06 if env.num_agents <= 2 else 0.08) if radius is None else radius
    angle = 2 * np.pi * np.arange(env.num_agents) / env.num_agents
    place = (radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)).astype(np.float32)  # [N, 2]

    def act(state: PredatorPreyState) -> jax.Array:
        predators, prey, _ = env.split(state.position)
        velocity = state.velocity[: env.num_agents] - state.velocity[env.num_agents]
        return env.action_for(gain * (prey[0] + place - predators) - damping * velocity)

    return act


def cover(
    env: Navigation,
    assignment: Literal["optimal", "fixed", "nearest"] = "optimal",
    gain: float = 12.0,
    damping: float = 2.0,
) -> Controller:
    """Each agent goes to a landmark: the best one to one assignment, the one of its index, or its nearest.

    "optimal" needs to know all positions, and tries all N! assignments; "fixed" needs the order of landmarks; "nearest"
    needs only the paper's view.

    Args:
      env: the task; as many landmarks as agents, except for "nearest".
      assignment: who goes where.
      gain: push for each unit of distance to the landmark.
      damping: push for each unit of velocity.

    Raises:
      ValueError: there are not as many landmarks as agents.
    """
    n = env.num_agents
    if assignment != "nearest" and env.num_landmarks != n:
        raise ValueError(
            f"cover: assignment={assignment!r} needs {n} landmarks for {n} agents, not {env.num_landmarks}."
        )
    orders = np.array(list(itertools.permutations(range(n)) if assignment == "optimal" else [range(n)]))

    def act(state: NavigationState) -> jax.Array:
        agents, landmarks = state.position[:n], state.position[n:]
        apart = distance(offsets(agents, landmarks))  # [N, L]
        if assignment == "nearest":
            chosen = jnp.argmin(apart, axis=1)
        else:
            total = jnp.sum(apart[np.arange(n), orders], axis=1)  # [N!]
            chosen = jnp.asarray(orders)[jnp.argmin(total)]
        return env.action_for(gain * (landmarks[chosen] - agents) - damping * state.velocity)

    return act
