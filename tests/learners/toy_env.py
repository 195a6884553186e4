"""A task in which everything is drawn at reset, so that a test knows what must come out of every step."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from marlcomm.envs.api import Environment, restart, timestep

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

    num_agents, num_actions, observation_size, state_size, horizon = AGENTS, ACTIONS, VIEW, STATE, HORIZON

    def reset(self, key):
        keys = jax.random.split(key, 8)
        t, n, a = HORIZON + 1, AGENTS, ACTIONS
        always = jax.nn.one_hot(jax.random.randint(keys[0], (t, n), 0, a), a, dtype=bool)
        state = ToyState(
            view=jax.random.normal(keys[1], (t, n, VIEW)),
            mask=always | (jax.random.uniform(keys[2], (t, n, a)) < 0.4),
            world=jax.random.normal(keys[3], (t, STATE)),
            alive=jnp.arange(t)[:, None] < jax.random.randint(keys[4], (n,), 1, 2 * t),
            reward=jax.random.normal(keys[5], (HORIZON, n)),
            length=jax.random.randint(keys[6], (), 1, HORIZON + 1),
            truncated=jax.random.uniform(keys[7]) < 0.5,
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
