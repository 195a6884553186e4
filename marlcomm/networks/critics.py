"""Critics: what return each agent may expect, the baseline of the policy gradient.

A critic maps the agents' memories [..., N, H] after a step and the global state [..., S] to values [..., N]. It is
needed in training only.
"""

from __future__ import annotations

import jax
from flax import linen as nn

from marlcomm.networks.layers import MLP, Linear


class LocalCritic(nn.Module):
    """Reads each agent's own memory, as CommNet's and IC3Net's value heads do."""

    @nn.compact
    def __call__(self, memory: jax.Array, state: jax.Array) -> jax.Array:
        """[..., N, H], [..., S] -> [..., N]."""
        return Linear(1)(memory)[..., 0]


class CentralCritic(nn.Module):
    """Reads the global state only (MAPPO, Yu et al. 2022): its gradient does not reach the agents.

    Attributes:
      hidden: width of the two hidden layers.
    """

    hidden: int = 64

    @nn.compact
    def __call__(self, memory: jax.Array, state: jax.Array) -> jax.Array:
        """[..., N, H], [..., S] -> [..., N]."""
        return MLP((self.hidden, self.hidden, memory.shape[-2]))(state)
