"""MAIC's two losses against loops over real steps and agents alive."""

import hypothesis
import jax
import numpy as np
from batches import AGENTS, loss_and_gradient, make_batch, real_steps, scramble_after_end
from hypothesis import strategies as st

from marlcomm.losses import attention_entropy_loss, teammate_model_loss

SEEDS = st.integers(0, 2**31)
settings = hypothesis.settings(max_examples=20, deadline=None)
teammate_model = loss_and_gradient(teammate_model_loss)
attention_entropy = loss_and_gradient(attention_entropy_loss)


@settings
@hypothesis.given(seed=SEEDS)
def test_teammate_model_is_the_mean_divergence_of_pairs_alive(seed):
    batch = make_batch(seed)
    p = {name: np.asarray(x, np.float64) for name, x in batch.unroll.auxiliary.items()}
    found = []
    for b, t in real_steps(batch):
        for i in range(AGENTS):
            for j in range(AGENTS):
                if i != j and batch.episodes.alive[b, t, i] and batch.episodes.alive[b, t, j]:
                    m, v = p["teammate_mean"][b, t, i, j], p["teammate_variance"][b, t, i, j]
                    n, w = p["posterior_mean"][b, t, i, j], p["posterior_variance"][b, t, i, j]
                    found.append(0.5 * np.sum(np.log(w / v) + (v + (m - n) ** 2) / w - 1))
    loss, gradient = teammate_model(*batch[:2])
    np.testing.assert_allclose(loss, np.sum(found) / max(len(found), 1), rtol=1e-4, atol=1e-6)
    learn = {name for name, x in gradient.items() if np.any(x)}
    both = {f"{name}_{part}" for name in ("teammate", "posterior") for part in ("mean", "variance")}
    assert learn == (both if found else set())


@settings
@hypothesis.given(seed=SEEDS)
def test_attention_entropy_is_its_mean_over_senders_alive(seed):
    batch = make_batch(seed)
    entropy, alive = batch.unroll.auxiliary["attention_entropy"], batch.episodes.alive
    found = [entropy[b, t, i] for b, t in real_steps(batch) for i in range(AGENTS) if alive[b, t, i]]
    loss, _ = attention_entropy(*batch[:2])
    np.testing.assert_allclose(loss, np.sum(found) / max(len(found), 1), rtol=1e-5)


@settings
@hypothesis.given(seed=SEEDS)
def test_nothing_after_the_end_counts(seed):
    batch = make_batch(seed)
    changed = scramble_after_end(batch, seed + 1)
    for function in (teammate_model, attention_entropy):
        before, after = function(*batch[:2]), function(*changed[:2])
        assert np.isfinite(after[0])
        jax.tree.map(np.testing.assert_array_equal, before, after)
