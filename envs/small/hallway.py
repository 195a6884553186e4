"""Hallway: agents in separate corridors must reach a shared goal at the same step.

Sources: NDQ (Wang et al., ICLR 2020), section 5.2, as released (`smac_plus/join1.py`); the variant with
groups comes from MASIA and CASEC, whose code is unclear about simultaneous wins (see `Hallway`). The start delay
is our own: with it, and only with it, a clock is no substitute for messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import BestReturns, Environment
from marlcomm.envs.options import check_count, check_counts, check_number
from marlcomm.envs.render import palette, shapes
from marlcomm.envs.steps import Observation, TimeStep, restart, timestep

EXTRA_STEPS = 10  # without a start delay, the limit is this many steps beyond the longest hallway
# start delay -> of how many starts, out of all, the best silent team wins: 4x4 without extra steps, exact
SILENT_WINS = {4: (233, 400), 6: (377, 784), 8: (527, 1296), 10: (687, 1936)}
CLASH_PENALTY = 0.5  # of `reward_win`, for each of the groups that win at the same step


class HallwayState(NamedTuple):
    """Where everyone stands, and which groups are done. G groups (one, if the task has none)."""

    position: jax.Array  # [N] int32, 0 (goal) .. length
    won_groups: jax.Array  # [G] bool
    failed_groups: jax.Array  # [G] bool
    delay: jax.Array  # [N] int32: for how many steps each agent is held at its start
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

    With `start_delay` = D, agent i is held for a number of steps that is uniform in 0 .. D and that nobody else
    sees: until then it can only stay. The limit is max(lengths) + extra_steps steps after the *last* agent is let
    go, so it moves too, and nobody can wait for it. Agents that talk still win always (whoever stands at 1 waits
    until everybody does). Silent ones, whatever their memory, must each choose a time of arrival from their own
    delay and position, and the times must agree before a limit that depends on the other's delay. They win always
    only if D <= extra_steps. For 4x4 without extra steps the best that they can do is, exactly, 0.5825 for D = 4,
    0.4809 for D = 6, 0.4066 for D = 8 and 0.3549 for D = 10.

    Sizes: A = 3; O = 1 (position), with groups one more (1 while the group is active), with a delay one more (1
    while held); S = N O (all views). Horizon D + max(lengths) + extra_steps.
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
        start_delay: int = 0,
        extra_steps: int | None = None,
    ) -> None:
        """Makes the task.

        Args:
          lengths: length of each agent's hallway, at least 1; one agent for each.
          groups: group of each agent, numbered from 0 without gaps; None plays without groups.
          reward_win: reward of every agent when a group wins.
          start_delay: the most steps, D, that an agent is held at its start; 0 plays without delays.
          extra_steps: steps left when the longest hallway is walked at once; None is 10, or 0 with a delay.

        Raises:
          ValueError: an option is not right, or there is not one group for each agent.
        """
        self.lengths = check_counts("hallway", "lengths", lengths)
        if not self.lengths:
            raise ValueError("hallway: lengths=() must hold one length for each agent, at least one, such as (4, 4).")
        self.groups = None if groups is None else _check_groups(groups, self.lengths)
        self.reward_win = check_number("hallway", "reward_win", reward_win)
        self.start_delay = check_count("hallway", "start_delay", start_delay, at_least=0)
        if extra_steps is None:
            extra_steps = 0 if self.start_delay else EXTRA_STEPS
        self.steps = max(self.lengths) + check_count("hallway", "extra_steps", extra_steps, at_least=0)
        self.num_agents = len(self.lengths)
        self.observation_size = 1 + (self.groups is not None) + (self.start_delay > 0)
        self.state_size = self.num_agents * self.observation_size
        self.view_dtype = self.state_dtype = np.min_scalar_type(max(self.lengths))
        self.horizon = self.start_delay + self.steps
        self.group_of_agent = np.array(self.groups or [0] * self.num_agents, np.int32)  # [N]
        self.num_groups = int(self.group_of_agent.max()) + 1
        self._members = self.group_of_agent == np.arange(self.num_groups)[:, None]  # [G, N] bool
        super().__init__()

    def reset(self, key: chex.PRNGKey) -> tuple[HallwayState, TimeStep[Observation]]:
        """Draws each position uniformly in 1 .. its length, and each delay in 0 .. D."""
        delay = jnp.zeros((self.num_agents,), jnp.int32)
        if self.start_delay:
            key, delay_key = jax.random.split(key)
            delay = jax.random.randint(delay_key, (self.num_agents,), 0, self.start_delay + 1, jnp.int32)
        position = jax.random.randint(key, (self.num_agents,), 1, np.array(self.lengths) + 1, jnp.int32)
        undone = jnp.zeros((self.num_groups,), bool)
        state = HallwayState(position, undone, undone, delay, jnp.zeros((), jnp.int32))
        return state, restart(self.get_observation(state), self._extras(state))

    def step(self, state: HallwayState, action: jax.Array) -> tuple[HallwayState, TimeStep[Observation]]:
        """Moves everyone who is free and whose group is not done, with `action` [N] int32.

        All get the same reward.
        """
        active = ~(state.won_groups | state.failed_groups)  # [G]
        moves = active[self.group_of_agent] & ~self._held(state)  # [N]
        delta = jnp.where(action == 1, -1, jnp.where(action == 2, 1, 0)) * moves
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
            delay=state.delay,
            step_count=state.step_count + 1,
        )
        limit = jnp.max(state.delay) + self.steps
        done = jnp.all(state.won_groups | state.failed_groups) | (state.step_count >= limit)
        return state, timestep(self.get_observation(state), reward, terminal=done, extras=self._extras(state))

    def best_returns(self) -> BestReturns | None:
        """Without groups: informed teams win always, silent ones where a delay can be waited out, as the class says.

        Where it cannot, known for lengths of 4 and 4 without extra steps and delays of 4, 6, 8 and 10.
        """
        if self.groups is not None or self.reward_win < 0:
            return None
        if self.start_delay <= self.steps - max(self.lengths):
            return BestReturns(self.reward_win, self.reward_win)
        if (self.lengths, self.steps) != ((4, 4), 4) or self.start_delay not in SILENT_WINS:
            return None
        wins, starts = SILENT_WINS[self.start_delay]
        return BestReturns(self.reward_win * wins / starts, self.reward_win)

    def _held(self, state: HallwayState) -> jax.Array:
        """[N] bool: who cannot move yet."""
        return state.step_count < state.delay

    def get_observation(self, state: HallwayState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        columns, held = [state.position], self._held(state)
        if self.groups is not None:
            columns.append(~(state.won_groups | state.failed_groups)[self.group_of_agent])
        if self.start_delay:
            columns.append(held)
        view = jnp.stack([column.astype(jnp.float32) for column in columns], axis=1)  # [N, O]
        can_move = ~held[:, None] | (jnp.arange(self.num_actions) == 0)  # [N, A]
        return self.observe(view, view.reshape(-1), state.step_count, action_mask=can_move)

    def _extras(self, state: HallwayState) -> dict[str, jax.Array]:
        extras: dict[str, jax.Array] = {"won": jnp.all(state.won_groups)}
        if self.groups is not None:
            extras["groups_won"] = jnp.sum(state.won_groups, dtype=jnp.int32)
        return extras

    def draw(self, axes: Any, state: HallwayState) -> None:
        """Draws a row for each agent, its goal on the left; on the right its group, and whether it won or is held."""
        many, is_held = max(self.group_of_agent) > 0, np.asarray(self._held(state))
        for agent, (length, position) in enumerate(zip(self.lengths, np.asarray(state.position), strict=True)):
            y, group, held = -1.35 * agent, int(self.group_of_agent[agent]), bool(is_held[agent])
            for cell in range(length + 1):
                color = palette.GOAL if cell == 0 else palette.FLOOR
                shapes.add_rounded_square(axes, cell, y, 0.88, 0.12, facecolor=color, edgecolor=palette.FAINT)
                if cell != position:
                    label, ink = ("goal", palette.INK) if cell == 0 else (str(cell), palette.FAINT)
                    axes.text(cell, y, label, ha="center", va="center", color=ink, fontsize=8)
            shapes.draw_agent(axes, int(position), y, agent)
            if held:
                dashed = {"fill": False, "edgecolor": palette.INK, "lw": 1.5, "ls": (0, (2, 2)), "zorder": 6}
                shapes.add_circle(axes, int(position), y, 0.37, **dashed)
            fates = {"won": state.won_groups[group], "failed": state.failed_groups[group], "held": held}
            fate = next((name for name, applies in fates.items() if applies), "")
            label = f"group {group}  {fate}" if many else fate
            axes.text(length + 0.65, y, label.strip(), va="center", color=palette.INK, fontsize=9)
        shapes.clear(
            axes, (-0.8, max(self.lengths) + (2.6 if many else 1.6)), (-1.35 * (len(self.lengths) - 1) - 0.8, 0.8)
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
