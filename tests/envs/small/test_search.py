"""Independent search against its exact optimum."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from exhaustive import all_outcomes

from marlcomm.envs.small.search import Search, SearchState


def test_optimum_is_96():
    env = Search()
    cells = list(itertools.product(range(5), repeat=2))
    positions = np.array(list(itertools.product(cells, repeat=2)), np.int32)  # [625, N, 2]
    states = SearchState(jnp.asarray(positions), jnp.zeros((625,), jnp.int32))
    _, after, steps = all_outcomes(env, states)
    following = after.position.reshape(625, 25, 4) @ np.array([125, 25, 5, 1])
    reward = steps.reward.astype(float).mean(-1)
    value = np.zeros(625)
    for _ in range(env.horizon):
        value = (reward + value[following]).max(axis=1)
    assert env.horizon == 100
    assert value.mean() == 96.0


def test_reward_is_for_the_cell_before_the_move():
    env = Search(steps=2)
    state = SearchState(jnp.array([[0, 0], [0, 0]], jnp.int32), jnp.zeros((), jnp.int32))
    state, step = env.step(state, jnp.array([2, 0]))
    np.testing.assert_array_equal(step.reward, [1.0, 0.0])  # left the landmark only after being paid
    state, step = env.step(state, jnp.array([0, 0]))
    np.testing.assert_array_equal(step.reward, [0.0, 0.0])
    assert step.last()
    assert step.discount == 0
    assert "won" not in step.extras


@pytest.mark.parametrize(("options", "field"), [({"size": 1}, "size=1"), ({"steps": 0}, "steps=0")])
def test_options_are_checked(options, field):
    with pytest.raises(ValueError, match=field):
        Search(**options)
