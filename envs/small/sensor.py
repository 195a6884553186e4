"""Sensor: three sensors in a chain choose areas to scan; only two observe whether the better target is there.

Source: NDQ (Wang et al., ICLR 2020), section 5.2, as released (`smac_plus/tracker1.py`): one step an episode.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import BestReturns, Environment
from marlcomm.envs.options import check_number
from marlcomm.envs.render import shapes
from marlcomm.envs.render.palette import FAINT, FLOOR, INK, LOCATED, agent_color
from marlcomm.envs.steps import Observation, TimeStep, restart, timestep

SCAN_LOWER, SCAN_HIGHER, NOOP = 1, 3, 4


class SensorState(NamedTuple):
    """What the sensors cannot all see, and what they last did (for pictures)."""

    target: jax.Array  # [] bool: whether the second target is in area 2
    last_action: jax.Array  # [N] int32, noop after reset
    step_count: jax.Array  # [] int32


class Sensor(Environment[SensorState]):
    """One-step coordinated sensing: three sensors in a chain, of which two observe where the better target is (NDQ).

    Sensor 0 - area 1 - sensor 1 - area 2 - sensor 2: an area is located when both its sensors scan it.

    Target 1 is always in area 1, target 2 is in area 2 with probability 0.5. An agent's view is [left area,
    right area], each -1 (no such area), 0 (no target) or 1 (target). So sensor 0 does not see what it must
    adapt to.

    Actions (A = 5): 1 scans towards the sensor of lower index, 3 towards that of higher index, 0 and 2 scan
    where nothing is, 4 does nothing. Every scan costs, useless ones too.

    Optima of the team reward: 15 with full information, 12.5 without messages, 10 with sensor 0 off.

    Sizes: N = 3, A = 5, O = 2, S = 2 (view of sensor 1), horizon 1 (terminal).
    Extras: `won` says that the reward is above zero (which the best silent policy also always reaches).
    """

    num_agents = 3
    num_actions = 5
    observation_size = 2
    state_size = 2
    view_dtype = state_dtype = np.int8
    horizon = 1
    action_names = ("north", "scan lower", "south", "scan higher", "noop")
    default_steps = 300_000

    def __init__(self, reward_area1: float = 20.0, reward_area2: float = 30.0, scan_cost: float = 5.0) -> None:
        """Makes the task.

        Args:
          reward_area1: for locating area 1, where the target always is.
          reward_area2: for locating area 2 when the second target is there.
          scan_cost: paid by the team for each agent that scans.

        Raises:
          ValueError: an option is not a finite number.
        """
        self.reward_area1 = check_number("sensor", "reward_area1", reward_area1)
        self.reward_area2 = check_number("sensor", "reward_area2", reward_area2)
        self.scan_cost = check_number("sensor", "scan_cost", scan_cost)
        super().__init__()

    def reset(self, key: chex.PRNGKey) -> tuple[SensorState, TimeStep[Observation]]:
        """Draws whether target 2 is there. View [N, O] = [3, 2]."""
        state = SensorState(
            target=jax.random.bernoulli(key),
            last_action=jnp.full((self.num_agents,), NOOP, jnp.int32),
            step_count=jnp.zeros((), jnp.int32),
        )
        return state, restart(self.get_observation(state), {"won": jnp.zeros((), bool)})

    def step(self, state: SensorState, action: jax.Array) -> tuple[SensorState, TimeStep[Observation]]:
        """Scans with `action` [N] int32; always the last step. The reward is the same for every agent."""
        found1 = (action[0] == SCAN_HIGHER) & (action[1] == SCAN_LOWER)
        found2 = (action[1] == SCAN_HIGHER) & (action[2] == SCAN_LOWER) & state.target
        scans = jnp.sum(action != NOOP)
        reward = self.reward_area1 * found1 + self.reward_area2 * found2 - self.scan_cost * scans
        reward = jnp.asarray(reward, jnp.float32)
        state = SensorState(state.target, jnp.asarray(action, jnp.int32), state.step_count + 1)
        return state, timestep(
            self.get_observation(state), reward, terminal=jnp.ones((), bool), extras={"won": reward > 0}
        )

    def best_returns(self) -> BestReturns:
        """By all joint actions: only sensor 0 does not know where the target is, so only its action is the same."""
        first, second, third, target = np.ix_(*[np.arange(self.num_actions)] * 3, np.arange(2))
        found1 = (first == SCAN_HIGHER) & (second == SCAN_LOWER)
        found2 = (second == SCAN_HIGHER) & (third == SCAN_LOWER) & (target == 1)
        scans = sum((action != NOOP).astype(int) for action in (first, second, third))
        reward = self.reward_area1 * found1 + self.reward_area2 * found2 - self.scan_cost * scans
        best = reward.max(axis=(1, 2))  # [A, 2]
        return BestReturns(float(best.mean(1).max()), float(best.max(0).mean()))

    def get_observation(self, state: SensorState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        target = state.target.astype(jnp.float32)
        wall, present = -jnp.ones(()), jnp.ones(())
        view = jnp.stack([wall, present, present, target, target, wall]).reshape(3, 2)
        return self.observe(view, view[1], state.step_count)

    def draw(self, axes: Any, state: SensorState) -> None:
        """Draws sensors as discs and areas as boxes between them; wedges are scans, green where they locate an area."""
        actions = [int(action) for action in state.last_action]
        for area, present in enumerate((True, bool(state.target))):
            x, located = 2.0 + 4.0 * area, actions[area] == SCAN_HIGHER and actions[area + 1] == SCAN_LOWER
            edge, width = (LOCATED, 3.0) if located else (FAINT, 1.5)
            shapes.add_rounded_square(axes, x, 0.0, 1.4, 0.15, facecolor=FLOOR, edgecolor=edge, lw=width)
            if present:
                shapes.draw_star(axes, x, 0.0, size=420)
            else:
                axes.text(x, 0.0, "empty", ha="center", va="center", color=FAINT, fontsize=9)
            axes.text(
                x, -1.15, f"area {area + 1}" + (" located" if located else ""), ha="center", color=INK, fontsize=9
            )
        directions = {0: 90, SCAN_LOWER: 180, 2: 270, SCAN_HIGHER: 0}  # degrees
        for agent, action in enumerate(actions):
            x = 4.0 * agent
            if action != NOOP:
                shapes.add_wedge(axes, x, 0, 1.35, directions[action], 44, color=agent_color(agent), alpha=0.3)
            shapes.draw_agent(axes, x, 0.0, agent, radius=0.42)
        shapes.clear(axes, (-1.6, 9.6), (-1.7, 1.7))
