"""The temporal-difference loss and target against loops over real steps."""

from types import SimpleNamespace

import hypothesis
import jax
import numpy as np
import pytest
from batches import AGENTS, BATCH, HPARAMS, STEPS, make_batch, real_steps, scramble_after_end
from hypothesis import strategies as st

from marlcomm.losses import double_q_target, lambda_return, temporal_difference_loss

SEEDS = st.integers(0, 2**31)
settings = hypothesis.settings(max_examples=25, deadline=None)


@jax.jit
def loss_of(unroll, episodes):
    return temporal_difference_loss(unroll, episodes, HPARAMS)


@jax.jit
def gradient_of(unroll, episodes):
    def loss(value):
        return temporal_difference_loss(unroll._replace(value=value), episodes, HPARAMS)[0]

    return jax.grad(loss)(unroll.value)


def errors_by_loop(batch, team):
    """(value, error, weight) of everything that counts: real steps, of independent learners those of the dead, too."""
    value, target = (np.asarray(x, np.float64) for x in (batch.unroll.value, batch.unroll.target))
    found = []
    for b, t in real_steps(batch):
        for g in range(1 if team else AGENTS):
            error = value[b, t, g] - target[b, t, g]
            found.append((value[b, t, g], error, weight_of(batch, b, t, error)))
    return found


def weight_of(batch, b, t, error):
    """Values above an outcome, and only those, count less."""
    return HPARAMS.overestimate_weight if batch.episodes.terminal[b, t] and error > 0 else 1.0


@pytest.mark.parametrize("team", [True, False])
@settings
@hypothesis.given(seed=SEEDS)
def test_loss_and_metrics_equal_a_loop(team, seed):
    """The weighted squares, divided by how many count."""
    batch = make_batch(seed, team)
    loss, metrics = loss_of(batch.unroll, batch.episodes)
    found = errors_by_loop(batch, team)
    count = max(len(found), 1)
    expected = sum(w * e**2 for _, e, w in found) / count
    np.testing.assert_allclose(loss, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(metrics["error_size"], sum(abs(e) for _, e, _ in found) / count, rtol=1e-5)
    np.testing.assert_allclose(metrics["value"], sum(v for v, _, _ in found) / count, rtol=1e-4, atol=1e-5)


@settings
@hypothesis.given(seed=SEEDS)
def test_nothing_after_the_end_counts(seed):
    batch = make_batch(seed)
    changed = scramble_after_end(batch, seed + 1)
    assert not np.array_equal(changed.unroll.value, batch.unroll.value)
    assert loss_of(*changed[:2])[0] == loss_of(*batch[:2])[0]
    np.testing.assert_array_equal(gradient_of(*changed[:2]), gradient_of(*batch[:2]))


def test_gradient_is_twice_the_weighted_error_over_the_count_at_real_steps_and_else_nothing():
    batch = make_batch(3)
    gradient = gradient_of(batch.unroll, batch.episodes)
    expected = np.zeros((BATCH, STEPS, 1))
    for b, t in real_steps(batch):
        error = batch.unroll.value[b, t, 0] - batch.unroll.target[b, t, 0]
        expected[b, t, 0] = 2 * weight_of(batch, b, t, error) * error / batch.lengths.sum()
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)
    assert np.all(gradient[:, 0] != 0), "the first step is always real"


@settings
@hypothesis.given(seed=SEEDS, discount=st.floats(0, 1))
def test_target_bootstraps_unless_the_task_ended(seed, discount):
    batch = make_batch(seed)
    reward, following = np.asarray(batch.unroll.value), np.asarray(batch.unroll.target)
    target = double_q_target(reward, batch.episodes.terminal, following, discount)
    for b in range(BATCH):
        for t in range(STEPS):
            expected = reward[b, t, 0]
            if not batch.episodes.terminal[b, t]:  # also where a limit cut the episode
                expected += discount * following[b, t, 0]
            np.testing.assert_allclose(target[b, t, 0], expected, rtol=1e-5, atol=1e-5)


def n_step_returns(reward, following, terminal, discount):
    """Targets of 1, 2, ... steps, of one real step, to the end of its episode."""
    found, total = [], 0.0
    for n, (paid, value, last) in enumerate(zip(reward, following, terminal, strict=True)):
        total += discount**n * paid
        found.append(total + (0.0 if last else discount ** (n + 1) * value))
    return np.array(found)


@settings
@hypothesis.given(seed=SEEDS, discount=st.floats(0, 1), td_lambda=st.floats(0, 1))
def test_lambda_return_is_the_mixture_of_n_step_targets(seed, discount, td_lambda):
    """The longest one has the weight that is left: of a terminal end without bootstrap, of a limit with."""
    batch = make_batch(seed)
    reward, following = np.asarray(batch.unroll.value), np.asarray(batch.unroll.target)
    terminal, valid = np.asarray(batch.episodes.terminal), batch.episodes.valid
    found = lambda_return(reward, terminal, valid, following, discount, td_lambda)
    for b, t in real_steps(batch):
        to_end = b, slice(t, batch.lengths[b])
        targets = n_step_returns(reward[to_end][:, 0], following[to_end][:, 0], terminal[to_end], discount)
        weights = (1 - td_lambda) * td_lambda ** np.arange(len(targets))
        weights[-1] = td_lambda ** (len(targets) - 1)
        np.testing.assert_allclose(weights.sum(), 1)
        np.testing.assert_allclose(found[b, t, 0], weights @ targets, rtol=1e-4, atol=1e-5)


def test_lambda_zero_is_the_one_step_target_and_one_the_whole_return():
    batch = make_batch(5)
    reward, following = batch.unroll.value, batch.unroll.target
    of = batch.episodes.terminal, batch.episodes.valid
    one_step = double_q_target(reward, of[0], following, 0.9)
    none, whole = (np.asarray(lambda_return(reward, *of, following, 0.9, at)) for at in (0.0, 1.0))
    moved = lambda_return(reward, *of, following + 1, 0.9, 1.0)
    for b, t in real_steps(batch):
        np.testing.assert_allclose(none[b, t], one_step[b, t], rtol=1e-5)
        ended = of[0][b, batch.lengths[b] - 1]
        left = batch.lengths[b] - t
        np.testing.assert_allclose(moved[b, t] - whole[b, t], 0.0 if ended else 0.9**left, atol=1e-5)


def test_at_weight_one_it_is_the_published_loss():
    batch = make_batch(1)
    loss, _ = temporal_difference_loss(batch.unroll, batch.episodes, SimpleNamespace(overestimate_weight=1.0))
    found = errors_by_loop(batch, True)
    np.testing.assert_allclose(loss, np.mean([e**2 for _, e, _ in found]), rtol=1e-5)


def test_target_has_no_gradient():
    batch = make_batch(0)

    def total(reward, following):
        return double_q_target(reward, batch.episodes.terminal, following, 0.9).sum()

    def of_lambda(reward, following):
        return lambda_return(reward, batch.episodes.terminal, batch.episodes.valid, following, 0.9, 0.8).sum()

    for target in (total, of_lambda):
        for gradient in jax.grad(target, (0, 1))(batch.unroll.value, batch.unroll.target):
            assert not np.any(gradient)


def test_a_batch_without_real_steps_is_worth_nothing():
    batch = make_batch(0)
    loss, _ = loss_of(batch.unroll._replace(weight=0 * batch.unroll.weight), batch.episodes)
    assert loss == 0
