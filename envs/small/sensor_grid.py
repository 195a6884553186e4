"""Sensor grid: sensors on a grid must agree, each with a neighbor, which of the targets around them to scan.

Source: the task "Sensor" of CASEC (Wang et al., ICLR 2022), as released (`src/envs/sensors.py` of the MACO
benchmark). Not to be confused with the three sensors of NDQ, `Sensor`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import Environment
from marlcomm.envs.options import check_count, check_number
from marlcomm.envs.render import shapes
from marlcomm.envs.render.palette import FAINT, FLOOR, LOCATED, agent_color
from marlcomm.envs.steps import Observation, TimeStep, restart, timestep

# [A, 2] row, column: where each action scans; the last scans nowhere.
SCANS = np.array([(1, 1), (-1, 1), (0, 1), (0, -1), (1, -1), (-1, -1), (1, 0), (-1, 0), (0, 0)], np.int32)
NOOP = 8
JUMP = 2  # a target moves by at most this many rows and columns


class SensorGridState(NamedTuple):
    """Where the targets are, and what was last scanned (for pictures). M targets."""

    target: jax.Array  # [M] int32: the free cell that each is in, an index of `SensorGrid.cells`
    last_target: jax.Array  # [M] int32: where they were when they were last scanned
    last_action: jax.Array  # [N] int32, noop after reset
    key: chex.PRNGKey  # decides how the targets move
    step_count: jax.Array  # [] int32


class SensorGrid(Environment[SensorGridState]):
    """rows x columns sensors, one empty line between neighbors; M targets wander over the cells between them.

    The map has 2 rows - 1 by 2 columns - 1 cells; sensors stand where row and column are both even. At each step
    a sensor scans one of the eight cells around it, which costs `scan_cost`, or does nothing. A target that
    k >= 2 sensors scan at the same time pays k / 2 * `reward` (3 for two, 6 for four sensors); a single scan finds
    nothing. Everybody gets the sum over targets less the sum of costs.

    Then the targets move, one after the other: each draws how far, -2 .. 2 rows and columns, is kept inside the
    map, and draws again if the cell is taken (by a sensor, a target, or itself). What the sensors do never
    changes where targets go.

    View: the 3x3 patch around the sensor, row by row (1 for a target, -1 outside the map, the middle 0), and its
    own row and column, raw. A sensor sees all that it can scan, but not what its neighbors see, and so not
    which target they choose.

    The best return with full information is 30.866 by default (3.087 a step): a scanner is worth reward / 2 -
    scan_cost where others scan the same target. Silent agents without memory get about 2.83 of the 3.116 that a first
    step is worth; exactly known is 59/36 of 67/36 for 2x3 sensors and two targets.

    Actions (A = 9): the cell below right, above right, right, left, below left, above left, below, above, and
    noop; scans that leave the map are masked. Sizes by default: N = 15, A = 9, O = 11, S = 165 (all views),
    horizon `steps`, terminal at the end. No notion of winning. Extras: `located`, [] int32, targets that at least
    two sensors scanned at this step.
    """

    num_actions = 9
    observation_size = 11
    action_names = (
        "below right", "above right", "right", "left", "below left", "above left", "below", "above", "noop",
    )  # fmt: skip
    default_steps = 500_000

    def __init__(
        self,
        rows: int = 3,
        columns: int = 5,
        num_targets: int = 3,
        reward: float = 3.0,
        scan_cost: float = 1.0,
        steps: int = 10,
    ) -> None:
        """Makes the task.

        Args:
          rows: sensors from top to bottom, at least 2; columns: from left to right, at least 2.
          num_targets: M, few enough for each to have somewhere to go at any time.
          reward: for a target that two sensors scan, in proportion more for three or four.
          scan_cost: paid for each scan.
          steps: length of an episode.

        Raises:
          ValueError: an option is of the wrong type or out of its range.
        """
        rows = check_count("sensor_grid", "rows", rows, at_least=2)
        columns = check_count("sensor_grid", "columns", columns, at_least=2)
        self.num_targets = check_count("sensor_grid", "num_targets", num_targets)
        self.reward = check_number("sensor_grid", "reward", reward)
        self.scan_cost = check_number("sensor_grid", "scan_cost", scan_cost)
        self.horizon = check_count("sensor_grid", "steps", steps)
        self.size = (2 * rows - 1, 2 * columns - 1)  # of the map
        places = np.argwhere(np.ones(self.size, bool)).astype(np.int32)
        is_sensor = (places % 2 == 0).all(axis=1)
        self.sensors = places[is_sensor]  # [N, 2] row, column
        self.cells = places[~is_sensor]  # [C, 2] row, column of the cells that targets can be in
        self.jump_odds = _jump_odds(self.cells, self.size)  # [C, C]
        room = int((self.jump_odds > 0).sum(axis=1).min())
        if self.num_targets > room:
            raise ValueError(
                f"sensor_grid: num_targets={self.num_targets} is too many for {rows}x{columns} sensors; "
                f"at most {room} targets can always move."
            )
        scanned = self.sensors[:, None] + SCANS  # [N, A, 2]
        self._inside = ((scanned >= 0) & (scanned < np.array(self.size))).all(axis=-1)  # [N, A]
        self._scans = (scanned[:, :, None] == self.cells).all(axis=-1)  # [N, A, C]: does the action scan the cell
        self.num_agents = len(self.sensors)
        self.state_size = self.num_agents * self.observation_size
        self.view_dtype = self.state_dtype = np.int8 if max(self.size) < 128 else np.int16
        super().__init__()

    def reset(self, key: chex.PRNGKey) -> tuple[SensorGridState, TimeStep[Observation]]:
        """Draws different free cells for the targets, uniformly."""
        place_key, key = jax.random.split(key)
        target = jax.random.permutation(place_key, len(self.cells))[: self.num_targets].astype(jnp.int32)
        state = SensorGridState(
            target=target,
            last_target=target,
            last_action=jnp.full((self.num_agents,), NOOP, jnp.int32),
            key=key,
            step_count=jnp.zeros((), jnp.int32),
        )
        return state, restart(self.get_observation(state), {"located": jnp.zeros((), jnp.int32)})

    def step(self, state: SensorGridState, action: jax.Array) -> tuple[SensorGridState, TimeStep[Observation]]:
        """Scans with `action` [N] int32, then moves the targets. The reward is the same for every agent."""
        scanned = jnp.asarray(self._scans)[jnp.arange(self.num_agents), action]  # [N, C]
        scanners = jnp.sum(scanned, axis=0)[state.target]  # [M]
        located = scanners >= 2
        earned = self.reward / 2 * jnp.sum(scanners * located)
        reward = earned - self.scan_cost * jnp.sum(action != NOOP)
        key, move_key = jax.random.split(state.key)
        state = SensorGridState(
            target=self._move(state.target, move_key),
            last_target=state.target,
            last_action=jnp.asarray(action, jnp.int32),
            key=key,
            step_count=state.step_count + 1,
        )
        extras = {"located": jnp.sum(located, dtype=jnp.int32)}
        return state, timestep(
            self.get_observation(state), reward, terminal=state.step_count >= self.horizon, extras=extras
        )

    def _move(self, target: jax.Array, key: chex.PRNGKey) -> jax.Array:
        """Moves each target [M] in turn to a cell that is free then, with the odds of its jumps."""

        def move(target: jax.Array, turn: tuple[jax.Array, chex.PRNGKey]) -> tuple[jax.Array, None]:
            index, key = turn
            odds = jnp.asarray(self.jump_odds)[target[index]].at[target].set(0.0)
            return target.at[index].set(jax.random.categorical(key, jnp.log(odds)).astype(jnp.int32)), None

        turns = (jnp.arange(self.num_targets), jax.random.split(key, self.num_targets))
        return jax.lax.scan(move, target, turns)[0]

    def get_observation(self, state: SensorGridState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        occupied = jnp.zeros(self.size).at[tuple(jnp.asarray(self.cells)[state.target].T)].set(1.0)
        padded = jnp.pad(occupied, 1, constant_values=-1.0)
        rows, columns = np.indices((3, 3)).reshape(2, 1, 9) + self.sensors.T[:, :, None]  # [N, 9] each
        patch = padded[rows, columns]
        view = jnp.concatenate([patch, jnp.asarray(self.sensors, jnp.float32)], axis=1)
        return self.observe(view, view.reshape(-1), state.step_count, action_mask=jnp.asarray(self._inside))

    def draw(self, axes: Any, state: SensorGridState) -> None:
        """Draws the map and the targets now; rays are the last scans, gray stars the targets then, ringed if found."""
        rows, columns = self.size
        for row, column in np.ndindex(rows, columns):
            shapes.add_rectangle(axes, column - 0.46, -row - 0.46, 0.92, 0.92, facecolor=FLOOR, edgecolor="none")
        scanned = (self.sensors + SCANS[np.asarray(state.last_action)]).tolist()
        for agent, ((row, column), (to_row, to_column)) in enumerate(zip(self.sensors.tolist(), scanned, strict=True)):
            axes.plot([column, to_column], [-row, -to_row], color=agent_color(agent), lw=5, alpha=0.45, zorder=3)
            shapes.draw_agent(axes, column, -row, agent, radius=0.27)
        for row, column in self.cells[np.asarray(state.last_target)].tolist() if state.step_count > 0 else ():
            axes.scatter([column], [-row], s=130, marker="*", color=FAINT, edgecolor="white", linewidth=0.8, zorder=4)
            if scanned.count([row, column]) >= 2:
                shapes.add_circle(axes, column, -row, 0.33, fill=False, edgecolor=LOCATED, lw=2.5, zorder=4)
        for row, column in self.cells[np.asarray(state.target)].tolist():
            shapes.draw_star(axes, column, -row, size=260)
        shapes.clear(axes, (-0.7, columns - 0.3), (-rows + 0.3, 0.7))


def _jump_odds(cells: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[C, C] float32: the odds that a target in one cell tries another, before those that are taken are left out."""
    jumps = np.indices((2 * JUMP + 1,) * 2).reshape(2, -1).T - JUMP  # [25, 2]
    landed = np.clip(cells[:, None] + jumps, 0, np.array(size) - 1)  # [C, 25, 2]
    counts = (landed[:, :, None] == cells).all(axis=-1).sum(axis=1)  # [C, C]
    np.fill_diagonal(counts, 0)
    return counts.astype(np.float32)
