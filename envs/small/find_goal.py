"""Find goal: three agents in a cluttered room must all reach a goal that each sees only from near.

Source: AE-comm (Lin et al., "Learning to ground multi-agent communication with autoencoders", NeurIPS 2021), as
released (`marl-grid/env/marlgrid/envs/findgoal.py`); the rewards are the paper's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import Environment
from marlcomm.envs.options import check_count, check_number, check_odd
from marlcomm.envs.render import shapes
from marlcomm.envs.small import walled_room
from marlcomm.envs.small.walled_room import DIRECTION_NAMES, DIRECTIONS
from marlcomm.envs.steps import Observation, TimeStep, restart, timestep

STAY = 4


class FindGoalState(NamedTuple):
    """Where everything is."""

    position: jax.Array  # [N, 2] int32: row, column, each 1 .. size - 2
    goal: jax.Array  # [2] int32
    is_wall: jax.Array  # [G, G] bool: the walls around and inside
    arrived: jax.Array  # [N] bool: who has reached the goal
    step_count: jax.Array  # [] int32


class FindGoal(Environment[FindGoalState]):
    """A square room with walls strewn in it; goal, walls and agents are drawn anew in each episode.

    Agents move right, down, left or up, where no wall is in the way, and do not block each other. Who reaches the goal
    gets 1, once, and stays there; when the last of them does, everyone gets `team_reward`, and the episode ends. It
    also ends, terminal, after `steps` steps. The best team return is 1 + `team_reward`, where all can reach the goal
    in time: walls are strewn as they fall, and may shut somebody out.

    A silent agent must search by itself. A team that talks needs one of them to come near the goal: each knows its own
    place, and so can say where it is. With 3x3 free cells, no walls, two agents that see only their own cell and 3
    steps, the best team return is 924/504 = 1.8333 with full information and 341/504 = 0.6766 without messages,
    exactly (2 steps: 620/504 and 218/504).

    View: the square of `view` x `view` cells around the agent, row by row, each 3 numbers: wall, goal, another agent
    that is under way (not told in the agent's own cell); then its own row and column, one-hot, and whether it has
    arrived. Who has arrived sees nothing more but the last two, and may still talk. Actions (A = 5): right, down, left,
    up, stay; who has arrived can only stay. Sizes by default: N = 3, A = 5, O = 178, S = 237 (a map of walls, row
    and column of each agent scaled to 0 .. 1, who has arrived, row and column of the goal, the step), horizon
    `steps`. Extras: `won`, all have arrived; `arrived`, [] int32, how many have.

    Where this differs from the release: there an action of moving first takes the agent in the direction that it faced
    before, and turns it then, which the paper does not say; there each arrival pays everyone 1, and nothing is
    paid for the last; an agent may start on the goal there, without having reached it; views are pictures there, that
    hold the same; episodes last 512 steps there, in which silent teams arrive as well, only later. Agents pass through
    each other there, too: that they should not is set, but not handed on.
    """

    num_actions = 5
    action_names = (*DIRECTION_NAMES, "stay")
    default_steps = 2_000_000

    def __init__(
        self,
        size: int = 15,
        num_agents: int = 3,
        view: int = 7,
        clutter: float = 0.15,
        team_reward: float = 1.0,
        steps: int = 40,
    ) -> None:
        """Makes the task.

        Args:
          size: cells along each side of the map with its walls, at least 4.
          num_agents: N.
          view: cells along each side of the square that an agent sees, an odd number, at most 2 size - 1.
          clutter: share of the cells inside that are wall, 0 .. 1, rounded down to whole cells.
          team_reward: what everyone gets when all have arrived.
          steps: length of an episode in which not all arrive.

        Raises:
          ValueError: an option is of the wrong type or out of its range, or there is no room for all.
        """
        self.size = check_count("find_goal", "size", size, at_least=4, at_most=100)
        self.num_agents = check_count("find_goal", "num_agents", num_agents)
        self.view = check_odd("find_goal", "view", view, at_most=2 * self.size - 1)
        self.clutter = check_number("find_goal", "clutter", clutter, 0.0, 1.0)
        self.team_reward = check_number("find_goal", "team_reward", team_reward)
        self.horizon = check_count("find_goal", "steps", steps)
        self._border = walled_room.border(self.size)
        self._cells = walled_room.inner_cells(self.size)
        self.num_walls = int(self.clutter * len(self._cells))  # inside
        room = len(self._cells) - self.num_walls - 1
        if self.num_agents > room:
            raise ValueError(
                f"find_goal: num_agents={self.num_agents} must be at most {max(room, 0)}, with size={self.size} and "
                f"clutter={self.clutter:g}: each starts in a cell of its own."
            )
        self.observation_size = 3 * self.view**2 + 2 * self.size + 1
        self.state_size = self.size**2 + 3 * self.num_agents + 3
        self.view_dtype = bool
        self.state_dtype = [bool] * self.size**2 + [np.float32] * (self.state_size - self.size**2)
        super().__init__()

    def reset(self, key: chex.PRNGKey) -> tuple[FindGoalState, TimeStep[Observation]]:
        """Draws different cells for the goal, the walls and the agents, uniformly."""
        cells = jax.random.permutation(key, jnp.asarray(self._cells))
        walls = cells[1 : 1 + self.num_walls]
        state = FindGoalState(
            position=cells[1 + self.num_walls :][: self.num_agents],
            goal=cells[0],
            is_wall=jnp.asarray(self._border).at[walls[:, 0], walls[:, 1]].set(True),
            arrived=jnp.zeros((self.num_agents,), bool),
            step_count=jnp.zeros((), jnp.int32),
        )
        extras = {"won": jnp.zeros((), bool), "arrived": jnp.zeros((), jnp.int32)}
        return state, restart(self.get_observation(state), extras)

    def step(self, state: FindGoalState, action: jax.Array) -> tuple[FindGoalState, TimeStep[Observation]]:
        """Moves everyone who is under way with `action` [N] int32. Reward [N] is each agent's own."""
        moves = (action < len(DIRECTIONS)) & ~state.arrived
        ahead = state.position + jnp.asarray(DIRECTIONS)[action % len(DIRECTIONS)] * moves[:, None]
        blocked = state.is_wall[ahead[:, 0], ahead[:, 1]]
        position = jnp.where(blocked[:, None], state.position, ahead)
        arrived = state.arrived | jnp.all(position == state.goal, axis=1)
        won = jnp.all(arrived) & ~jnp.all(state.arrived)
        reward = (arrived & ~state.arrived) + self.team_reward * won
        state = FindGoalState(position, state.goal, state.is_wall, arrived, state.step_count + 1)
        over = jnp.all(arrived) | (state.step_count >= self.horizon)
        extras = {"won": won, "arrived": jnp.sum(arrived, dtype=jnp.int32)}
        return state, timestep(self.get_observation(state), reward, terminal=over, extras=extras)

    def get_observation(self, state: FindGoalState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        is_goal = jnp.zeros((self.size, self.size)).at[state.goal[0], state.goal[1]].set(1.0)
        agents = jnp.minimum(walled_room.counts(self.size, state.position, ~state.arrived), 1.0)
        seen = walled_room.patches(jnp.stack([state.is_wall, is_goal, agents], axis=-1), state.position, self.view)
        seen = seen.at[:, self.view**2 // 2, -1].set(0.0) * ~state.arrived[:, None, None]
        place = jax.nn.one_hot(state.position, self.size).reshape(self.num_agents, -1)
        view = [seen.reshape(self.num_agents, -1), place, state.arrived[:, None]]
        everything = [
            state.is_wall.reshape(-1),
            state.position.reshape(-1) / (self.size - 1),
            state.arrived,
            state.goal / (self.size - 1),
            state.step_count[None] / self.horizon,
        ]
        only_stay = jnp.arange(self.num_actions) == STAY
        return self.observe(
            jnp.concatenate(view, axis=1),
            jnp.concatenate(everything),
            state.step_count,
            action_mask=~state.arrived[:, None] | only_stay,
        )

    def draw(self, axes: Any, state: FindGoalState) -> None:
        """Draws the room, the goal as a star, the agents and what each sees."""
        walled_room.draw_walls(axes, np.asarray(state.is_wall))
        goal_row, goal_column = np.asarray(state.goal).tolist()
        shapes.draw_star(axes, goal_column, -goal_row, size=420)
        walled_room.draw_team(axes, np.asarray(state.position), self.view)
        walled_room.frame(axes, self.size)
