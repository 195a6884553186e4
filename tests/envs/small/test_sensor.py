"""Sensor against its exact values, from every joint action of the task's own step."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from exhaustive import all_outcomes

from marlcomm.envs.small.sensor import NOOP, SCAN_HIGHER, SCAN_LOWER, Sensor, SensorState

N_ACTIONS = 5


@pytest.fixture(scope="module")
def rewards():
    """[target, action of each sensor] team reward."""
    env = Sensor()
    states = SensorState(jnp.array([False, True]), jnp.full((2, 3), NOOP, jnp.int32), jnp.zeros((2,), jnp.int32))
    _, _, steps = all_outcomes(env, states)
    assert (steps.discount == 0).all()
    assert (steps.extras["won"] == (steps.reward[..., 0] > 0)).all()
    views = steps.observation.agents_view[:, 0]
    np.testing.assert_array_equal(views[0], [[-1, 1], [1, 0], [0, -1]])
    np.testing.assert_array_equal(views[1], [[-1, 1], [1, 1], [1, -1]])
    np.testing.assert_array_equal(steps.observation.global_state[:, 0], views[:, 1])
    return steps.reward.mean(-1).reshape(2, N_ACTIONS, N_ACTIONS, N_ACTIONS)


def test_full_information_is_worth_15(rewards):
    assert rewards.reshape(2, -1).max(axis=1).tolist() == [10.0, 20.0]


def test_without_messages_one_policy_reaches_12_5(rewards):
    values = {}
    informed = list(itertools.product(range(N_ACTIONS), repeat=2))  # an action for each value of the target
    for first, second, third in itertools.product(range(N_ACTIONS), informed, informed):
        values[first, second, third] = np.mean([rewards[t, first, second[t], third[t]] for t in (0, 1)])
    best = max(values.values())
    assert best == 12.5
    assert [policy for policy, value in values.items() if value == best] == [
        (SCAN_HIGHER, (SCAN_LOWER, SCAN_HIGHER), (NOOP, SCAN_LOWER))
    ]
    assert max(value for policy, value in values.items() if policy[0] == NOOP) == 10.0
    assert Sensor().best_returns() == (best, rewards.reshape(2, -1).max(axis=1).mean())


def test_best_returns_of_other_rewards():
    """Where scanning both areas is worth it, and where nothing is."""
    assert Sensor(scan_cost=0.0).best_returns() == (25.0, 25.0)
    assert Sensor(reward_area2=60.0).best_returns() == (0.5 * (10 + 45), 30.0)
    assert Sensor(scan_cost=100.0).best_returns() == (0.0, 0.0)


def test_random_and_idle(rewards):
    assert rewards.mean() == pytest.approx(-10.6, abs=1e-4)
    assert (rewards[:, NOOP, NOOP, NOOP] == 0).all()
    assert rewards[1].max() == 30 - 2 * 5  # so the two areas are never located together (50 - 3 * 5)


def test_options_are_checked():
    with pytest.raises(ValueError, match="scan_cost=nan must be a finite number"):
        Sensor(scan_cost=float("nan"))
