"""Maze against its exact values, by dynamic programming over the task's own step."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from exhaustive import all_outcomes

from marlcomm.envs.small.maze import Maze, MazeState

CELLS = np.array(list(itertools.product(range(4), repeat=2)), np.int32)
PAIRS = np.array(list(itertools.product(CELLS, repeat=2)), np.int32)  # [256, N, 2]


def best_values(env):
    """[256] the best return from each pair of starts with full information."""
    states = MazeState(jnp.asarray(PAIRS), jnp.zeros((256,), jnp.int32))
    _, after, steps = all_outcomes(env, states)
    following = after.position.reshape(256, -1, 4) @ np.array([64, 16, 4, 1])
    reward, value = steps.reward.mean(-1), np.zeros(256)
    for _ in range(env.horizon):
        value = (reward + steps.discount * value[following]).max(axis=1)
    return value


@pytest.mark.parametrize("stay", [True, False])
def test_full_information(stay):
    assert best_values(Maze(stay=stay)).mean() == pytest.approx(0.390625 + 0.5625 * 0.5)


def test_without_messages():
    """Over all choices of a landmark by each agent's own start; the second agent answers the first's best."""
    high = best_values(Maze(reward_low=0.0)).reshape(16, 16)
    low = best_values(Maze(reward_high=0.0, reward_low=1.0)).reshape(16, 16)
    assert high.mean() == 0.390625
    assert low.mean() == pytest.approx(0.878906, abs=1e-6)
    goes_high = np.array(list(itertools.product((0.0, 1.0), repeat=16)))  # [2^16, 16]
    for reward_low, optimum in ((0.5, 0.4609), (0.25, 0.4258), (0.8, 0.7070)):
        value = np.maximum(goes_high @ high, reward_low * (1 - goes_high) @ low).sum(axis=1) / 256
        assert value.max() == pytest.approx(optimum, abs=5e-5)
        env = Maze(reward_low=reward_low)
        assert env.best_returns() == pytest.approx((value.max(), best_values(env).mean()), rel=1e-6)
    assert Maze(steps=4).best_returns() is None


def test_ends_on_success_and_in_time():
    env = Maze(clock=True)
    state = MazeState(jnp.array([[0, 1], [1, 0]], jnp.int32), jnp.zeros((), jnp.int32))
    _, step = env.step(state, jnp.array([3, 1]))
    np.testing.assert_array_equal(step.reward, [1.0, 1.0])
    assert step.extras["won"]
    assert step.last()
    later, step = env.step(state, jnp.array([4, 4]))
    assert not step.last()
    np.testing.assert_allclose(step.observation.agents_view, [[0, 1 / 3, 1 / 3], [1 / 3, 0, 1 / 3]])
    _, step = env.step(later._replace(step_count=jnp.array(2)), jnp.array([4, 4]))
    assert step.last()
    assert step.discount == 0
    assert not step.extras["won"]


@pytest.mark.parametrize(("options", "field"), [({"steps": 0}, "steps=0"), ({"stay": 1}, "stay=1")])
def test_options_are_checked(options, field):
    with pytest.raises(ValueError, match=field):
        Maze(**options)
