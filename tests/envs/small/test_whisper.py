"""Whisper against every protocol of small teams, and its graph in channels."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exhaustive import all_outcomes

from marlcomm.algorithms import make_algorithm
from marlcomm.envs import Centralized, FullObservation, Whisper, check_env, make_env
from marlcomm.envs.small.whisper import WhisperState
from marlcomm.messages import MeanChannel, within_reach


def paid(env):
    """[secrets, A]: what the last step pays for each answer, from the task's own step function."""
    count = env.num_actions
    last = jnp.full((count,), env.horizon - 1)
    states = WhisperState(jnp.arange(count), jnp.full((count,), -1), last)
    actions, _, steps = all_outcomes(env, states)
    assert steps.last().all()
    assert (steps.discount == 0).all()
    others_idle = (actions[:, :-1] == 0).all(axis=1)
    assert (actions[others_idle, -1] == np.arange(count)).all()
    return steps.reward[:, others_idle].mean(-1)


@pytest.mark.parametrize(("bits", "words"), [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3)])
def test_the_best_of_all_protocols(bits, words):
    reward = paid(Whisper(num_agents=3, bits=bits))
    secrets = range(2**bits)
    best = 0.0
    for first in itertools.product(range(words), repeat=len(secrets)):  # what agent 0 says of each secret
        for passed in itertools.product(range(words), repeat=words):  # what agent 1 makes of it
            heard = [passed[first[secret]] for secret in secrets]
            sums = [sum(reward[secret] for secret in secrets if heard[secret] == word) for word in set(heard)]
            best = max(best, sum(row.max() for row in sums) / len(secrets))
    assert best == pytest.approx(min(words, len(secrets)) / len(secrets))


def test_nobody_else_sees_or_acts_and_only_the_last_step_pays():
    env = make_env("whisper", num_agents=4, bits=3)
    check_env(env, episodes=2)
    assert (env.num_actions, env.observation_size, env.horizon) == (8, 3, 3)
    state, first = env.reset(jax.random.key(0))
    secret = int(state.secret)
    signs = [1 if bit == "1" else -1 for bit in f"{secret:03b}"]
    np.testing.assert_array_equal(first.observation.agents_view, [signs, [0] * 3, [0] * 3, [0] * 3])
    np.testing.assert_array_equal(first.observation.action_mask.sum(axis=1), [1, 1, 1, 8])
    rewards = []
    for _ in range(3):
        state, step = env.step(state, jnp.array([0, 0, 0, secret]))
        rewards.append(float(step.reward[0]))
    assert rewards == [0, 0, 1]
    assert step.extras["won"]
    assert make_env("whisper", steps=5).horizon == 5


def test_channels_take_the_graph():
    env = Whisper(num_agents=3, bits=1)
    np.testing.assert_array_equal(env.graph, [[0, 1, 0], [0, 0, 1], [0, 0, 0]])
    assert FullObservation(env).graph is env.graph
    assert Centralized(env).graph is None
    heard = make_algorithm("ndq", env).learner.agent.channel.graph
    np.testing.assert_array_equal(heard, env.graph)
    own = within_reach(3, 2)
    given = make_algorithm("qmix", env, channel=MeanChannel(graph=own)).learner.agent.channel.graph
    np.testing.assert_array_equal(given, own)


@pytest.mark.parametrize(("option", "value"), [("num_agents", 1), ("bits", 0), ("bits", 11), ("steps", 0)])
def test_options_are_checked(option, value):
    with pytest.raises(ValueError, match=f"whisper: {option}={value}"):
        make_env("whisper", **{option: value})
