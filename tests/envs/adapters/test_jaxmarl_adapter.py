"""Tasks of JaxMARL keep our contract: one of our own in its manner, and all that it registers."""

import json
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.envs import JaxMARLAdapter, StepType, check_env, draw_frame, make_env
from marlcomm.envs.adapters import jaxmarl_tasks
from marlcomm.envs.adapters.jaxmarl_tasks import PLAYED, REFUSED


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


def test_jaxmarl_by_name(monkeypatch):
    module = SimpleNamespace(make=lambda name, ends_at: FakeJaxMARL(ends_at), registered_envs=["fake"])
    monkeypatch.setattr(jaxmarl_tasks, "import_jaxmarl", lambda: module)
    assert make_env("jaxmarl", env="fake", ends_at=3, horizon=4).horizon == 4


@pytest.mark.parametrize(
    ("space", "complaint"),
    [
        (SimpleNamespace(shape=(2,), low=-np.inf, high=np.inf), "within finite limits"),
        (SimpleNamespace(shape=(2, 2), low=0.0, high=1.0), "one row of numbers"),
        ("Text(3)", "must be discrete, or one row of numbers"),
    ],
)
def test_action_spaces_that_cannot_be(monkeypatch, space, complaint):
    monkeypatch.setattr(FakeJaxMARL, "action_space", lambda self, name: space)
    with pytest.raises(ValueError, match=rf"scout of FakeJaxMARL has the action space .*{complaint}"):
        JaxMARLAdapter(FakeJaxMARL())
    mixed = {"scout": SimpleNamespace(n=2), "tank": SimpleNamespace(shape=(2,), low=0.0, high=1.0)}
    monkeypatch.setattr(FakeJaxMARL, "action_space", lambda self, name: mixed[name])
    with pytest.raises(ValueError, match=r"tank of FakeJaxMARL .*all must be discrete, or none"):
        JaxMARLAdapter(FakeJaxMARL())


class Numbers(FakeJaxMARL):
    """Takes numbers of different ranges, pays what it was given, and has weak types that change after a step."""

    def action_space(self, name):
        return {
            "scout": SimpleNamespace(shape=(1,), low=0.0, high=1.0),
            "tank": SimpleNamespace(shape=(2,), low=jnp.array([-2.0, 10.0]), high=jnp.array([2.0, 30.0])),
        }[name]

    def reset(self, key):
        state = FakeState(0.0, jnp.zeros((), bool))
        return self.look(state), state

    def step_env(self, key, state, actions):
        state = FakeState(jnp.asarray(state.step, jnp.float32) + 1, state.dead)
        done = state.step >= self.max_steps
        rewards = {"scout": actions["scout"][0], "tank": actions["tank"].sum()}
        return self.look(state), state, rewards, {"scout": done, "tank": done, "__all__": done}, {}

    get_avail_actions = None


def test_numbers_are_stretched_to_what_is_asked_for():
    env = JaxMARLAdapter(Numbers())
    check_env(env, episodes=2)
    assert (env.continuous, env.num_actions) == (True, 2)
    state, first = jax.jit(env.reset)(jax.random.key(0))
    np.testing.assert_array_equal(first.observation.action_mask, [[True, False], [True, True]])
    _, step = jax.jit(env.step)(state, jnp.array([[-1.0, 0.7], [1.0, 0.0]]))
    np.testing.assert_allclose(step.reward, [0.0, 22.0], rtol=1e-6)
    _, step = jax.jit(env.step)(state, jnp.array([[0.5, 0.0], [-7.0, -1.0]]))  # beyond -1 is -1
    np.testing.assert_allclose(step.reward, [0.75, 8.0], rtol=1e-6)


class Afterlife(FakeJaxMARL):
    """Gives no numbers, and allows nothing, after its own end."""

    def look(self, state):
        return jax.tree.map(lambda row: jnp.where(state.step > self.ends_at, jnp.nan, row), super().look(state))

    def get_legal_moves(self, state):
        alive = state.step <= self.ends_at
        return {"scout": jnp.ones((2,)) * alive, "tank": jnp.array([1, 0, 1]) * alive}

    get_avail_actions = None


def test_nothing_is_passed_on_after_the_end_and_legal_moves_have_two_names():
    env = JaxMARLAdapter(Afterlife(ends_at=2), won=lambda inner, rewards: inner.step >= 2)
    check_env(env, episodes=2)
    state, first = jax.jit(env.reset)(jax.random.key(0))
    np.testing.assert_array_equal(first.observation.action_mask, [[True, True, False], [True, False, True]])
    step_once = jax.jit(env.step)
    for time in range(1, 6):
        state, step = step_once(state, jnp.array([0, 0]))
        assert bool(step.extras["won"]) == (time == 2)
        assert float(step.reward.sum()) == (4.0 if time <= 2 else 0.0)
    np.testing.assert_array_equal(step.observation.action_mask, [[True, True, False], [True, True, True]])


@pytest.mark.parametrize("env", [2, None, ("MPE_simple_spread_v3",)])
def test_what_is_no_environment_gets_a_sentence(env):
    with pytest.raises(ValueError, match="must be the name of a JaxMARL environment"):
        make_env("jaxmarl", env=env)


def test_mistakes_by_name_get_a_sentence():
    pytest.importorskip("jaxmarl")
    for options, complaint in (
        ({"env": "MPE_simple_spred_v3"}, "Did you mean 'MPE_simple_spread_v3'"),
        ({"env": "HeuristicEnemySMAX", "scenario": "2s3"}, "no scenario='2s3'. Did you mean '2s3z'"),
        ({"env": "overcooked", "layout": "cramped"}, "no layout='cramped'. Did you mean 'cramped_room'"),
        ({"env": "MPE_simple_spread_v3", "horizon": 0}, "horizon=0 must be a whole number"),
        ({"env": "hanabi", "agents": 3}, "hanabi cannot be made with"),
        ({"env": "switch_riddle", "horizn": 3}, "cannot be made with .*horizn"),
    ):
        with pytest.raises(ValueError, match=complaint):
            make_env("jaxmarl", **options)


def test_importing_it_prints_nothing_and_leaves_the_streams(capsys):
    pytest.importorskip("jaxmarl")
    import sys

    before = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    for name in [name for name in sys.modules if name.split(".")[0] == "jaxmarl"]:
        del sys.modules[name]
    jaxmarl_tasks.import_jaxmarl()
    assert (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__) == before
    assert capsys.readouterr().out == ""


def test_a_map_by_name_can_be_recorded_won_and_drawn():
    pytest.importorskip("jaxmarl")
    env = make_env("jaxmarl", env="HeuristicEnemySMAX", scenario="3m")
    assert json.loads(json.dumps(env.made_by)) == ["jaxmarl", {"env": "HeuristicEnemySMAX", "scenario": "3m"}]
    assert (env.num_agents, env.num_actions, env.horizon) == (3, 5 + 3, 100)
    state, first = jax.jit(env.reset)(jax.random.key(0))
    assert not first.extras["won"]
    battle = state.inner.state
    health = battle.unit_health.at[3:].set(0.0)  # the enemies, about to be counted as dead
    last_blow = state._replace(inner=state.inner.replace(state=battle.replace(unit_health=health)))
    _, step = jax.jit(env.step)(last_blow, jnp.array([4, 4, 4]))
    assert step.last()
    assert step.extras["won"]
    assert len(draw_frame(env, jax.device_get(state)).axes[0].patches) == 6 + 1  # units and the edge of the map


def test_a_map_as_an_object_is_played_but_not_recorded():
    smax = pytest.importorskip("jaxmarl.environments.smax")
    env = make_env("jaxmarl", env="HeuristicEnemySMAX", scenario=smax.map_name_to_scenario("3m"))
    assert env.num_agents == 3
    assert env.made_by is None


def test_hanabi_plays_by_the_rules():
    pytest.importorskip("jaxmarl")
    env = make_env("jaxmarl", env="hanabi", num_agents=2)
    state, first = jax.jit(env.reset)(jax.random.key(0))
    legal = env.unwrapped.get_legal_moves(state.inner)
    np.testing.assert_array_equal(first.observation.action_mask, [legal["agent_0"] > 0, legal["agent_1"] > 0])
    assert first.observation.action_mask[1].tolist() == [False] * 20 + [True]  # not its turn: nothing but to pass
    assert not first.observation.action_mask[0, :5].any()  # all tokens there: no card may be discarded


def test_the_table_names_all_that_is_registered():
    jaxmarl = pytest.importorskip("jaxmarl")
    assert sorted([*PLAYED, *REFUSED]) == sorted(jaxmarl.registered_envs)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAYED)
def test_what_can_be_played_keeps_the_contract(name):
    pytest.importorskip("jaxmarl")
    env = make_env("jaxmarl", env=name)
    check_env(env, episodes=2)
    draw_frame(env, jax.device_get(env.reset(jax.random.key(0))[0]))


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_played_gets_a_sentence(name):
    pytest.importorskip("jaxmarl")
    with pytest.raises((ValueError, ImportError), match=r"needs|requires|by position") as caught:
        make_env("jaxmarl", env=name)
    assert "\n" not in str(caught.value)
