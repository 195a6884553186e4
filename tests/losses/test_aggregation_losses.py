"""MASIA's two losses against loops over real steps and agents alive."""

import hypothesis
import jax
import numpy as np
import pytest
from batches import AGENTS, loss_and_gradient, make_batch, real_steps, scramble_after_end
from hypothesis import strategies as st

from marlcomm.losses import prediction_loss, reconstruction_loss
from marlcomm.validation import UsageError

SEEDS = st.integers(0, 2**31)
settings = hypothesis.settings(max_examples=20, deadline=None)
reconstruction = loss_and_gradient(reconstruction_loss)
prediction = loss_and_gradient(prediction_loss)


@settings
@hypothesis.given(seed=SEEDS)
def test_reconstruction_is_the_mean_squared_error_of_agents_alive(seed):
    batch = make_batch(seed)
    estimate, state = batch.unroll.auxiliary["state_estimate"], batch.episodes.global_state
    found = [
        np.mean((np.asarray(estimate[b, t, j], np.float64) - state[b, t]) ** 2)
        for b, t in real_steps(batch)
        for j in range(AGENTS)
        if batch.episodes.alive[b, t, j]
    ]
    loss, gradient = reconstruction(*batch[:2])
    np.testing.assert_allclose(loss, np.sum(found) / max(len(found), 1), rtol=1e-4)
    assert {name for name, x in gradient.items() if np.any(x)} == ({"state_estimate"} if found else set())


@settings
@hypothesis.given(seed=SEEDS, with_target=st.booleans())
def test_prediction_is_the_squared_error_of_the_next_representation(seed, with_target):
    batch = make_batch(seed)
    episodes, p = batch.episodes, {name: np.asarray(x, np.float64) for name, x in batch.unroll.auxiliary.items()}
    settled = {"representation": 3 * batch.unroll.auxiliary["representation"]}
    unroll = batch.unroll._replace(target_auxiliary=settled if with_target else None)
    target = np.asarray(settled["representation"], np.float64) if with_target else p["representation"]
    found = []
    for b, t in real_steps(batch):
        if t + 1 == batch.lengths[b]:
            continue
        for j in range(AGENTS):
            if episodes.alive[b, t, j] and episodes.alive[b, t + 1, j]:
                foretold = p["next_representation"][b, t, j].copy()
                for i in range(AGENTS):
                    if episodes.alive[b, t, i]:
                        foretold += (
                            p["effect_of_action"][b, t, j, i, episodes.action[b, t, i]] @ p["effect_basis"][b, t, j]
                        )
                found.append(np.sum((foretold - target[b, t + 1, j]) ** 2))
    loss, gradient = prediction(unroll, episodes)
    np.testing.assert_allclose(loss, np.sum(found) / max(len(found), 1), rtol=1e-4)
    taught = {name for name, x in gradient.items() if np.any(x)}
    assert taught == ({"next_representation", "effect_of_action", "effect_basis"} if found else set()), (
        "targets are not taught"
    )


def test_single_steps_tell_nothing_of_the_next():
    batch = make_batch(0)
    single = batch.episodes._replace(valid=batch.episodes.valid[:, :1])
    with pytest.raises(UsageError, match=r"set channel\.predicts=False"):
        prediction_loss(batch.unroll, single, None)


@settings
@hypothesis.given(seed=SEEDS)
def test_nothing_after_the_end_counts(seed):
    batch = make_batch(seed)
    changed = scramble_after_end(batch, seed + 1)
    for function in (reconstruction, prediction):
        before, after = function(*batch[:2]), function(*changed[:2])
        assert np.isfinite(after[0])
        jax.tree.map(np.testing.assert_array_equal, before, after)
