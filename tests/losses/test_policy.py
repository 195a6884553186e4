"""Advantages, policy gradient, critic and entropy losses against loops over real steps."""

from types import SimpleNamespace

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from batches import ACTIONS, AGENTS, BATCH, STEPS, Batch, make_batch, real_steps, scramble_after_end
from hypothesis import strategies as st

from marlcomm.losses.policy import (
    entropy_loss,
    generalized_advantage,
    normalize,
    policy_loss,
    talk_loss,
    value_loss,
)
from marlcomm.types import PolicyUnroll

SEEDS = st.integers(0, 2**31)
HPARAMS = SimpleNamespace(clip_ratio=0.2)
settings = hypothesis.settings(max_examples=25, deadline=None)


def make(seed):
    """A batch whose networks are a policy and a critic; the numbers need not agree with one another."""
    batch = make_batch(seed, team=False)
    rng = np.random.default_rng(seed)

    def normal(*shape, scale=1.0):
        return jnp.asarray(scale * rng.normal(size=(BATCH, *shape)), jnp.float32)

    old = normal(STEPS, AGENTS) - 1.5
    unroll = PolicyUnroll(
        logits=normal(STEPS + 1, AGENTS, ACTIONS),
        log_prob=old + normal(STEPS, AGENTS, scale=0.3),
        old_log_prob=old,
        entropy=jnp.abs(normal(STEPS, AGENTS)),
        value=normal(STEPS, AGENTS, scale=2.0),
        target=normal(STEPS, AGENTS, scale=2.0),
        advantage=normal(STEPS, AGENTS),
        scale=jnp.float32(2.0),
        weight=(batch.episodes.valid[..., None] & batch.episodes.alive[:, :STEPS]).astype(jnp.float32),
        messages=None,  # pyright: ignore[reportArgumentType]
        auxiliary={},
        acted={},
    )
    return Batch(unroll, batch.episodes, batch.lengths)  # pyright: ignore[reportArgumentType]


@jax.jit
def losses_and_gradients(unroll, episodes):
    """All three losses with metrics, and the gradients by what the networks said."""

    def total(parts):
        changed = unroll._replace(**parts)
        found = [loss(changed, episodes, HPARAMS) for loss in (policy_loss, value_loss, entropy_loss)]
        return sum(loss for loss, _ in found), found

    parts = {name: getattr(unroll, name) for name in ("log_prob", "value", "entropy")}
    gradient, found = jax.grad(total, has_aux=True)(parts)
    return found, gradient


def acting(batch):
    """(episode, step, agent) of everybody who lived at a real step."""
    return [(b, t, i) for b, t in real_steps(batch) for i in range(AGENTS) if batch.episodes.alive[b, t, i]]


@settings
@hypothesis.given(seed=SEEDS)
def test_losses_equal_loops(seed):
    batch = make(seed)
    (policy, value, entropy), _ = losses_and_gradients(batch.unroll, batch.episodes)
    u = jax.tree.map(lambda x: np.asarray(x, np.float64), batch.unroll)
    gains, clipped, ratios = [], [], []
    for place in acting(batch):
        ratio = np.exp(u.log_prob[place] - u.old_log_prob[place])
        gains.append(min(ratio * u.advantage[place], min(max(ratio, 0.8), 1.2) * u.advantage[place]))
        clipped.append(not 0.8 <= ratio <= 1.2)
        ratios.append(ratio)
    real = real_steps(batch)
    errors = [(u.value[b, t] - u.target[b, t]) ** 2 for b, t in real]
    np.testing.assert_allclose(policy[0], -np.mean(gains), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(policy[1]["clipped"], np.mean(clipped), rtol=1e-5)
    np.testing.assert_allclose(policy[1]["ratio"], np.mean(ratios), rtol=1e-4)
    np.testing.assert_allclose(value[0], np.mean(errors) / 2.0**2, rtol=1e-4)
    explained = 1 - np.mean(errors) / np.var([u.target[b, t] for b, t in real])
    np.testing.assert_allclose(value[1]["explained"], explained, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(entropy[0], -np.mean([u.entropy[place] for place in acting(batch)]), rtol=1e-4)


@settings
@hypothesis.given(seed=SEEDS)
def test_nothing_after_the_end_counts(seed):
    batch = make(seed)
    changed = scramble_after_end(batch, seed + 1)
    changed = changed._replace(unroll=jax.tree.map(jnp.asarray, changed.unroll))
    assert not np.array_equal(changed.unroll.value, batch.unroll.value)
    before, after = (losses_and_gradients(*x[:2]) for x in (batch, changed))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), before, after)


def test_the_dead_teach_the_policy_nothing_but_their_value_counts():
    batch = make(0)
    dead = np.asarray(batch.episodes.valid)[..., None] & ~np.asarray(batch.episodes.alive)[:, :-1]
    assert dead.any()
    _, gradient = losses_and_gradients(batch.unroll, batch.episodes)
    assert not np.any(np.where(dead, gradient["log_prob"], 0))
    assert not np.any(np.where(dead, gradient["entropy"], 0))
    assert np.all(gradient["value"][dead] != 0), "their team may still win"


def test_at_the_first_step_it_is_reinforce_whatever_the_clip():
    batch = make(1)
    unroll = batch.unroll._replace(log_prob=batch.unroll.old_log_prob)
    _, gradient = losses_and_gradients(unroll, batch.episodes)
    count = len(acting(batch))
    for place in acting(batch):
        np.testing.assert_allclose(gradient["log_prob"][place], -unroll.advantage[place] / count, rtol=1e-5)


def test_talk_costs_the_probability_of_open_gates_however_they_fell():
    batch, rng = make(4), np.random.default_rng(4)
    logit = 3.0 * rng.normal(size=(BATCH, STEPS + 1, AGENTS))
    gate = rng.random(logit.shape) < 0.5

    @jax.jit
    @jax.value_and_grad
    def price(logit):
        log_prob = jnp.where(gate, jax.nn.log_sigmoid(logit), jax.nn.log_sigmoid(-logit))
        auxiliary = {"gate": jnp.asarray(gate, jnp.float32), "gate_log_prob": log_prob}
        return talk_loss(batch.unroll._replace(auxiliary=auxiliary), batch.episodes, HPARAMS)[0]

    found, gradient = price(jnp.asarray(logit, jnp.float32))
    is_open = 1 / (1 + np.exp(-logit))
    np.testing.assert_allclose(found, np.mean([is_open[place] for place in acting(batch)]), rtol=1e-5)
    expected = np.zeros_like(logit)
    for place in acting(batch):
        expected[place] = is_open[place] * (1 - is_open[place]) / len(acting(batch))
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-7)


@jax.jit
def advantage_of(episodes, value, discount, gae_lambda):
    return generalized_advantage(episodes.reward, value, episodes.terminal, episodes.valid, discount, gae_lambda)


def advantages_by_loop(batch, value, discount, gae_lambda):
    """Sums of discounted one-step errors up to the end (Schulman et al. 2016, eq. 16)."""
    e = jax.tree.map(np.asarray, batch.episodes)
    found = np.zeros((BATCH, STEPS, AGENTS))
    for b, t in real_steps(batch):
        for later in range(t, batch.lengths[b]):
            bootstrap = 0.0 if e.terminal[b, later] else discount * value[b, later + 1]
            found[b, t] += (discount * gae_lambda) ** (later - t) * (e.reward[b, later] + bootstrap - value[b, later])
    return found


@settings
@hypothesis.given(seed=SEEDS, discount=st.floats(0, 1), gae_lambda=st.floats(0, 1))
def test_advantages_equal_sums_of_errors_and_nothing_after_the_end_counts(seed, discount, gae_lambda):
    batch = make(seed)
    value = np.random.default_rng(seed).normal(size=(BATCH, STEPS + 1, AGENTS)).astype(np.float32)
    found = advantage_of(batch.episodes, value, discount, gae_lambda)
    np.testing.assert_allclose(found, advantages_by_loop(batch, value, discount, gae_lambda), rtol=1e-3, atol=1e-4)
    changed = scramble_after_end(batch, seed + 1)
    other = value.copy()
    for b, length in enumerate(batch.lengths):
        over = batch.episodes.terminal[b, length - 1]
        other[b, length + (not over) :] = np.nan
    again = advantage_of(jax.tree.map(jnp.asarray, changed.episodes), other, discount, gae_lambda)
    np.testing.assert_allclose(again, found, rtol=1e-5, atol=1e-6)


def test_whole_returns_at_trace_1_and_a_bootstrap_only_where_a_limit_cut():
    batch = make(2)
    value = jnp.full((BATCH, STEPS + 1, AGENTS), 3.0)
    found = advantage_of(batch.episodes, value, 0.5, 1.0)
    reward, terminal = np.asarray(batch.episodes.reward), np.asarray(batch.episodes.terminal)
    assert {bool(terminal[b, length - 1]) for b, length in enumerate(batch.lengths)} == {True, False}
    for b, length in enumerate(batch.lengths):
        expected = 0.0 if terminal[b, length - 1] else 3.0
        for t in reversed(range(length)):
            expected = reward[b, t] + 0.5 * expected
            np.testing.assert_allclose(found[b, t], expected - 3.0, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_normalized_advantages_have_mean_0_and_deviation_1_over_what_counts(scale):
    batch = make(3)
    found = np.asarray(normalize(scale * batch.unroll.advantage + 5.0 * scale, batch.unroll.weight))
    counted = found[np.asarray(batch.unroll.weight) > 0]
    np.testing.assert_allclose([counted.mean(), counted.std()], [0.0, 1.0], atol=2e-2)
