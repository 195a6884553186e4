"""NDQ's two losses against loops over real steps and agents alive (as released, but masked)."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from batches import ACTIONS, AGENTS, BATCH, DIMS, HPARAMS, STEPS, make_batch, real_steps, scramble_after_end
from hypothesis import strategies as st

from marlcomm.losses import expressiveness_loss, succinctness_loss
from marlcomm.losses.information import RELEASED_FLOOR

SEEDS = st.integers(0, 2**31)
settings = hypothesis.settings(max_examples=25, deadline=None)
LOSSES = {"posterior_logits": expressiveness_loss, "message_mean": succinctness_loss}


def _loss_and_gradient(name):
    @jax.jit
    def function(unroll, episodes):
        def loss(x):
            return LOSSES[name](unroll._replace(auxiliary={**unroll.auxiliary, name: x}), episodes, HPARAMS)

        return jax.value_and_grad(loss, has_aux=True)(unroll.auxiliary[name])

    return function


expressiveness = _loss_and_gradient("posterior_logits")
succinctness = _loss_and_gradient("message_mean")


def heard(batch):
    """(episode, step, receiver, label, posterior) of every agent alive at every real step."""
    episodes = batch.episodes
    for b, t in real_steps(batch):
        for j in range(AGENTS):
            if episodes.alive[b, t, j]:
                allowed = [a for a in range(ACTIONS) if episodes.action_mask[b, t, j, a]]
                label = max(allowed, key=lambda a: batch.unroll.target_q[b, t, j, a])
                odds = np.exp(np.asarray(batch.unroll.auxiliary["posterior_logits"][b, t, j], np.float64))
                yield b, t, j, label, odds / odds.sum()


@settings
@hypothesis.given(seed=SEEDS)
def test_expressiveness_is_the_cross_entropy_with_the_targets_best_allowed_action(seed):
    batch = jax.tree.map(np.asarray, make_batch(seed))
    (loss, metrics), _ = expressiveness(*batch[:2])
    found = list(heard(batch))
    expected = sum(-np.log(p[label]) for *_, label, p in found) / batch.lengths.sum()
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    right = sum(np.argmax(p) == label for *_, label, p in found)
    np.testing.assert_allclose(metrics["posterior_accuracy"], right / max(len(found), 1), rtol=1e-6)


def test_expressiveness_gradient_is_posterior_minus_label():
    batch = jax.tree.map(np.asarray, make_batch(1))
    _, gradient = expressiveness(*batch[:2])
    expected = np.zeros((BATCH, STEPS + 1, AGENTS, ACTIONS))
    for b, t, j, label, posterior in heard(batch):
        expected[b, t, j] = (posterior - np.eye(ACTIONS)[label]) / batch.lengths.sum()
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-7)


def means_that_count(batch):
    """Where a message between two agents alive (or to oneself) was made at a real step."""
    alive = batch.episodes.alive
    for b, t in real_steps(batch):
        for i in range(AGENTS):
            for j in range(AGENTS):
                if alive[b, t, i] and alive[b, t, j]:
                    yield b, t, i, j


@settings
@hypothesis.given(seed=SEEDS)
def test_succinctness_is_half_the_squared_means_a_step(seed):
    batch = jax.tree.map(np.asarray, make_batch(seed))
    mean = np.asarray(batch.unroll.auxiliary["message_mean"], np.float64)
    (loss, _), gradient = succinctness(*batch[:2])
    total, expected_gradient = 0.0, np.zeros(mean.shape)
    for b, t, i, j in means_that_count(batch):
        for d in range(DIMS):
            total += 0.5 * mean[b, t, i, j, d] ** 2
        expected_gradient[b, t, i, j] = mean[b, t, i, j] / batch.lengths.sum()
    np.testing.assert_allclose(loss, total / batch.lengths.sum(), rtol=1e-5)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("function", [expressiveness, succinctness])
@settings
@hypothesis.given(seed=SEEDS)
def test_nothing_after_the_end_counts(function, seed):
    batch = make_batch(seed)
    changed = scramble_after_end(batch, seed + 1)
    (loss, metrics), gradient = function(*batch[:2])
    (loss_then, metrics_then), gradient_then = function(*changed[:2])
    assert loss_then == loss
    assert metrics_then == metrics
    np.testing.assert_array_equal(gradient_then, gradient)


def one_step_and_padding():
    """One real step in every episode, everyone alive, and loud padding behind it."""
    batch = make_batch(0)
    valid = jnp.broadcast_to(jnp.arange(STEPS) == 0, (BATCH, STEPS))
    padding = (jnp.arange(STEPS + 1) > 0)[None, :, None, None]
    return batch.unroll, batch.episodes._replace(valid=valid, alive=jnp.ones_like(batch.episodes.alive)), padding


def test_ndq_bug_cross_entropy_of_padding_is_not_counted():
    """The released code sums its cross entropy over padded steps too, but divides by the real ones."""
    unroll, episodes, padding = one_step_and_padding()
    logits = jnp.where(padding, 50.0 * unroll.target_q, 0.0)  # nothing is known at the only real step
    episodes = episodes._replace(action_mask=jnp.ones_like(episodes.action_mask))
    (loss, _), _ = expressiveness(unroll._replace(auxiliary={"posterior_logits": logits}), episodes)
    np.testing.assert_allclose(loss, AGENTS * np.log(ACTIONS), rtol=1e-6)


def test_ndq_bug_divergence_of_padding_is_not_counted():
    """The released code sums its divergence over padded steps too, but divides by the real ones."""
    unroll, episodes, padding = one_step_and_padding()
    mean = jnp.broadcast_to(jnp.where(padding[..., None], 7.0, 2.0), (BATCH, STEPS + 1, AGENTS, AGENTS, DIMS))
    (loss, _), _ = succinctness(unroll._replace(auxiliary={"message_mean": mean}), episodes)
    np.testing.assert_allclose(loss, 0.5 * 2.0**2 * AGENTS * AGENTS * DIMS, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_released_cross_entropy_has_a_floor_inside_its_logarithm(seed):
    batch = jax.tree.map(np.asarray, make_batch(seed))
    logits = 20 * batch.unroll.auxiliary["posterior_logits"]  # some labels are next to impossible
    unroll = batch.unroll._replace(auxiliary={**batch.unroll.auxiliary, "posterior_logits": logits})
    batch = batch._replace(unroll=unroll)
    loss, _ = expressiveness_loss(unroll, batch.episodes, HPARAMS, floor=RELEASED_FLOOR)
    expected = sum(-np.log(p[label] + 1e-6) for *_, label, p in heard(batch)) / batch.lengths.sum()
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    assert loss < expressiveness(unroll, batch.episodes)[0][0], "ours is not bounded"
