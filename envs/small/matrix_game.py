"""Matrix games: one-step games of two agents, each of which may observe something.

`RGMCOMM_TABLE`: RGMComm (Chen et al., AAAI 2024), figure 1. The paper does not print three entries; one follows from
its sums, the other two are free, and 12 and 36 are a choice that keeps every number that the paper states.
`QTRAN_TABLE`: QTRAN (Son et al., ICML 2019), table 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import Environment
from marlcomm.envs.render import shapes
from marlcomm.envs.render.palette import FLOOR, GOAL, INK, VISITED, agent_color
from marlcomm.envs.steps import Observation, TimeStep, restart, timestep
from marlcomm.validation import check_choice

RGMCOMM_TABLE = (  # [first observation, first agent's action, second observation]
    ((53.2, 4.5, 58.5, 0.3), (42.9, 1.2, 64.0, 16.1)),
    ((31.8, 12.0, 34.1, 36.0), (22.9, 28.0, 10.0, 81.5)),
)

QTRAN_TABLE = ((((8.0, -12.0, -12.0),), ((-12.0, 0.0, 0.0),), ((-12.0, 0.0, 0.0),)),)  # nobody observes anything

TABLES = {"rgmcomm": RGMCOMM_TABLE, "qtran": QTRAN_TABLE}


class MatrixGameState(NamedTuple):
    """What each agent sees, and what they last did (for pictures)."""

    seen: jax.Array  # [N] int32: index of each agent's observation
    last_action: jax.Array  # [N] int32, -1 after reset
    step_count: jax.Array  # [] int32


class MatrixGame(Environment[MatrixGameState]):
    """One-step cooperative matrix game of two agents (RGMComm; with `table="qtran"`, the game of QTRAN's paper).

    The reward of both agents is `table[first observation, agent 0's action, second observation, agent 1's action]`.
    Without the last axis agent 0 acts alone: agent 1 observes what matters for it, and has no choice but action 0.
    Observations are uniform and independent. The number of observations and actions follows from the table.

    Best of "qtran": 8, where both choose their first action; who does so alone costs both 12. It has N = 2, A = 3,
    O = 1, S = 2.

    Optima with the default table, by the number of different messages from agent 1 to agent 0:
    1: 33.325, 2: 38.05, 3: 38.7375, 4 or more: 39.15.

    View: one-hot of the own observation, padded with zeros to the larger number.
    Sizes: N = 2, A = 2, O = 4, S = 6 (both one-hots, not padded), horizon 1 (terminal). No notion of winning.
    """

    num_agents = 2
    default_steps = 100_000
    horizon = 1

    def __init__(self, table: str | Sequence[Sequence[Sequence[Any]]] = RGMCOMM_TABLE) -> None:
        """Makes the task.

        Args:
          table: "rgmcomm" or "qtran"; or rewards [first observations, actions, second observations]; or, where agent 1
            acts too, [first observations, first actions, second observations, second actions].

        Raises:
          ValueError: no table is called so, or it is not three or four levels deep and regular, is empty, or holds
            numbers that are not finite.
        """
        self.table = _check_table(table)
        self.rewards = self.table if self.table.ndim == 4 else self.table[..., None]
        self.sizes = (self.table.shape[0], self.table.shape[2])  # observations of agent 0, of agent 1
        self.choices = (self.rewards.shape[1], self.rewards.shape[3])
        self.num_actions = max(self.choices)
        self.action_names = tuple(f"a{i + 1}" for i in range(self.num_actions))
        self.observation_size = max(self.sizes)
        self.state_size = sum(self.sizes)
        self.view_dtype = self.state_dtype = bool
        super().__init__()

    def reset(self, key: chex.PRNGKey) -> tuple[MatrixGameState, TimeStep[Observation]]:
        """Draws both observations."""
        state = MatrixGameState(
            seen=jax.random.randint(key, (self.num_agents,), 0, np.array(self.sizes), jnp.int32),
            last_action=jnp.full((self.num_agents,), -1, jnp.int32),
            step_count=jnp.zeros((), jnp.int32),
        )
        return state, restart(self.get_observation(state))

    def step(self, state: MatrixGameState, action: jax.Array) -> tuple[MatrixGameState, TimeStep[Observation]]:
        """Pays the table's entry for `action` [N] int32. Always the last step."""
        own, other = jnp.minimum(action, np.array(self.choices) - 1)  # one that has no choice has done the last
        reward = jnp.asarray(self.rewards)[state.seen[0], own, state.seen[1], other]
        state = MatrixGameState(state.seen, jnp.asarray(action, jnp.int32), state.step_count + 1)
        return state, timestep(self.get_observation(state), reward, terminal=jnp.ones((), bool))

    def get_observation(self, state: MatrixGameState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        view = jax.nn.one_hot(state.seen, self.observation_size)
        parts = [view[i, :size] for i, size in enumerate(self.sizes)]
        choice = jnp.arange(self.num_actions) < np.array(self.choices)[:, None]
        return self.observe(view, jnp.concatenate(parts), state.step_count, action_mask=choice)

    def draw(self, axes: Any, state: MatrixGameState) -> None:
        """Draws the table: rows are what agent 0 sees and does, columns agent 1; the entry paid is bold."""
        firsts, actions, seconds, answers = self.rewards.shape
        seen, (action, answer) = np.asarray(state.seen).tolist(), np.asarray(state.last_action).tolist()
        for column, (second, other) in enumerate(np.ndindex(seconds, answers)):
            label, color = f"$o_{{2{second + 1}}}$", agent_color(1) if second == seen[1] else INK
            label += f", a{other + 1}" if answers > 1 else ""
            axes.text(column, 0.75, label, ha="center", color=color)
        for row, (first, choice) in enumerate(np.ndindex(firsts, actions)):
            label, color = f"$o_{{1{first + 1}}}$, a{choice + 1}", agent_color(0) if first == seen[0] else INK
            axes.text(-0.75, -row, label, ha="right", va="center", color=color)
            for column, (second, other) in enumerate(np.ndindex(seconds, answers)):
                inside = first == seen[0] and second == seen[1]
                paid = inside and choice == action and (answers == 1 or other == answer)
                color = GOAL if paid else VISITED if inside else FLOOR
                shapes.add_rectangle(axes, column - 0.5, -row - 0.5, 1, 1, facecolor=color, edgecolor="white", lw=2)
                value, weight = f"{self.rewards[first, choice, second, other]:g}", "bold" if paid else "normal"
                axes.text(column, -row, value, ha="center", va="center", fontweight=weight)
        shapes.clear(axes, (-2.1, seconds * answers - 0.4), (-firsts * actions + 0.4, 1.4))


def _check_table(table: str | Sequence[Sequence[Sequence[Any]]]) -> np.ndarray:
    right = "a regular table [first observations, actions, second observations(, actions)] of finite numbers"
    if isinstance(table, str):
        table = TABLES[check_choice("matrix_game: table", table, tuple(TABLES))]
    try:
        array = np.asarray(table, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"matrix_game: table={table!r} must be {right}.") from error
    if array.ndim not in (3, 4) or array.size == 0:
        raise ValueError(f"matrix_game: table has shape {array.shape}; it must be {right}.")
    if not np.isfinite(array).all():
        raise ValueError(f"matrix_game: table={table!r} must be {right}.")
    return array
