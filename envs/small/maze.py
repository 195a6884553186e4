"""Maze: two agents must meet on one of two landmarks; which one can be reached depends on where both started.

Source: RGMComm (Chen et al., AAAI 2024), the 4x4 maze. No code was released; what the paper leaves open is an
option here, with the default that its description fits best.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import BestReturns, Environment
from marlcomm.envs.options import check_count, check_flag, check_number
from marlcomm.envs.render import palette, shapes
from marlcomm.envs.steps import Observation, TimeStep, restart, timestep

MOVES = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (0, 0)], np.int32)  # [A, 2] row, column
SIZE = 4
LANDMARKS = np.array([(0, 0), (2, 2)], np.int32)  # [2, 2]: the high reward's, the low reward's


class MazeState(NamedTuple):
    """Where everyone stands."""

    position: jax.Array  # [N, 2] int32: row, column, each 0 .. 3
    step_count: jax.Array  # [] int32


class Maze(Environment[MazeState]):
    """A 4x4 grid with a landmark in a corner (high reward) and one at the inner cell (3, 3) (low reward).

    Both agents start anywhere, independently, and see only themselves. When both stand on the same landmark
    after a step, the team gets its reward and the episode ends; else it ends, terminal, after `steps` steps.
    Agents may share a cell; walls block moves.

    Optima by default (rewards 1 and 0.5, 3 steps): 0.671875 with full information, 0.4609 without messages.
    One bit closes the gap, if agents know the step (`clock`, or memory).

    View: own row and column scaled to 0 .. 1, and with `clock` the step divided by `steps`. Actions: down,
    up, right, left, and with `stay` (default) stay. Sizes: N = 2, A = 5 or 4, O = 2 or 3, S = 2 O (all
    views), horizon `steps`. Extras: `won`, a landmark was reached together, either one.
    """

    num_agents = 2
    default_steps = 500_000

    def __init__(
        self,
        reward_high: float = 1.0,
        reward_low: float = 0.5,
        steps: int = 3,
        stay: bool = True,
        clock: bool = False,
    ) -> None:
        """Makes the task.

        Args:
          reward_high: for meeting in the corner (r1 of the paper).
          reward_low: for meeting at the inner landmark (r2).
          steps: length of an episode that nobody ends.
          stay: adds the action "stay".
          clock: adds the step to the views.

        Raises:
          ValueError: an option is of the wrong type or out of its range.
        """
        high, low = (
            check_number("maze", "reward_high", reward_high),
            check_number("maze", "reward_low", reward_low),
        )
        self.rewards = np.array([high, low], np.float32)
        self.horizon = check_count("maze", "steps", steps)
        self.clock = check_flag("maze", "clock", clock)
        self.num_actions = 5 if check_flag("maze", "stay", stay) else 4
        self.action_names = ("down", "up", "right", "left", "stay")[: self.num_actions]
        self.observation_size = 3 if self.clock else 2
        self.state_size = self.num_agents * self.observation_size
        super().__init__()

    def reset(self, key: chex.PRNGKey) -> tuple[MazeState, TimeStep[Observation]]:
        """Draws each agent's cell uniformly."""
        position = jax.random.randint(key, (self.num_agents, 2), 0, SIZE, jnp.int32)
        state = MazeState(position, jnp.zeros((), jnp.int32))
        return state, restart(self.get_observation(state), {"won": jnp.zeros((), bool)})

    def step(self, state: MazeState, action: jax.Array) -> tuple[MazeState, TimeStep[Observation]]:
        """Moves both with `action` [N] int32. The reward is the same for both."""
        position = jnp.clip(state.position + jnp.asarray(MOVES)[action], 0, SIZE - 1)
        state = MazeState(position, state.step_count + 1)
        together = jnp.all(position[:, None] == LANDMARKS, axis=(0, 2))  # [landmark]: both agents are on it
        won = jnp.any(together)
        return state, timestep(
            self.get_observation(state),
            jnp.sum(together * self.rewards),
            terminal=won | (state.step_count >= self.horizon),
            extras={"won": won},
        )

    def best_returns(self) -> BestReturns | None:
        """In three steps, with "stay" and no greater reward at the inner landmark than in the corner; None elsewhere.

        10 cells are near enough to the corner, so informed teams meet there from 100 pairs of 256, and inside from 144
        more. Silent agents choose by their own cells: from all that are near enough to the corner, or from it alone.
        """
        high, low = map(float, self.rewards)
        if self.horizon != 3 or self.num_actions != 5 or not 0 <= low <= high:
            return None
        silent = max(near**2 * high + (SIZE**2 - near) ** 2 * low for near in (1, 10))
        return BestReturns(silent / SIZE**4, (100 * high + 144 * low) / SIZE**4)

    def get_observation(self, state: MazeState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        view = state.position.astype(jnp.float32) / (SIZE - 1)
        if self.clock:
            time = jnp.broadcast_to(state.step_count / self.horizon, (self.num_agents, 1))
            view = jnp.concatenate([view, time], axis=1)
        return self.observe(view, view.reshape(-1), state.step_count)

    def draw(self, axes: Any, state: MazeState) -> None:
        """Draws the grid, both landmarks with what they pay, and the agents, side by side where they share a cell."""
        shapes.draw_grid(axes, SIZE)
        for (row, column), reward in zip(LANDMARKS.tolist(), self.rewards, strict=True):
            shapes.draw_star(axes, column, -row, size=900)
            axes.text(column, -row - 0.4, f"{float(reward):g}", ha="center", va="center", fontsize=9, color=palette.INK)
        positions = np.asarray(state.position).tolist()
        together = positions[0] == positions[1]
        for agent, (row, column) in enumerate(positions):
            aside = (agent - 0.5) * 0.44 if together else 0.0
            shapes.draw_agent(axes, column + aside, -row, agent, radius=0.21 if together else 0.27)
        shapes.clear(axes, (-0.7, SIZE - 0.3), (-SIZE + 0.3, 0.7))
