"""Independent search: each agent finds the landmark of its own room. Messages cannot help: silence is best.

Source: NDQ (Wang et al., ICLR 2020), appendix C.1. No code was released; the choices that the paper leaves
open are those that make its optimum of 96.0 exact.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import Environment
from marlcomm.envs.options import check_count
from marlcomm.envs.render import palette, shapes
from marlcomm.envs.steps import Observation, TimeStep, restart, timestep

MOVES = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)], np.int32)  # [A, 2] row, column


class SearchState(NamedTuple):
    """Where each agent stands in its own room."""

    position: jax.Array  # [N, 2] int32: row, column, each 0 .. size - 1
    step_count: jax.Array  # [] int32


class Search(Environment[SearchState]):
    """Two square rooms with an agent in each. Landmarks: top left in room 0, bottom right in room 1.

    Agents start anywhere. An agent gets 1 for each step that it *begins* on its landmark; the team's reward
    is the mean over agents. Walls block moves. The best return is steps - (size - 1) on average (96.0).

    View: own row and column, scaled to 0 .. 1. Actions (A = 5): stay, up, down, left, right.
    Sizes: N = 2, O = 2, S = 4 (all views), horizon `steps`, terminal at the end. No notion of winning.
    """

    num_agents = 2
    num_actions = 5
    observation_size = 2
    state_size = 4
    action_names = ("stay", "up", "down", "left", "right")
    default_steps = 480_000

    def __init__(self, size: int = 5, steps: int = 100) -> None:
        """Makes the task.

        Args:
          size: cells along each side of a room, at least 2.
          steps: length of an episode.

        Raises:
          ValueError: an option is not a whole number in its range.
        """
        self.size = check_count("search", "size", size, at_least=2)
        self.horizon = check_count("search", "steps", steps)
        self.landmarks = np.array([(0, 0), (self.size - 1, self.size - 1)], np.int32)  # [N, 2]
        super().__init__()

    def reset(self, key: chex.PRNGKey) -> tuple[SearchState, TimeStep[Observation]]:
        """Draws each agent's cell uniformly."""
        position = jax.random.randint(key, (self.num_agents, 2), 0, self.size, jnp.int32)
        state = SearchState(position, jnp.zeros((), jnp.int32))
        return state, restart(self.get_observation(state))

    def step(self, state: SearchState, action: jax.Array) -> tuple[SearchState, TimeStep[Observation]]:
        """Moves everyone with `action` [N] int32. Reward [N] is for the cells held before the move."""
        reward = jnp.all(state.position == self.landmarks, axis=1).astype(jnp.float32)
        position = jnp.clip(state.position + jnp.asarray(MOVES)[action], 0, self.size - 1)
        state = SearchState(position, state.step_count + 1)
        return state, timestep(self.get_observation(state), reward, terminal=state.step_count >= self.horizon)

    def get_observation(self, state: SearchState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        view = state.position.astype(jnp.float32) / (self.size - 1)
        return self.observe(view, view.reshape(-1), state.step_count)

    def draw(self, axes: Any, state: SearchState) -> None:
        """Draws the two rooms side by side, each with its landmark."""
        for agent, (row, column) in enumerate(state.position):
            left, (goal_row, goal_column) = agent * (self.size + 1.0), self.landmarks[agent]
            shapes.draw_grid(axes, self.size, left)
            shapes.draw_star(axes, left + float(goal_column), -float(goal_row), size=420)
            shapes.draw_agent(axes, left + float(column), -float(row), agent)
            middle = left + (self.size - 1) / 2
            axes.text(middle, 0.75, f"room {agent}", ha="center", va="bottom", color=palette.INK)
        shapes.clear(axes, (-0.7, self.num_agents * (self.size + 1) - 1.3), (-self.size + 0.3, 1.5))
