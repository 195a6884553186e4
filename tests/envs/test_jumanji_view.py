"""Our tasks as environments of jumanji, under its wrappers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jumanji.env import Environment as JumanjiEnvironment
from jumanji.types import StepType, TimeStep
from jumanji.wrappers import AutoResetWrapper, VmapWrapper

from marlcomm.envs import make_env


@pytest.mark.parametrize("name", ["hallway", "navigation"])
def test_it_is_jumanjis(name):
    env = make_env(name)
    view = env.to_jumanji()
    assert isinstance(view, JumanjiEnvironment)
    assert repr(env) in repr(view)
    state, first = jax.jit(view.reset)(jax.random.key(0))
    assert isinstance(first, TimeStep)
    _, later = jax.jit(view.step)(state, view.action_spec.generate_value())
    for step in (first, later):
        view.observation_spec.validate(step.observation)
        view.reward_spec.validate(step.reward)
        view.discount_spec.validate(step.discount)
        assert step.step_type.dtype == StepType.FIRST.dtype


def test_episodes_are_those_of_the_task_and_begin_anew():
    task = make_env("hallway", lengths=(1, 2))
    env = AutoResetWrapper(task.to_jumanji(), next_obs_in_extras=True)
    state, first = jax.jit(env.reset)(jax.random.key(3))
    key = jax.random.split(jax.random.key(3))[0]
    np.testing.assert_array_equal(first.observation.agents_view, task.reset(key)[1].observation.agents_view)
    for _ in range(2):  # to the goal, one by one: the near agent arrives alone, and the team loses at once, or wins
        before = state
        state, step = jax.jit(env.step)(state, jnp.array([1, 1]))
        assert step.last()
        assert step.extras["next_obs"].step_count == 1
        assert step.observation.step_count == 0
        assert (jax.random.key_data(state.key) != jax.random.key_data(before.key)).any()


def test_many_at_once():
    env = VmapWrapper(make_env("hallway").to_jumanji())
    _, step = jax.jit(env.reset)(jax.random.split(jax.random.key(0), 3))
    assert step.observation.agents_view.shape == (3, 2, 1)
