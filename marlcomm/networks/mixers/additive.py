"""No mixing (IQL), and additive value factorization (VDN)."""

from __future__ import annotations

import jax
from flax import linen as nn


class IndependentMixer(nn.Module):
    """No mixing: each agent's value is trained on its own reward (IQL, Tan 1993)."""

    team: bool = False

    def __call__(self, values: jax.Array, state: jax.Array) -> jax.Array:
        """[..., N], [..., S] -> [..., N]."""
        return values


class SumMixer(nn.Module):
    """Additive value factorization: the team's value is the sum of the agents' (VDN, Sunehag et al. 2018)."""

    team: bool = True

    def __call__(self, values: jax.Array, state: jax.Array) -> jax.Array:
        """[..., N], [..., S] -> [..., 1]."""
        return values.sum(-1, keepdims=True)
