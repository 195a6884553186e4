"""Switch riddle: one prisoner a day visits a room; one must announce when all have been there.

Source: Foerster et al., "Learning to communicate with deep multi-agent reinforcement learning" (NeurIPS 2016), as
released (`code/game/Switch.lua`). The option `bulb` plays the riddle as it is told.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from marlcomm.envs.api import Environment
from marlcomm.envs.options import check_count, check_flag
from marlcomm.envs.render import shapes
from marlcomm.envs.render.palette import FAINT, FLOOR, GOAL, INK, VISITED
from marlcomm.envs.steps import Observation, TimeStep, restart, timestep

NOTHING, TELL, TOGGLE = 0, 1, 2


class SwitchRiddleState(NamedTuple):
    """Who visits when, who has been there, and the light."""

    visitor: jax.Array  # [T + 1] int32: who is in the room on each day; the last entry is only for the final view
    has_been: jax.Array  # [N] bool: who has been in the room, today's visitor included
    light: jax.Array  # [] bool: always off without a bulb
    told: jax.Array  # [] bool: whether somebody has told
    step_count: jax.Array  # [] int32


class SwitchRiddle(Environment[SwitchRiddleState]):
    """N prisoners; on each of T = 4N - 6 days one of them, drawn uniformly, is taken to a room, unseen by the others.

    Who is in the room may tell the warden that everybody has been there. If that is so, all live and everyone
    gets 1; if not, all die and everyone gets -1. Either ends the episode. So does the last day, with 0. All
    others can do nothing.

    By default the switch is the channel: in the paper, the visitor hears one bit from the visitor of the day
    before. Channels here carry more, and from everyone to everyone, unless one limits them. With `bulb`, the room
    has a light as in the riddle, off at first, which the visitor sees and may toggle: then agents can solve it
    without any channel.

    Optima for N = 3 (T = 6), of return and of winning with messages: whoever completes the visits tells, 540/729 =
    0.7407, the probability that all of N have been there within T days. With the bulb the same (the light says that
    two have been there). Without messages or bulb, but with memory and a clock: 390/729 = 0.5350, exactly. For N = 4
    (T = 10), with messages: 0.7806.

    View: 1 in the room, and with `bulb` 1 if in the room and the light is on. Actions: 0 nothing, 1 tell, and with
    `bulb` 2 toggle; outside the room only nothing. Sizes: A = 2 or 3, O = 1 or 2, S = 2N + 1 (who is in the room,
    who has been there, the light), horizon T, terminal at the end. Extras: `won`, someone told and all had been
    there.
    """

    default_steps = 500_000

    def __init__(self, num_agents: int = 3, bulb: bool = False) -> None:
        """Makes the task.

        Args:
          num_agents: N, at least 3 (the horizon of two would be too short).
          bulb: whether the room has a light.

        Raises:
          ValueError: an option is of the wrong type or out of its range.
        """
        self.num_agents = check_count("switch_riddle", "num_agents", num_agents, at_least=3)
        self.bulb = check_flag("switch_riddle", "bulb", bulb)
        self.num_actions = 3 if self.bulb else 2
        self.action_names = ("nothing", "tell", "toggle")[: self.num_actions]
        self.observation_size = 2 if self.bulb else 1
        self.state_size = 2 * self.num_agents + 1
        self.view_dtype = self.state_dtype = bool
        self.horizon = 4 * self.num_agents - 6
        super().__init__()

    def reset(self, key: chex.PRNGKey) -> tuple[SwitchRiddleState, TimeStep[Observation]]:
        """Draws the visitor of each day."""
        visitor = jax.random.randint(key, (self.horizon + 1,), 0, self.num_agents, jnp.int32)
        state = SwitchRiddleState(
            visitor=visitor,
            has_been=jnp.arange(self.num_agents) == visitor[0],
            light=jnp.zeros((), bool),
            told=jnp.zeros((), bool),
            step_count=jnp.zeros((), jnp.int32),
        )
        return state, restart(self.get_observation(state), {"won": jnp.zeros((), bool)})

    def step(self, state: SwitchRiddleState, action: jax.Array) -> tuple[SwitchRiddleState, TimeStep[Observation]]:
        """Lets today's visitor act, of `action` [N] int32, and calls the next. The reward is the same for everyone."""
        chosen = action[state.visitor[state.step_count]]
        told = chosen == TELL
        won = told & jnp.all(state.has_been)
        reward = jnp.where(won, 1.0, jnp.where(told, -1.0, 0.0))
        step_count = state.step_count + 1
        over = told | (step_count >= self.horizon)
        state = SwitchRiddleState(
            visitor=state.visitor,
            has_been=state.has_been | (~over & (jnp.arange(self.num_agents) == state.visitor[step_count])),
            light=state.light ^ (self.bulb & (chosen == TOGGLE)),
            told=told,
            step_count=step_count,
        )
        return state, timestep(self.get_observation(state), reward, terminal=over, extras={"won": won})

    def get_observation(self, state: SwitchRiddleState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        in_room = jnp.arange(self.num_agents) == state.visitor[state.step_count]  # [N]
        view = jnp.stack([in_room, in_room & state.light], axis=1)[:, : self.observation_size]
        can_act = in_room[:, None] | (jnp.arange(self.num_actions) == NOTHING)  # [N, A]
        everything = jnp.concatenate([in_room, state.has_been, state.light[None]])
        return self.observe(view, everything, state.step_count, action_mask=can_act)

    def draw(self, axes: Any, state: SwitchRiddleState) -> None:
        """Draws the room with today's visitor and the light above; below the cells, golden for who has been there."""
        over = bool(state.told) or int(state.step_count) >= self.horizon
        visitor = None if over else int(state.visitor[state.step_count])
        caption = f"day {int(state.step_count) + 1} of {self.horizon}"
        middle = 0.75 * (self.num_agents - 1)
        shapes.add_rectangle(axes, middle - 1.1, 0.9, 2.2, 1.6, facecolor=FLOOR, edgecolor=INK, lw=2)
        text = ("told" if state.told else "over") if over else caption
        axes.text(middle, 2.75, text, ha="center", va="bottom", color=INK)
        if self.bulb:
            color, word = (GOAL, "on") if state.light else ("white", "off")
            shapes.add_circle(axes, middle + 0.7, 2.05, 0.2, facecolor=color, edgecolor=INK, lw=1.2, zorder=4)
            axes.text(middle + 0.7, 1.6, word, ha="center", va="center", color=INK, fontsize=9)
        for agent, been in enumerate(state.has_been):
            x, (color, edge) = 1.5 * agent, (VISITED, GOAL) if been else (FLOOR, FAINT)
            shapes.add_rectangle(axes, x - 0.6, -0.6, 1.2, 1.2, facecolor=color, edgecolor=edge, lw=2)
            axes.text(x, -0.85, "has been" if been else "", ha="center", va="center", color=INK, fontsize=8)
            place = (middle - 0.2, 1.7) if agent == visitor else (x, 0.0)
            shapes.draw_agent(axes, *place, agent, radius=0.38)
        shapes.clear(axes, (-1.3, 1.5 * self.num_agents - 0.2), (-1.2, 3.2))
