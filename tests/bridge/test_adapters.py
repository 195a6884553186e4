"""Environments of other packages keep what they say: against the environments themselves, step by step."""

from __future__ import annotations

import numpy as np
import pytest

from marlcomm.bridge.adapters.gymnasium import GymnasiumSimulator
from marlcomm.bridge.adapters.gymnasium import make as make_gymnasium
from marlcomm.bridge.adapters.own import as_simulator
from marlcomm.bridge.adapters.pettingzoo import make
from marlcomm.bridge.adapters.spaces import AgentActions, flat_size, flatten
from marlcomm.bridge.checks import checked

gymnasium = pytest.importorskip("gymnasium")
spaces = gymnasium.spaces


@pytest.mark.parametrize(("continuous", "steps"), [(False, 5), (True, 3)])
def test_mpe2_says_the_same_through_the_adapter(continuous, steps):
    simple_spread_v3 = pytest.importorskip("mpe2.simple_spread_v3")
    options = {"N": 3, "max_cycles": steps, "continuous_actions": continuous}
    env, mine = simple_spread_v3.parallel_env(**options), make("mpe2.simple_spread_v3", **options)
    spec, random = mine.spec, np.random.default_rng(0)
    assert (spec.num_agents, spec.num_actions, spec.horizon, spec.continuous) == (3, 5, steps, continuous)
    given, _ = env.reset(seed=7)
    observed = checked(spec, mine.reset(7))
    for step in range(steps):
        np.testing.assert_array_equal(observed.agents_view, np.stack(list(given.values())))
        np.testing.assert_array_equal(observed.global_state, env.state())
        assert observed.alive.all()
        action = random.uniform(-1, 1, (3, 5)) if continuous else random.integers(5, size=3)
        theirs = (action + 1) / 2 if continuous else action
        given, rewards, *_ = env.step(
            dict(zip(env.agents, theirs.astype(np.float32 if continuous else int), strict=True))
        )
        outcome = mine.step(action)
        np.testing.assert_allclose(outcome.reward, list(rewards.values()), rtol=1e-6)
        assert not outcome.terminated
        assert outcome.truncated == (step == steps - 1)
        observed = checked(spec, outcome.observed)


def test_agents_of_unlike_views_and_actions_are_padded():
    pytest.importorskip("mpe2")
    mine = make("mpe2.simple_speaker_listener_v4", max_cycles=4)
    observed = mine.reset(0)
    assert observed.agents_view.shape == (2, 11)  # the speaker sees three numbers
    assert not observed.agents_view[0, 3:].any()
    assert observed.action_mask.sum(1).tolist() == [3, 5]


def test_an_environment_of_one_agent_is_a_team_of_one():
    mine = make_gymnasium("CartPole-v1")
    assert (mine.spec.num_agents, mine.spec.num_actions, mine.spec.horizon) == (1, 2, 500)
    env = gymnasium.make("CartPole-v1")
    given, _ = env.reset(seed=3)
    observed, over = mine.reset(3), False
    while not over:
        np.testing.assert_array_equal(observed.agents_view[0], given)
        given, reward, over, *_ = env.step(1)
        outcome = mine.step(np.array([1]))
        observed = checked(mine.spec, outcome.observed)
        assert outcome.terminated == over
        assert outcome.reward == reward


class Together(gymnasium.Env):
    """Two agents, the second with fewer choices, as tuples."""

    observation_space = spaces.Tuple([spaces.Box(0, 1, (2,)), spaces.Discrete(3)])
    action_space = spaces.Tuple([spaces.Discrete(4), spaces.Discrete(2, start=5)])
    horizon = 6

    def reset(self, *, seed=None, options=None):
        return (np.full(2, 0.5, np.float32), 2), {}

    def step(self, action):
        self.done = action
        return (np.zeros(2, np.float32), 1), [1.0, 2.0], False, True, {"won": True}


def test_tuples_are_agents():
    env = Together()
    mine = as_simulator(env)
    assert (mine.spec.num_agents, mine.spec.num_actions, mine.spec.observation_size, mine.spec.horizon) == (2, 4, 3, 6)
    observed = mine.reset(0)
    np.testing.assert_array_equal(observed.agents_view, [[0.5, 0.5, 0], [0, 0, 1]])
    np.testing.assert_array_equal(observed.action_mask.sum(1), [4, 2])
    outcome = mine.step(np.array([3, 1]))
    assert env.done == (3, 6)
    assert outcome.won
    assert outcome.truncated
    np.testing.assert_array_equal(outcome.reward, [1.0, 2.0])


class Clock(Together):
    """Calls its own limit an end."""

    max_steps, horizon = 2, 0

    def step(self, action):
        return (*super().step(action)[:2], [True, True], False, {})


def test_a_limit_that_is_called_an_end_is_a_truncation():
    mine = GymnasiumSimulator(Clock())
    for _ in range(2):
        mine.reset(0)
        early, late = (mine.step(np.array([0, 0])) for _ in range(2))
        assert (early.terminated, early.truncated) == (True, False)
        assert (late.terminated, late.truncated) == (False, True)


class Endless(Together):
    """Says no limit."""

    horizon = 0


def test_who_says_no_limit_is_asked_for_one():
    with pytest.raises(ValueError, match=r"set task\.horizon"):
        GymnasiumSimulator(Endless())
    assert GymnasiumSimulator(Endless(), 9).spec.horizon == 9


def test_spaces_become_numbers():
    space = spaces.Dict({"a": spaces.MultiDiscrete([2, 3]), "b": spaces.Box(0, 1, (2, 2))})
    assert flat_size(space) == 9
    value = {"a": np.array([1, 2]), "b": np.arange(4).reshape(2, 2)}
    np.testing.assert_array_equal(flatten(space, value), [0, 1, 0, 0, 1, 0, 1, 2, 3])
    actions = AgentActions([spaces.Box(np.array([0.0, -2.0], np.float32), np.array([1.0, 2.0], np.float32))])
    np.testing.assert_allclose(actions.of(0, np.array([-1.0, 0.5])), [0.0, 1.0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "name", "agents"), [("lbforaging", "Foraging-8x8-2p-2f-v3", 2), ("rware", "rware-tiny-2ag-v2", 2)]
)
def test_other_packages_play(package, name, agents):
    pytest.importorskip(package)
    mine = make_gymnasium(f"{package}:{name}", horizon=20)
    random, observed = np.random.default_rng(0), checked(mine.spec, mine.reset(0))
    assert mine.spec.num_agents == agents
    for _ in range(20):
        outcome = mine.step(np.array([random.choice(np.flatnonzero(mask)) for mask in observed.action_mask]))
        observed = checked(mine.spec, outcome.observed)
        assert np.isfinite(outcome.reward).all()
        if outcome.terminated:
            break
