"""A task in which everything is drawn at reset, so that a test knows what must come out of every step."""

from itertools import accumulate
from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp

from marlcomm.envs import Environment, restart, timestep

AGENTS, ACTIONS, VIEW, STATE, HORIZON = 3, 4, 2, 2, 5


class ToyState(NamedTuple):
    """The script of an episode, and how far it is; steps after the end go on to show garbage."""

    view: jax.Array  # [T+1, N, O]
    mask: jax.Array  # [T+1, N, A]
    world: jax.Array  # [T+1, S]
    alive: jax.Array  # [T+1, N]
    reward: jax.Array  # [T, N], another for each agent
    length: jax.Array  # [] 1 .. T
    truncated: jax.Array  # [] whether a limit ends the episode, not the task
    time: jax.Array  # []


class Toy(Environment[ToyState]):
    """Ends after 1 .. T steps, by the task or by a limit; agents die; masks change at every step."""

    def __init__(self, num_agents=AGENTS, num_actions=ACTIONS):
        self.num_agents, self.num_actions = num_agents, num_actions
        self.observation_size, self.state_size, self.horizon = VIEW, STATE, HORIZON
        super().__init__()

    def reset(self, key):
        t, n, a = HORIZON + 1, self.num_agents, self.num_actions
        shapes = [(t, n, VIEW), (t, n, a), (t, n, 1), (t, STATE), (n,), (HORIZON, n), (), ()]
        drawn = iter(jnp.split(jax.random.uniform(key, (sum(map(prod, shapes)),)), _ends(shapes)))
        view, mask, always, world, death, reward, length, truncated = (next(drawn).reshape(shape) for shape in shapes)
        state = ToyState(
            view=4 * view - 2,
            mask=(mask < 0.4) | (jnp.floor(always * a) == jnp.arange(a)),
            world=4 * world - 2,
            alive=jnp.arange(t)[:, None] < 1 + jnp.floor(death * 2 * HORIZON),
            reward=4 * reward - 2,
            length=1 + jnp.floor(length * HORIZON).astype(jnp.int32),
            truncated=truncated < 0.5,
            time=jnp.int32(0),
        )
        return state, restart(self._look(state))

    def step(self, state, action):
        reward = state.reward[state.time]
        state = state._replace(time=state.time + 1)
        over = state.time >= state.length
        return state, timestep(
            self._look(state), reward, over & ~state.truncated, over & state.truncated, {"won": over}
        )

    def _look(self, state):
        t = state.time
        return self.observe(state.view[t], state.world[t], t, state.mask[t], state.alive[t])


class ContinuousToy(Toy):
    """The toy task, whose agents give numbers."""

    continuous = True


def _ends(shapes):
    return list(accumulate(map(prod, shapes)))[:-1]
