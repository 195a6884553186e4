"""How continuous and discrete actions are explored, and the gradient of a discrete choice."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from marlcomm.learners.actions import ContinuousActions, DiscreteActions

KEY = jax.random.PRNGKey(8)
MANY = 20_000


@pytest.fixture(scope="module")
def continuous():
    return jax.jit(ContinuousActions(2, noise=2.0).explore)


@settings(max_examples=10, deadline=None)
@given(exploration=st.sampled_from([0.0, 0.05, 0.2]), seed=st.integers(0, 1000))
def test_continuous_exploration_is_uniform_or_gaussian(continuous, exploration, seed):
    outputs = jnp.broadcast_to(jnp.array([0.1, -5.0]), (MANY, 1, 2))
    mask = jnp.ones((MANY, 1, 2), bool)
    action = np.asarray(continuous(outputs, mask, exploration, jax.random.split(jax.random.PRNGKey(seed))))[:, 0]
    mean = np.tanh([0.1, -5.0])
    assert np.all(np.abs(action) <= 1.0)
    if exploration == 0.0:
        np.testing.assert_allclose(action, np.broadcast_to(mean, action.shape), rtol=1e-5)
        return
    off = np.abs(action[:, 0] - mean[0]) > 5 * 2 * exploration  # out of the noise's reach: uniform
    reach = max(0.0, 1.0 - mean[0] - 10 * exploration) / 2 + max(0.0, 1.0 + mean[0] - 10 * exploration) / 2
    np.testing.assert_allclose(off.mean(), exploration * reach, atol=0.006)
    if exploration == 0.05:  # hardly any noise is clipped
        variance = (1 - exploration) * 0.1**2 + exploration * (1 / 3 + mean[0] ** 2)
        np.testing.assert_allclose(np.mean((action[:, 0] - mean[0]) ** 2), variance, rtol=0.1)


def test_numbers_that_do_not_count_are_zero(continuous):
    mask = jnp.array([[True, False]])
    action = continuous(jnp.ones((1, 2)), mask, 0.5, (KEY, KEY))
    assert action[0, 0] != 0.0
    assert action[0, 1] == 0.0


def test_discrete_exploration_draws_from_the_policy_and_evaluation_takes_the_likeliest():
    actions = DiscreteActions(3)
    outputs = jnp.broadcast_to(jnp.array([1.0, 0.0, 9.0]), (MANY, 1, 3))
    mask = jnp.broadcast_to(jnp.array([True, True, False]), outputs.shape)
    explore = jax.jit(actions.explore)
    assert np.all(np.asarray(explore(outputs, mask, 0.0, (KEY, KEY))) == 0)
    drawn = np.asarray(explore(outputs, mask, 0.2, (KEY, KEY)))
    likely = np.exp(1.0) / (np.exp(1.0) + 1.0)
    np.testing.assert_allclose((drawn == 0).mean(), 0.8 * likely + 0.2 * 0.5, atol=0.015)
    assert not np.any(drawn == 2)


@pytest.fixture(scope="module")
def gumbel():
    """The action that is drawn, and the gradient of its worth."""

    @jax.jit
    def drawn(outputs, mask, temperature, key, worth):
        def worth_of(outputs):
            action = DiscreteActions(3).policy(outputs, mask, temperature, key)
            return (action * worth).sum(), action

        gradient, action = jax.grad(worth_of, has_aux=True)(outputs)
        return action, gradient

    return drawn


@settings(max_examples=10, deadline=None)
@given(temperature=st.floats(0.05, 5.0), seed=st.integers(0, 1000))
def test_gumbel_softmax_is_one_hot_and_has_the_gradient_of_the_soft_choice(gumbel, temperature, seed):
    key = jax.random.PRNGKey(seed)
    outputs = np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32)
    mask = np.array([[True] * 3, [True] * 3, [True, False, True], [False] * 3])
    worth = np.array([1.0, -2.0, 3.0])

    hard, found = gumbel(outputs, mask, temperature, key, worth)
    assert np.isin(np.round(hard, 5), (0.0, 1.0)).all()
    noisy = np.where(mask, outputs, -1e9) + np.asarray(jax.random.gumbel(key, outputs.shape))
    soft = special.softmax(noisy.astype(np.float64) / temperature, -1)
    np.testing.assert_array_equal(np.argmax(hard, -1), np.argmax(soft, -1))
    assert np.all(np.take_along_axis(np.asarray(mask), np.argmax(hard, -1)[:, None], 1)[:3])
    centered = worth - (soft * worth).sum(-1, keepdims=True)  # the softmax's own derivative
    wanted = np.where(mask, soft * centered / temperature, 0.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)
