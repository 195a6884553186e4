"""A running scale of returns, by which critic and policy gradient are normalized."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class ReturnScale(NamedTuple):
    """How large returns are, over the last thousand batches at most. Starts as if they had mean 0 and deviation 1.

    Squares are taken of what is left beside the mean, as a difference of large squares is lost to rounding. (Chan et
    al. 1983, with a rate in place of a count.)
    """

    mean: jax.Array  # [] float32
    square: jax.Array  # [] float32, minus the variance; in checkpoints of old, where positive, the mean of squares

    def variance(self) -> jax.Array:
        """[] float32."""
        # rounding may have left old checkpoints less than nothing, which must not be stored as a mean of squares again
        return jnp.where(self.square > 0, jnp.maximum(self.square - self.mean**2, 0.0), -self.square)

    def deviation(self) -> jax.Array:
        """[] at least 0.1 (as in MAPPO's released code): what hardly varies must not be blown up."""
        return jnp.sqrt(jnp.maximum(self.variance(), 0.01))

    def after(self, returns: jax.Array, valid: jax.Array, batches: jax.Array) -> ReturnScale:
        """With the returns [B, T, N] of one more batch, the `batches`-th, at the real steps [B, T]."""
        real = jnp.broadcast_to(valid[..., None], returns.shape)

        def over_real(x: jax.Array) -> jax.Array:
            return jnp.where(real, x, 0.0).sum() / jnp.maximum(real.sum(), 1).astype(jnp.float32)

        rate = jnp.maximum(1.0 / batches, 1e-3)
        mean = over_real(returns)
        within, moved = over_real((returns - mean) ** 2), mean - self.mean
        variance = (1.0 - rate) * (self.variance() + rate * moved**2) + rate * within
        return ReturnScale(self.mean + rate * moved, -variance)
