"""Red and blue doors: two agents must open the red door of a room before the blue one, and each sees little of it.

Source: AE-comm (Lin et al., "Learning to ground multi-agent communication with autoencoders", NeurIPS 2021), as
released (`marl-grid/env/marlgrid/envs/redbluedoors.py`): the room, the view's size, what the doors do, the reward.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import Environment
from marlcomm.envs.options import check_count, check_odd
from marlcomm.envs.render import shapes
from marlcomm.envs.render.palette import COLLISION, INK, agent_color
from marlcomm.envs.small import walled_room
from marlcomm.envs.small.walled_room import DIRECTION_NAMES, DIRECTIONS
from marlcomm.envs.steps import Observation, TimeStep, restart, timestep

STAY, TOGGLE = 4, 5
RIGHT_AT_FIRST = 0  # the direction that everybody faces after reset
LOST_TO_TIME = 0.9  # of the reward, for success at the last step


class RedBlueDoorsState(NamedTuple):
    """Where the agents and the doors are."""

    position: jax.Array  # [N, 2] int32: row, column, each 1 .. size - 2
    heading: jax.Array  # [N] int32: the direction that each faces
    door_row: jax.Array  # [2] int32: of the door in the left wall and of that in the right wall, each 1 .. size - 2
    red_side: jax.Array  # [] int32: which of the two is red
    is_open: jax.Array  # [2] bool: the red door, the blue door
    over: jax.Array  # [] bool: the blue door has been opened
    step_count: jax.Array  # [] int32


class RedBlueDoors(Environment[RedBlueDoorsState]):
    """A square room with a door in the left and in the right wall, one red, one blue; which and where is drawn.

    Agents move or turn: right, down, left and up turn an agent to that side, and take it there if no wall is in the
    way. Agents do not block each other. "Toggle" opens the door that an agent faces from the next cell, for good.
    Once the blue door is opened the episode ends, and if the red door was open *before that step*, everyone gets
    1 - 0.9 t / `steps` at step t = 1, 2, ...; else nothing. After `steps` steps it ends, terminal, with nothing.

    One agent can do it alone, only later: it must find both doors, and cross the room between them. Two need a word:
    who stands at the blue door cannot see whether the red one is open, and a door that one has seen may be nearer to
    the other. In a room of 2x2 free cells (`size` 4, `view` 3), the best return with full information is 0.3156, and
    0.2688 without messages, with 4 steps, and 0.6578 and 0.6344 with 8. By default it is 0.8239 with full information,
    and 0.5980 for one agent alone that knows everything. All of these are exact.

    View: the square of `view` x `view` cells around the agent, row by row, each 5 numbers: wall, red door, blue door,
    open door, another agent (not told in the agent's own cell); then the direction it faces, one-hot. Actions (A = 6):
    right, down, left, up, stay, toggle. Sizes by default: N = 2, A = 6, O = 129, S = 18 (row and column of each agent,
    direction of each one-hot, rows of the doors, which is red, what is open, the step, all scaled to 0 .. 1), horizon
    `steps`. Extras: `won`, opened in the right order; `red_opened`, [] bool, the red door is open.

    Where this differs from the release: there an action of moving first takes the agent in the direction that it faced
    before, and turns it then, which the paper does not say; views are pictures there, that hold the same (but not
    the direction faced). Agents pass through each other there, too: that they should not is set, but not handed on.
    Episodes last 2,048 steps there, with which, by the rules above, one agent that knows everything gets 0.9921 alone,
    and two get 0.9966: a word is then worth next to nothing to those who have learned the task.
    """

    num_agents = 2
    num_actions = 6
    action_names = (*DIRECTION_NAMES, "stay", "toggle")
    default_steps = 2_000_000

    def __init__(self, size: int = 10, view: int = 5, steps: int = 40) -> None:
        """Makes the task.

        Args:
          size: cells along each side of the map with its walls, at least 4.
          view: cells along each side of the square that an agent sees, an odd number, at most 2 size - 1.
          steps: length of an episode that nobody ends.

        Raises:
          ValueError: an option is not a whole number in its range.
        """
        self.size = check_count("red_blue_doors", "size", size, at_least=4, at_most=100)
        self.view = check_odd("red_blue_doors", "view", view, at_most=2 * self.size - 1)
        self.horizon = check_count("red_blue_doors", "steps", steps)
        self.observation_size = 5 * self.view**2 + 4
        self.view_dtype = bool
        self.state_size = 6 * self.num_agents + 6
        self._wall = walled_room.border(self.size)
        self._cells = walled_room.inner_cells(self.size)
        super().__init__()

    def reset(self, key: chex.PRNGKey) -> tuple[RedBlueDoorsState, TimeStep[Observation]]:
        """Draws different cells for the agents, the rows of the doors, and which is red, all uniformly."""
        place_key, row_key, side_key = jax.random.split(key, 3)
        cells = jax.random.choice(place_key, jnp.asarray(self._cells), (self.num_agents,), replace=False)
        state = RedBlueDoorsState(
            position=cells,
            heading=jnp.full((self.num_agents,), RIGHT_AT_FIRST, jnp.int32),
            door_row=jax.random.randint(row_key, (2,), 1, self.size - 1, jnp.int32),
            red_side=jax.random.randint(side_key, (), 0, 2, jnp.int32),
            is_open=jnp.zeros((2,), bool),
            over=jnp.zeros((), bool),
            step_count=jnp.zeros((), jnp.int32),
        )
        never = jnp.zeros((), bool)
        return state, restart(self.get_observation(state), {"won": never, "red_opened": never})

    def step(self, state: RedBlueDoorsState, action: jax.Array) -> tuple[RedBlueDoorsState, TimeStep[Observation]]:
        """Moves, turns and opens with `action` [N] int32. The reward is the same for both."""
        faced = state.position + jnp.asarray(DIRECTIONS)[state.heading]
        doors = self.doors(state)
        toggled = jnp.all(faced[:, None] == doors, axis=-1) & (action == TOGGLE)[:, None]  # [N, red or blue]
        is_open = state.is_open | jnp.any(toggled, axis=0)
        opened_last = is_open[1] & ~state.is_open[1]
        step_count = state.step_count + 1
        won = opened_last & state.is_open[0] & ~state.over
        moves = action < len(DIRECTIONS)
        heading = jnp.where(moves, action, state.heading).astype(jnp.int32)
        ahead = state.position + jnp.asarray(DIRECTIONS)[heading] * moves[:, None]
        state = RedBlueDoorsState(
            position=jnp.clip(ahead, 1, self.size - 2),
            heading=heading,
            door_row=state.door_row,
            red_side=state.red_side,
            is_open=is_open,
            over=state.over | opened_last,
            step_count=step_count,
        )
        reward = jnp.where(won, 1.0 - LOST_TO_TIME * step_count / self.horizon, 0.0)
        over = state.over | (step_count >= self.horizon)
        extras = {"won": won, "red_opened": is_open[0]}
        return state, timestep(self.get_observation(state), reward, terminal=over, extras=extras)

    def doors(self, state: RedBlueDoorsState) -> jax.Array:
        """[2, 2] int32: row and column of the red and of the blue door."""
        side = jnp.stack([state.red_side, 1 - state.red_side])
        return jnp.stack([state.door_row[side], side * (self.size - 1)], axis=1)

    def get_observation(self, state: RedBlueDoorsState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        doors, everyone = self.doors(state), jnp.ones((self.num_agents,), bool)
        is_door = jnp.zeros((self.size, self.size, 2)).at[doors[:, 0], doors[:, 1], jnp.arange(2)].set(1.0)
        layers = jnp.concatenate(
            [
                (self._wall & ~jnp.any(is_door > 0, axis=-1))[..., None],
                is_door,
                jnp.sum(is_door * state.is_open, axis=-1, keepdims=True),
                jnp.minimum(walled_room.counts(self.size, state.position, everyone), 1.0)[..., None],
            ],
            axis=-1,
        )
        seen = walled_room.patches(layers, state.position, self.view)
        seen = seen.at[:, self.view**2 // 2, -1].set(0.0)
        facing = jax.nn.one_hot(state.heading, len(DIRECTIONS))
        everything = [
            state.position.reshape(-1) / (self.size - 1),
            facing.reshape(-1),
            state.door_row / (self.size - 1),
            state.red_side[None],
            state.is_open,
            state.step_count[None] / self.horizon,
        ]
        view = jnp.concatenate([seen.reshape(self.num_agents, -1), facing], axis=1)
        return self.observe(view, jnp.concatenate(everything), state.step_count)

    def draw(self, axes: Any, state: RedBlueDoorsState) -> None:
        """Draws the room, the doors (hollow once open), the agents, what each sees and where each faces."""
        walled_room.draw_walls(axes, self._wall)
        for (row, column), color, is_open in zip(
            np.asarray(self.doors(state)).tolist(), (COLLISION, agent_color(0)), np.asarray(state.is_open), strict=True
        ):
            style = {"facecolor": "white" if is_open else color, "edgecolor": color, "lw": 3}
            shapes.add_rectangle(axes, column - 0.42, -row - 0.42, 0.84, 0.84, **style)
        for place, heading in zip(np.asarray(state.position), np.asarray(state.heading), strict=True):
            (row, column), (down, right) = place.tolist(), (0.45 * DIRECTIONS[heading]).tolist()
            axes.plot([column, column + right], [-row, -row - down], color=INK, lw=3, zorder=4, solid_capstyle="round")
        walled_room.draw_team(axes, np.asarray(state.position), self.view)
        walled_room.frame(axes, self.size)
