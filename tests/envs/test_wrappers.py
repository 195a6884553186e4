"""Wrappers change what they say and nothing else."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.envs import Centralized, FullObservation, TimeLimit, check_env, make_env
from marlcomm.envs.small.maze import Maze


def test_full_observation_shows_everyone_everything():
    env, plain = FullObservation(make_env("sensor")), make_env("sensor")
    _, step = jax.jit(env.reset)(jax.random.key(3))
    _, expected = jax.jit(plain.reset)(jax.random.key(3))
    assert env.observation_size == 6
    everything = expected.observation.agents_view.ravel()
    np.testing.assert_array_equal(step.observation.agents_view, [everything] * 3)
    np.testing.assert_array_equal(step.observation.global_state, expected.observation.global_state)
    assert type(env.unwrapped) is type(plain)


def test_centralized_plays_every_joint_action():
    plain = make_env("sensor")
    env = Centralized(plain)
    state, _ = jax.jit(plain.reset)(jax.random.key(0))
    joint = np.array(list(itertools.product(range(5), repeat=3)), np.int32)
    _, one = jax.jit(jax.vmap(env.step, (None, 0)))(state, jnp.arange(125)[:, None])
    _, many = jax.jit(jax.vmap(plain.step, (None, 0)))(state, jnp.asarray(joint))
    assert env.num_actions == 125
    np.testing.assert_allclose(one.reward[:, 0], many.reward.mean(axis=1))
    assert env.action_names[7] == "north + scan lower + south"


def test_centralized_mask_is_the_product():
    env = Centralized(make_env("matrix_game"))
    _, step = jax.jit(env.reset)(jax.random.key(0))
    np.testing.assert_array_equal(step.observation.action_mask, [[True, False, True, False]])


def test_centralized_mean_reward():
    env = Centralized(make_env("search"))
    state, _ = jax.jit(env.reset)(jax.random.key(0))
    state = state._replace(position=jnp.array([[0, 0], [0, 0]]))
    _, step = jax.jit(env.step)(state, jnp.array([0]))
    np.testing.assert_array_equal(step.reward, [0.5])


def test_centralized_refuses_too_many_actions():
    with pytest.raises(ValueError, match="8 agents with 5 actions each have 390625 joint actions"):
        Centralized(_ManyAgents())


class _ManyAgents(Maze):
    num_agents = 8


def test_time_limit_truncates():
    env = TimeLimit(make_env("search"), 2)
    state, _ = jax.jit(env.reset)(jax.random.key(0))
    state, step = jax.jit(env.step)(state, jnp.array([0, 0]))
    assert not step.last()
    state, step = jax.jit(env.step)(state, jnp.array([0, 0]))
    assert step.last()
    assert step.discount == 1
    assert env.horizon == 2
    assert env.observation_spec.step_count.maximum == 2


def test_time_limit_leaves_the_tasks_own_end():
    env = TimeLimit(make_env("sensor"), 1)
    state, _ = jax.jit(env.reset)(jax.random.key(0))
    _, step = jax.jit(env.step)(state, jnp.array([4, 4, 4]))
    assert step.last()
    assert step.discount == 0


@pytest.mark.parametrize("wrap", [Centralized, lambda env: FullObservation(TimeLimit(env, 2))])
def test_wrapped_tasks_pass(wrap):
    assert check_env(wrap(make_env("maze")), episodes=2) is None


def test_time_limit_checks_its_steps():
    with pytest.raises(ValueError, match="steps=0"):
        TimeLimit(make_env("maze"), 0)


def test_a_task_that_a_driver_plays_is_not_wrapped():
    task = make_env("hallway")
    task.driver = object()
    with pytest.raises(ValueError, match="is played by its driver: FullObservation"):
        FullObservation(task)
