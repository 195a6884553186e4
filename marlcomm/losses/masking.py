"""Means over what a mask counts: padding can reach no loss, whatever stands in it."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def masked_mean(x: jax.Array, weight: jax.Array) -> jax.Array:
    """[] mean of `x` over the entries whose `weight` (the same shape, 0 or 1) is 1; 0 where there are none."""
    return jnp.where(weight > 0, x, 0.0).sum() / jnp.maximum(weight.sum(), 1.0)
