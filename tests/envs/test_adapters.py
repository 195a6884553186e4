"""Tasks of jumanji and JaxMARL keep our contract."""

from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jumanji.environments import Cleaner, Connector, Game2048
from jumanji.types import StepType

from marlcomm.envs import JaxMARLAdapter, JumanjiAdapter, adapters, check_env, make_env


def test_lbf_passes_and_time_is_a_truncation():
    env = make_env("lbf", grid_size=6, num_food=1, time_limit=4)
    check_env(env, episodes=2)
    state, _ = jax.jit(env.reset)(jax.random.key(0))
    almost = state.replace(step_count=jnp.array(3))
    _, step = jax.jit(env.step)(almost, jnp.array([0, 0]))
    assert step.last()
    assert step.discount == 1
    eaten = almost.replace(food_items=state.food_items.replace(eaten=jnp.array([True])))
    _, step = jax.jit(env.step)(eaten, jnp.array([0, 0]))
    assert step.extras["won"]
    assert step.discount == 0  # done at the very last step: jumanji says so, and is believed


def test_lbf_shares_rewards():
    shared, own = (make_env("lbf", grid_size=6, num_food=1, share_reward=share) for share in (True, False))
    state, _ = jax.jit(own.reset)(jax.random.key(0))
    food = state.food_items.position[0]
    beside = jnp.stack([food + jnp.array([0, 1]), food + jnp.array([0, -1])])
    state = state.replace(agents=state.agents.replace(position=beside))
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
    _, step = jax.jit(env.step)(state.replace(step_count=jnp.array(2)), jnp.array([0, 0]))
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


class FakeState(NamedTuple):
    step: Any
    dead: Any


class FakeJaxMARL:
    """As JaxMARL: names for agents, dictionaries, sizes that differ, everyone done at the end."""

    agents = ("scout", "tank")
    max_steps = 5

    def __init__(self, ends_at=9):
        self.ends_at = ends_at

    def action_space(self, name):
        return SimpleNamespace(n={"scout": 2, "tank": 3}[name])

    def look(self, state):
        return {"scout": jnp.ones((2, 2)) * state.step, "tank": jnp.ones((3,))}

    def reset(self, key):
        state = FakeState(jnp.zeros((), jnp.int32), jnp.zeros((), bool))
        return self.look(state), state

    def step(self, key, state, actions):
        raise AssertionError("resets by itself")

    def step_env(self, key, state, actions):
        state = FakeState(state.step + 1, state.dead | (actions["scout"] == 1))
        done = (state.step >= self.max_steps) | (state.step >= self.ends_at)
        dones = {"scout": state.dead | done, "tank": done, "__all__": done}
        return self.look(state), state, {"scout": 1.0, "tank": 3.0}, dones, {}

    def get_avail_actions(self, state):
        return {"scout": jnp.ones((2,)) * ~state.dead, "tank": jnp.array([1, 0, 1])}


def test_jaxmarl_is_padded_and_masked():
    env = JaxMARLAdapter(FakeJaxMARL())
    check_env(env, episodes=2)
    state, step = jax.jit(env.reset)(jax.random.key(0))
    sizes = (env.num_agents, env.num_actions, env.observation_size, env.state_size, env.horizon)
    assert sizes == (2, 3, 4, 8, 5)
    np.testing.assert_array_equal(step.observation.action_mask, [[True, True, False], [True, False, True]])
    np.testing.assert_array_equal(step.observation.agents_view, [[0, 0, 0, 0], [1, 1, 1, 0]])
    state, step = jax.jit(env.step)(state, jnp.array([1, 0]))
    np.testing.assert_array_equal(step.reward, [1.0, 3.0])
    np.testing.assert_array_equal(step.observation.alive, [False, True])
    np.testing.assert_array_equal(step.observation.action_mask, [[True, False, False], [True, False, True]])


@pytest.mark.parametrize(("ends_at", "steps", "discount"), [(2, 2, 0.0), (9, 5, 1.0)])
def test_jaxmarl_ends(ends_at, steps, discount):
    env = JaxMARLAdapter(FakeJaxMARL(ends_at))
    state, _ = jax.jit(env.reset)(jax.random.key(0))
    kinds = []
    for _ in range(steps):
        state, step = jax.jit(env.step)(state, jnp.array([0, 0]))
        kinds.append(int(step.step_type))
    assert kinds == [int(StepType.MID)] * (steps - 1) + [int(StepType.LAST)]
    assert step.discount == discount
    assert step.observation.alive.all()  # done is not dead


def test_jaxmarl_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jaxmarl", None)
    with pytest.raises(ImportError, match=r'pip install "marlcomm\[jaxmarl\]"'):
        make_env("jaxmarl", env="MPE_simple_spread_v3")
    with pytest.raises(ValueError, match=r"options \['num_agents'\] go with a name"):
        JaxMARLAdapter(FakeJaxMARL(), num_agents=3)
    monkeypatch.setattr(FakeJaxMARL, "action_space", lambda self, name: "Box(2)")
    with pytest.raises(ValueError, match="scout of FakeJaxMARL has the action space Box"):
        JaxMARLAdapter(FakeJaxMARL())


def test_jaxmarl_by_name(monkeypatch):
    module = SimpleNamespace(make=lambda name, ends_at: FakeJaxMARL(ends_at))
    monkeypatch.setattr(adapters, "_import_jaxmarl", lambda: module)
    assert make_env("jaxmarl", env="fake", ends_at=3, horizon=4).horizon == 4
