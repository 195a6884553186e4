"""Hallway: agents in corridors of their own must step on the shared goal at the same time.

Sources: NDQ (Wang et al., ICLR 2020), section 5.2, as released (`smac_plus/join1.py`); the variant with
groups comes from MASIA and CASEC, whose code is unclear about simultaneous wins (see `Hallway`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jumanji.types import TimeStep

from marlcomm.envs import drawing
from marlcomm.envs.api import Environment, Observation, restart, timestep
from marlcomm.envs.options import check_counts, check_number

EXTRA_STEPS = 10  # the limit is this many steps beyond the longest hallway
CLASH_PENALTY = 0.5  # of `reward_win`, for each of the groups that win at the same step


class HallwayState(NamedTuple):
    """Where everyone stands, and which groups are done. G groups (one, if the task has none)."""

    position: jax.Array  # [N] int32, 0 (goal) .. length
    won_groups: jax.Array  # [G] bool
    failed_groups: jax.Array  # [G] bool
    step_count: jax.Array  # [] int32


class Hallway(Environment[HallwayState]):
    """N hallways that meet at a goal. Reward only if all agents (of a group) reach it at the same step.

    Agent i starts uniformly in 1 .. lengths[i] and sees only its position, raw: no clock, nobody else.
    Actions (A = 3): 0 stay, 1 left (towards the goal, 0), 2 right (away, up to the length). All move at once,
    and

    - a group wins when all its members stand at 0: every agent gets `reward_win`;
    - a group fails when some but not all its members do.

    Without groups the team is one group: the episode ends when it wins or fails. With groups, members of a
    group that is done stay where they are, and **groups must not win at the same step**: each of the groups
    that do costs `0.5 * reward_win` in net (it gets no win reward) and counts as failed. The episode ends
    when every group is done (the public codes run on to the limit when some won and some failed; no reward is
    left there). The limit of max(lengths) + 10 steps ends it too, as part of the task: terminal, as in the
    released code.

    Optima without groups: everyone can win always, silent agents with a clock too (wait n_max - p, then
    walk). The best memoryless silent policy is always left: min(lengths) / prod(lengths).

    Sizes: A = 3; without groups O = 1, S = N (positions); with groups O = 2 (position, 1 while the group is
    active), S = 2N (all views). Horizon max(lengths) + 10.
    Extras: `won`, all groups have won; with groups also `groups_won`, [] int32.
    """

    num_actions = 3
    action_names = ("stay", "left", "right")
    default_steps = 2_000_000

    def __init__(
        self,
        lengths: Sequence[int] = (4, 4),
        groups: Sequence[int] | None = None,
        reward_win: float = 10.0,
    ) -> None:
        """Makes the task.

        Args:
          lengths: length of each agent's hallway, at least 1; one agent for each.
          groups: group of each agent, numbered from 0 without gaps; None plays without groups.
          reward_win: reward of every agent when a group wins.

        Raises:
          ValueError: a length or group is not right, or there is not one group for each agent.
        """
        self.lengths = check_counts("hallway", "lengths", lengths)
        if not self.lengths:
            raise ValueError("hallway: lengths=() must hold one length for each agent, at least one, such as (4, 4).")
        self.groups = None if groups is None else _check_groups(groups, self.lengths)
        self.reward_win = check_number("hallway", "reward_win", reward_win)
        self.num_agents = len(self.lengths)
        self.observation_size = 1 if self.groups is None else 2
        self.state_size = self.num_agents * self.observation_size
        self.horizon = max(self.lengths) + EXTRA_STEPS
        self.group_of_agent = np.array(self.groups or [0] * self.num_agents, np.int32)  # [N]
        self.num_groups = int(self.group_of_agent.max()) + 1
        self._members = self.group_of_agent == np.arange(self.num_groups)[:, None]  # [G, N] bool
        super().__init__()

    def reset(self, key: chex.PRNGKey) -> tuple[HallwayState, TimeStep[Observation]]:
        """Draws each position uniformly in 1 .. its length."""
        position = jax.random.randint(key, (self.num_agents,), 1, np.array(self.lengths) + 1, jnp.int32)
        undone = jnp.zeros((self.num_groups,), bool)
        state = HallwayState(position, undone, undone, jnp.zeros((), jnp.int32))
        return state, restart(self._look(state), self._extras(state))

    def step(self, state: HallwayState, action: jax.Array) -> tuple[HallwayState, TimeStep[Observation]]:
        """Moves everyone whose group is not done, with `action` [N] int32. All get the same reward."""
        active = ~(state.won_groups | state.failed_groups)  # [G]
        delta = jnp.where(action == 1, -1, jnp.where(action == 2, 1, 0)) * active[self.group_of_agent]
        position = jnp.clip(state.position + delta, 0, np.array(self.lengths, np.int32))
        at_goal = position == 0
        arrived = active & jnp.all(at_goal | ~self._members, axis=1)  # [G]: all members at the goal
        spoilt = active & ~arrived & jnp.any(at_goal & self._members, axis=1)
        clash = jnp.sum(arrived) > 1
        reward = self.reward_win * jnp.sum(arrived) * jnp.where(clash, -CLASH_PENALTY, 1.0)
        state = HallwayState(
            position=position,
            won_groups=state.won_groups | (arrived & ~clash),
            failed_groups=state.failed_groups | spoilt | (arrived & clash),
            step_count=state.step_count + 1,
        )
        done = jnp.all(state.won_groups | state.failed_groups) | (state.step_count >= self.horizon)
        return state, timestep(self._look(state), reward, terminal=done, extras=self._extras(state))

    def _look(self, state: HallwayState) -> Observation:
        view = state.position[:, None].astype(jnp.float32)
        if self.groups is not None:
            active = ~(state.won_groups | state.failed_groups)[self.group_of_agent]
            view = jnp.concatenate([view, active[:, None].astype(jnp.float32)], axis=1)
        return self.observe(view, view.reshape(-1), state.step_count)

    def _extras(self, state: HallwayState) -> dict[str, jax.Array]:
        extras: dict[str, jax.Array] = {"won": jnp.all(state.won_groups)}
        if self.groups is not None:
            extras["groups_won"] = jnp.sum(state.won_groups, dtype=jnp.int32)
        return extras

    def draw(self, axes: Any, state: HallwayState) -> None:
        """Draws the hallways side by side, with the goal at the left end of each."""
        drawing.draw_hallways(
            axes,
            lengths=self.lengths,
            positions=[int(p) for p in state.position],
            groups=[int(g) for g in self.group_of_agent],
            won=[bool(w) for w in state.won_groups],
            failed=[bool(f) for f in state.failed_groups],
        )


def _check_groups(groups: Sequence[int], lengths: tuple[int, ...]) -> tuple[int, ...]:
    checked = check_counts("hallway", "groups", groups, at_least=0)
    if len(checked) != len(lengths):
        raise ValueError(
            f"hallway: groups={checked} must name a group for each of the {len(lengths)} agents of lengths={lengths}."
        )
    if set(checked) != set(range(len(set(checked)))):
        right = tuple(sorted(set(checked)).index(group) for group in checked)
        raise ValueError(f"hallway: groups={checked} must number groups from 0 without gaps, such as {right}.")
    return checked
