"""How large returns are, against numpy in 64 bits."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.learners.return_scale import ReturnScale

START = ReturnScale(jnp.float32(0.0), jnp.float32(1.0))
BATCHES = 12


@jax.jit
def scale_of(returns, valid):
    """After batches [K, B, T, N], one by one."""

    def one(scale, x):
        number, returns = x
        return scale.after(returns, valid, number), None

    return jax.lax.scan(one, START, (1.0 + jnp.arange(len(returns), dtype=jnp.float32), returns))[0]


@pytest.mark.parametrize("mean", [0.0, -1e3, 3e3, 1e4, 1e5])
def test_a_deviation_of_one_is_found_at_any_mean(mean):
    """(By the difference of the mean square and the squared mean: 1.09, 3.5, 10 and .1.)"""
    rng = np.random.default_rng(0)
    valid = np.arange(10) < rng.integers(1, 11, (16, 1))
    returns = (mean + rng.normal(size=(BATCHES, 16, 10, 3))).astype(np.float32)
    scale = scale_of(returns, valid)
    real = returns.astype(float)[:, valid]  # while batches are few, all that was seen counts alike
    np.testing.assert_allclose(scale.mean, real.mean(), rtol=1e-6, atol=1e-3)
    np.testing.assert_allclose(scale.deviation(), real.std(), rtol=0.01)


def test_a_scale_saved_as_a_mean_of_squares_is_understood_and_goes_on_as_one():
    saved = ReturnScale(jnp.float32(3.0), jnp.float32(13.0))
    assert saved.deviation() == 2.0
    returns = jnp.array([3.0, 11.0])[:, None, None]
    after = saved.after(returns, jnp.ones((2, 1), bool), jnp.float32(2.0))
    np.testing.assert_allclose(after.mean, 5.0)
    np.testing.assert_allclose(after.deviation() ** 2, (13.0 + (9.0 + 121.0) / 2) / 2 - 25.0, rtol=1e-6)


def test_a_scale_saved_with_less_than_no_variance_goes_on():
    """Rounding left it so: a mean of squares of 1e8 is known to 8."""
    scale = ReturnScale(jnp.float32(1e4), jnp.float32(1e8 - 16))
    for batch in range(2, 5):
        scale = scale.after(jnp.array([9999.0, 10001.0])[:, None, None], jnp.ones((2, 1), bool), jnp.float32(batch))
        assert 0 <= scale.variance() <= 2


def test_the_start_and_the_least():
    assert START.deviation() == 1.0
    same = scale_of(jnp.full((BATCHES, 2, 2, 2), 7.0), jnp.ones((2, 2), bool))
    np.testing.assert_allclose(same.deviation(), 0.1)
    assert np.isfinite(same.variance())
