"""Means over what a mask counts: padding can reach no loss, whatever stands in it."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def masked_mean(x: jax.Array, weight: jax.Array) -> jax.Array:
    """[] weighted mean of `x` over the entries of positive `weight` (the same shape); the divisor is at least 1."""
    return jnp.where(weight > 0, x, 0.0).sum() / jnp.maximum(weight.sum(), 1.0)
