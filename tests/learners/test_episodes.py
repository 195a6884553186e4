"""What is left of episodes after their end, where they are played and where they are learned from."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from toy_env import ACTIONS, AGENTS, HORIZON, Toy

from marlcomm.learners import collect
from marlcomm.learners.episodes import empty_episode, without_padding
from marlcomm.types import Episodes

ENVS = 24


class Spoilt(Toy):
    """Gives numbers as long as an episode lasts: what is seen at and after the task's own end is not one."""

    def step(self, state, action):
        over = state.time >= state.length  # before this step
        state, now = super().step(state, action)
        over = over | (now.last() & (now.discount == 0))
        seen, junk = now.observation, jnp.where(over, jnp.nan, 0.0)
        seen = seen._replace(agents_view=seen.agents_view + junk, global_state=seen.global_state + junk)
        reward = jnp.where(state.time > state.length, jnp.nan, now.reward)
        return state, now.replace(observation=seen, reward=reward)


def test_neither_policy_nor_episodes_see_what_is_not_a_number():
    def policy(observation, memory, key):
        return jnp.zeros((ENVS, AGENTS), jnp.int32), memory, observation.agents_view

    def play(env):
        return jax.jit(lambda key: collect(env, policy, None, ENVS, key)[:2])(jax.random.PRNGKey(0))

    episodes, saw = jax.tree.map(np.asarray, play(Spoilt()))
    for name, array in episodes._asdict().items():
        assert np.isfinite(array).all(), name
    assert np.isfinite(saw).all()
    whole, _ = jax.tree.map(np.asarray, play(Toy()))
    steps = np.arange(HORIZON + 1)
    real = steps < whole.valid.sum(1)[:, None]
    np.testing.assert_array_equal(episodes.agents_view[real], whole.agents_view[real])
    assert not episodes.agents_view[:, 1:][~whole.valid].any()
    assert not episodes.reward[~whole.valid].any()


def test_what_was_seen_last_is_kept_where_an_episode_was_cut_and_where_it_is_finite():
    one = Episodes(*(jnp.ones((1, *x.shape), x.dtype) for x in empty_episode(Toy().task_spec)))
    valid = jnp.arange(HORIZON)[None] < 2
    views = one.agents_view.at[:, 2, 0, 0].set(jnp.nan)
    cut = without_padding(one._replace(valid=valid, terminal=~valid, agents_view=views), ACTIONS)
    ended = without_padding(one._replace(valid=valid, terminal=valid.at[:, 0].set(False), agents_view=views), ACTIONS)
    assert np.isnan(cut.agents_view[0, 2, 0, 0]), "real, and so the guard's to judge"
    assert ended.agents_view[0, 2, 0, 0] == 0
    assert ended.agents_view[0, 2, 0, 1] == 1
    for episodes in (cut, ended):
        assert not episodes.agents_view[0, 3:].any()
        assert not episodes.global_state[0, 3:].any()
        assert episodes.reward[0].sum() == 2 * AGENTS
        assert not episodes.terminal[0, 2:].any()


def test_actions_after_the_end_are_possible_ones():
    like = empty_episode(Toy().task_spec)
    one = jax.tree.map(lambda x: x[None], like)
    actions = jnp.full_like(one.action, -7).at[:, 3:].set(99)
    found = without_padding(one._replace(action=actions), ACTIONS).action
    assert set(np.unique(found)) == {0, ACTIONS - 1}
