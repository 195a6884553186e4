"""Independent learners whose agents die: what they expect of a death."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import pytest

import marlcomm as mc
from marlcomm.algorithms.optimizers import adam
from marlcomm.envs import Environment, restart, timestep


class HeirState(NamedTuple):
    time: jax.Array


class Heir(Environment[HeirState]):
    """Agent 0 earns 1 at its first step and dies of it; agent 1 earns 5 at each of six steps."""

    num_agents, num_actions, observation_size, state_size, horizon = 2, 2, 1, 1, 6

    def reset(self, key):
        state = HeirState(jnp.int32(0))
        return state, restart(self._look(state))

    def step(self, state, action):
        reward = jnp.stack([jnp.where(state.time == 0, 1.0, 0.0), 5.0])
        state = HeirState(state.time + 1)
        return state, timestep(self._look(state), reward, state.time == self.horizon)

    def _look(self, state):
        share = state.time / self.horizon
        return self.observe(jnp.full((2, 1), share), share[None], state.time, alive=jnp.stack([share == 0, True]))


@pytest.mark.parametrize("seed", range(2))
def test_what_follows_a_death_is_worth_what_it_gives(seed):
    """Exactly 1 for agent 0 (values of the dead that nobody teaches made it -15); and 30 less discount for agent 1."""
    sizes = {"hidden": 16, "num_envs": 2, "batch_episodes": 4, "replay_episodes": 8, "target_interval": 10}
    algorithm = mc.iql(Heir(), learning_rate=0.01, discount=0.9, optimizer=adam, paper=True, **sizes)

    @jax.jit
    def train(key):
        state = algorithm.init(key)
        state, _ = jax.lax.scan(lambda state, _: (algorithm.step(state)[0], None), state, None, length=800)
        return algorithm.play(state.params, key)[1].scores[0, 0].max(-1)

    first, second = train(jax.random.PRNGKey(seed)).tolist()
    assert first == pytest.approx(1.0, abs=0.15)
    assert second == pytest.approx(5 * (1 - 0.9**6) / (1 - 0.9), abs=0.5)
