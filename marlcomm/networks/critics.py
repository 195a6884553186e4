"""Critics, needed in training only: state-value critics of on-policy learners, action-value critics of MADDPG.

A state-value critic maps the agents' memories [..., N, H] after a step and the global state [..., S] to [..., N].
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.networks.layers import MLP, Linear, one_each


class LocalCritic(nn.Module):
    """State-value head on each agent's own memory, as in CommNet and IC3Net; its gradient reaches the agents."""

    @nn.compact
    def __call__(self, memory: jax.Array, state: jax.Array) -> jax.Array:
        """[..., N, H], [..., S] -> [..., N]."""
        return Linear(1)(memory)[..., 0]


class CentralCritic(nn.Module):
    """Centralized state-value critic of the global state (MAPPO, Yu et al. 2022); no gradient reaches the agents.

    Attributes:
      hidden: width of the two hidden layers.
    """

    hidden: int = 64

    @nn.compact
    def __call__(self, memory: jax.Array, state: jax.Array) -> jax.Array:
        """[..., N, H], [..., S] -> [..., N]."""
        return MLP((self.hidden, self.hidden, memory.shape[-2]))(state)


class ActionCritic(nn.Module):
    """Centralized action-value critics, one for each agent (MADDPG, Lowe et al. 2017, section 4.1).

    Attributes:
      hidden: width of the hidden layers (published: 64).
      layers: number of hidden layers (published: 3 with RGMComm, 2 by the authors of MADDPG).
      shared: whether all critics share parameters and read the agent's id; published: one set each.
    """

    hidden: int = 64
    layers: int = 3
    shared: bool = False

    def __post_init__(self) -> None:
        for name in ("hidden", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: must be at least 1")
        super().__post_init__()

    @nn.compact
    def __call__(self, seen: jax.Array, action: jax.Array) -> jax.Array:
        """Action values of a joint action, one for each critic.

        Args:
          seen: [..., F] input of all critics: the views of all agents, or the global state.
          action: [..., N, N, A]: for each critic (first N) the joint action that it evaluates; one-hot if discrete.

        Returns:
          [..., N].
        """
        n = action.shape[-3]
        joint = action.reshape(*action.shape[:-2], -1)
        rows = [jnp.broadcast_to(seen[..., None, :], (*joint.shape[:-1], seen.shape[-1])), joint]
        if self.shared:
            rows.append(jnp.broadcast_to(jnp.eye(n, dtype=joint.dtype), (*joint.shape[:-1], n)))
        network = MLP if self.shared else one_each(MLP, n)
        return network((*(self.hidden,) * self.layers, 1))(jnp.concatenate(rows, -1))[..., 0]
