"""Whisper: a secret that only the first agent of a line observes must be named by the last."""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import Environment
from marlcomm.envs.options import check_count
from marlcomm.envs.render import shapes
from marlcomm.envs.render.palette import FAINT, INK, RIGHT, WRONG
from marlcomm.envs.steps import Observation, TimeStep, restart, timestep

MOST_BITS = 10  # 1,024 actions


class WhisperState(NamedTuple):
    """The secret, and what was last said of it."""

    secret: jax.Array  # [] int32: the number that the bits make up, the first bit counting most
    answer: jax.Array  # [] int32: the last agent's latest action, -1 after reset
    step_count: jax.Array  # [] int32


class Whisper(Environment[WhisperState]):
    """N agents in a row. The first sees a secret of `bits` bits; at the last of T steps, the last agent must name it.

    Everyone gets 1 if that action is right, else 0. What the last agent does before makes no difference, and all
    others have no choice but action 0, so that nothing but messages can carry the secret.

    `graph` says who hears whom: each agent only the one before it. Channels take it unless they have a graph of their
    own (with everybody reaching everybody, the first could tell the last). What one agent was told, it must pass on:
    within a step, that takes rounds (`MeanChannel(rounds=N - 1)`); from step to step, messages that are made of the
    memory (`reads_memory=True`), since no agent between sees anything. By default T = N - 1, the least for which one
    round a step is enough.

    Optima of return and of winning: 1 with messages, 1 / 2 ** bits without; m / 2 ** bits where some agent can say
    only m different things in the whole episode.

    View: the first agent's bits as -1 or 1, zeros for all others. Sizes: A = 2 ** bits, O = bits, S = bits + 1 (the
    secret, and the share of steps that are over), horizon T (terminal). Extras: `won`.
    """

    default_steps = 200_000

    def __init__(self, num_agents: int = 3, bits: int = 2, steps: int | None = None) -> None:
        """Makes the task.

        Args:
          num_agents: N, at least 2.
          bits: length of the secret, 1 .. 10.
          steps: T; None is N - 1.

        Raises:
          ValueError: an option is no whole number in its range.
        """
        self.num_agents = check_count("whisper", "num_agents", num_agents, at_least=2)
        self.bits = check_count("whisper", "bits", bits, at_most=MOST_BITS)
        self.horizon = self.num_agents - 1 if steps is None else check_count("whisper", "steps", steps)
        self.num_actions = 2**self.bits
        self.action_names = tuple(f"{secret:0{self.bits}b}" for secret in range(self.num_actions))
        self.observation_size = self.bits
        self.state_size = self.bits + 1
        self.view_dtype = np.int8
        self.state_dtype = [np.int8] * self.bits + [np.float32]
        self.graph = np.eye(self.num_agents, k=1, dtype=bool)
        super().__init__()

    def reset(self, key: chex.PRNGKey) -> tuple[WhisperState, TimeStep[Observation]]:
        """Draws the secret uniformly."""
        state = WhisperState(
            secret=jax.random.randint(key, (), 0, self.num_actions, jnp.int32),
            answer=jnp.full((), -1, jnp.int32),
            step_count=jnp.zeros((), jnp.int32),
        )
        return state, restart(self.get_observation(state), {"won": jnp.zeros((), bool)})

    def step(self, state: WhisperState, action: jax.Array) -> tuple[WhisperState, TimeStep[Observation]]:
        """Goes on, and at the last step asks the last agent, of `action` [N] int32."""
        state = WhisperState(state.secret, jnp.asarray(action[-1], jnp.int32), state.step_count + 1)
        over = state.step_count >= self.horizon
        won = over & (state.answer == state.secret)
        return state, timestep(
            self.get_observation(state), jnp.where(won, 1.0, 0.0), terminal=over, extras={"won": won}
        )

    def get_observation(self, state: WhisperState) -> Observation:
        """What every agent sees in `state`, and the global state."""
        bits = (state.secret >> np.arange(self.bits)[::-1]) & 1
        signs = 2.0 * bits - 1.0
        is_first, is_last = np.arange(self.num_agents) == 0, np.arange(self.num_agents) == self.num_agents - 1
        can_act = is_last[:, None] | (np.arange(self.num_actions) == 0)  # [N, A]
        everything = jnp.append(signs, state.step_count / self.horizon)
        return self.observe(signs * is_first[:, None], everything, state.step_count, action_mask=can_act)

    def draw(self, axes: Any, state: WhisperState) -> None:
        """Draws the row of agents, the secret above the first and the latest answer above the last."""
        for agent in range(self.num_agents):
            shapes.draw_agent(axes, 1.2 * agent, 0, agent)
            if agent:
                ends = {"xy": (1.2 * agent - 0.35, 0), "xytext": (1.2 * agent - 0.85, 0)}
                axes.annotate("", **ends, arrowprops={"arrowstyle": "-|>", "color": FAINT, "lw": 1.5})
        secret, answer, last = int(state.secret), int(state.answer), 1.2 * (self.num_agents - 1)
        style = {"ha": "center", "va": "bottom", "fontsize": 13, "family": "monospace"}
        axes.text(0, 0.45, self.action_names[secret], color=INK, **style)
        if answer >= 0:
            axes.text(last, 0.45, self.action_names[answer], color=RIGHT if answer == secret else WRONG, **style)
        caption = f"step {int(state.step_count)} of {self.horizon}"
        axes.text(last / 2, -0.6, caption, ha="center", va="top", color=INK, fontsize=9)
        shapes.clear(axes, (-0.8, last + 0.8), (-1.1, 1.1))
