"""Tasks of jumanji keep our contract."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jumanji.environments import Cleaner, Connector, Game2048

from marlcomm.envs import JumanjiAdapter, StepType, check_env, make_env


def test_lbf_passes_and_time_is_a_truncation():
    env = make_env("lbf", grid_size=6, num_food=1, time_limit=4)
    check_env(env, episodes=2)
    state, _ = jax.jit(env.reset)(jax.random.key(0))
    almost = state._replace(inner=state.inner.replace(step_count=jnp.array(3)))
    _, step = jax.jit(env.step)(almost, jnp.array([0, 0]))
    assert step.last()
    assert step.discount == 1
    food = state.inner.food_items.replace(eaten=jnp.array([True]))
    eaten = almost._replace(inner=almost.inner.replace(food_items=food))
    _, step = jax.jit(env.step)(eaten, jnp.array([0, 0]))
    assert step.extras["won"]
    assert step.discount == 0  # done at the very last step: jumanji says so, and is believed


def test_lbf_shares_rewards():
    shared, own = (make_env("lbf", grid_size=6, num_food=1, share_reward=share) for share in (True, False))
    state, _ = jax.jit(own.reset)(jax.random.key(0))
    food = state.inner.food_items.position[0]
    beside = jnp.stack([food + jnp.array([0, 1]), food + jnp.array([0, -1])])
    state = state._replace(inner=state.inner.replace(agents=state.inner.agents.replace(position=beside)))
    load = jnp.array([5, 5])
    rewards = [jax.jit(env.step)(state, load)[1].reward for env in (shared, own)]
    np.testing.assert_allclose(rewards[0], [1.0, 1.0])
    assert float(rewards[1].sum()) == pytest.approx(1.0)


@pytest.mark.slow
def test_rware_passes():
    assert check_env(make_env("rware", column_height=2, time_limit=3), episodes=2) is None


def test_rware_time_is_a_truncation():
    env = make_env("rware", column_height=2, time_limit=3)
    state, first = jax.jit(env.reset)(jax.random.key(0))
    almost = state._replace(inner=state.inner.replace(step_count=jnp.array(2)))
    _, step = jax.jit(env.step)(almost, jnp.array([0, 0]))
    assert step.last()
    assert step.discount == 1
    np.testing.assert_array_equal(first.observation.global_state, first.observation.agents_view.ravel())


@pytest.mark.parametrize("other", [Connector, Cleaner])
def test_a_view_can_be_given(other):
    with pytest.raises(ValueError, match="and no agents_view; pass view="):
        JumanjiAdapter(other())
    agents = other().action_spec.shape[0]
    env = JumanjiAdapter(other(), view=lambda seen: jnp.broadcast_to(seen.grid, (agents, *seen.grid.shape)))
    assert (env.num_agents, env.observation_size) == (agents, 100)
    assert env.state_size == agents * 100
    assert env.horizon == env.unwrapped.time_limit


def test_actions_must_be_one_an_agent():
    with pytest.raises(ValueError, match="one discrete action an agent"):
        JumanjiAdapter(Game2048())


@pytest.mark.parametrize("shape", [(6, 6), (4, 3, 2), ()])
def test_views_must_have_one_row_an_agent(shape):
    complaint = r"views of Cleaner have the shape .*; the first axis must be the 3 agents"
    with pytest.raises(ValueError, match=complaint):  # [6, 6] can be dealt out to three, and must not be
        JumanjiAdapter(Cleaner(), view=lambda seen: jnp.zeros(shape))


def test_nothing_is_passed_on_after_the_end():
    class Broken(Cleaner):
        """Gives no numbers and allows nothing once it is over."""

        def step(self, state, action):
            over = state.step_count >= 2
            state, step = super().step(state, action)
            seen = step.observation
            step.observation = seen._replace(
                grid=jnp.where(over, jnp.nan, seen.grid.astype(jnp.float32)), action_mask=seen.action_mask & ~over
            )
            step.reward = jnp.where(over, jnp.nan, step.reward)
            step.step_type = jnp.where(state.step_count >= 2, StepType.LAST, step.step_type)
            step.extras = {"share": jnp.where(over, jnp.nan, 1.0)}
            return state, step

        def reset(self, key):
            state, step = super().reset(key)
            step.observation = step.observation._replace(grid=step.observation.grid.astype(jnp.float32))
            step.extras = {"share": jnp.ones(())}
            return state, step

    agents = Cleaner().action_spec.shape[0]
    env = JumanjiAdapter(Broken(), view=lambda seen: jnp.broadcast_to(seen.grid, (agents, *seen.grid.shape)), horizon=5)
    check_env(env, episodes=2)
    state, step = jax.jit(env.reset)(jax.random.key(0))
    step_once = jax.jit(env.step)
    for time in range(1, 5):
        state, step = step_once(state, jnp.argmax(step.observation.action_mask, axis=1))
        assert np.isfinite(step.observation.agents_view).all()
        assert step.observation.agents_view.any() == (time <= 2)
        assert step.observation.action_mask.any(axis=1).all()
        assert float(step.extras["share"]) == (time <= 2)
        assert step.last() == (time >= 2)


@pytest.mark.parametrize("make_key", [jax.random.key, jax.random.PRNGKey])
def test_keys_of_either_kind_begin_an_episode_and_go_on(make_key):
    env = make_env("lbf", grid_size=6, num_food=1)
    state, _ = jax.eval_shape(env.reset, make_key(0))
    later, _ = jax.eval_shape(env.step, state, jnp.zeros(env.num_agents, jnp.int32))
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), later) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), state
    )
