"""Actions: allowed by the mask, greedy or uniform, and the same in a batch as alone."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from toy_env import ACTIONS, AGENTS, STATE, VIEW, Toy

from marlcomm.algorithms import ndq
from marlcomm.envs.api import Observation
from marlcomm.messages import GaussianChannel

BATCH = 6
KEY = jax.random.PRNGKey(2)
settings = hypothesis.settings(max_examples=20, deadline=None)


class Case:
    """NDQ without noise on the toy task, with random networks."""

    def __init__(self):
        channel = GaussianChannel(sigma=0.0, dims=2, hidden=4, posterior_width=1)
        self.algorithm = ndq(Toy(), channel=channel, hidden=4, last_action=True)
        rng = np.random.default_rng(0)
        self.params = jax.tree.map(
            lambda x: jnp.asarray(rng.normal(size=x.shape), jnp.float32),
            jax.eval_shape(self.algorithm.init, KEY).params,
        )
        self.act = jax.jit(self.algorithm.act)


@pytest.fixture(scope="module")
def case():
    return Case()


def observe(rng, batch):
    mask = rng.random((batch, AGENTS, ACTIONS)) < 0.4
    mask[np.arange(batch)[:, None], np.arange(AGENTS), rng.integers(0, ACTIONS, (batch, AGENTS))] = True
    observation = Observation(
        agents_view=rng.normal(size=(batch, AGENTS, VIEW)).astype(np.float32),
        action_mask=mask,
        global_state=rng.normal(size=(batch, STATE)).astype(np.float32),
        alive=rng.random((batch, AGENTS)) < 0.7,
        step_count=np.zeros(batch, np.int32),
    )
    return jax.tree.map(jnp.asarray, observation)


@settings
@hypothesis.given(seed=st.integers(0, 2**31), exploration=st.sampled_from([0.0, 0.5, 1.0]))
def test_actions_are_allowed_and_greedy_ones_the_best_allowed(case, seed, exploration):
    observation = observe(np.random.default_rng(seed), BATCH)
    memory = case.algorithm.learner.initial_memory(BATCH)
    action, memory, decision = case.act(case.params, observation, memory, jax.random.PRNGKey(seed), exploration)
    assert action.shape == (BATCH, AGENTS)
    np.testing.assert_array_equal(memory.last_action, action)
    mask, q, action = jax.tree.map(np.asarray, (observation.action_mask, decision.scores, action))
    for b in range(BATCH):
        for i in range(AGENTS):
            allowed = [a for a in range(ACTIONS) if mask[b, i, a]]
            assert action[b, i] in allowed
            if exploration == 0.0:
                assert action[b, i] == max(allowed, key=lambda a: q[b, i, a])


@settings
@hypothesis.given(seed=st.integers(0, 2**31))
def test_a_batch_equals_one_at_a_time(case, seed):
    rng = np.random.default_rng(seed)
    observation, memory = observe(rng, BATCH), case.algorithm.learner.initial_memory(BATCH)
    memory = memory._replace(
        hidden=jnp.asarray(rng.normal(size=memory.hidden.shape), jnp.float32),
        last_action=jnp.asarray(rng.integers(-1, ACTIONS, (BATCH, AGENTS)), jnp.int32),
    )
    together = case.act(case.params, observation, memory, KEY, 0.0)
    for b in range(BATCH):
        one = jax.tree.map(lambda x, b=b: x[b : b + 1], (observation, memory, together))
        alone = case.act(case.params, one[0], one[1], KEY, 0.0)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5), alone, one[2])


def test_memory_before_the_first_step(case):
    memory = case.algorithm.learner.initial_memory(2)
    assert not np.any(memory.hidden)
    np.testing.assert_array_equal(memory.last_action, np.full((2, AGENTS), -1))


@pytest.fixture(scope="module")
def many(case):
    """The same observation 4000 times, and how often each action was taken, for a share of random ones."""
    one = observe(np.random.default_rng(3), 1)
    one = one._replace(action_mask=jnp.array([[[1, 1, 0, 1], [0, 1, 1, 0], [0, 0, 1, 0]]], bool))
    observation = jax.tree.map(lambda x: jnp.broadcast_to(x, (4000, *x.shape[1:])), one)
    memory = case.algorithm.learner.initial_memory(4000)

    def shares(exploration):
        action, _, decision = case.act(case.params, observation, memory, KEY, exploration)
        counts = np.stack([(np.asarray(action) == a).sum(0) for a in range(ACTIONS)], 1)
        greedy = np.argmax(np.where(one.action_mask[0], decision.scores[0], -np.inf), -1)
        return counts, greedy, np.asarray(action)

    return one.action_mask[0], shares


def test_random_actions_are_uniform_over_the_allowed(many):
    mask, shares = many
    counts, _, action = shares(1.0)
    for i in range(AGENTS):
        expected = 4000 / mask[i].sum()
        assert counts[i][~np.asarray(mask[i])].sum() == 0
        chi_square = ((counts[i][np.asarray(mask[i])] - expected) ** 2 / expected).sum()
        assert chi_square < 16, "2 degrees of freedom at most: p < .001"
    both = np.corrcoef(action[:, 0], action[:, 1])[0, 1]
    assert abs(both) < 0.08, "agents explore independently"


def test_epsilon_is_the_share_of_random_actions(many):
    mask, shares = many
    counts, greedy, _ = shares(0.3)
    for i in range(AGENTS):
        expected = 0.7 + 0.3 / int(mask[i].sum())
        np.testing.assert_allclose(counts[i][greedy[i]] / 4000, expected, atol=0.03)
