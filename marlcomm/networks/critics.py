"""Critics: what return each agent may expect. They are needed in training only.

A critic of policies, the baseline of the policy gradient, maps the agents' memories [..., N, H] after a step and the
global state [..., S] to values [..., N]. A critic of actions says what a joint action is worth: see `ActionCritic`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.networks.layers import MLP, Linear, one_each


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


class ActionCritic(nn.Module):
    """One critic an agent of what all see and all do (MADDPG, Lowe et al. 2017, section 4.1).

    Attributes:
      hidden: width of the hidden layers (published: 64).
      layers: how many there are (published: 3 with RGMComm, 2 by the authors of MADDPG).
      shared: one set of parameters for all critics, told apart by an id, in place of one set each (published).
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
        """What each critic thinks of a joint action.

        Args:
          seen: [..., F], the same for all critics.
          action: [..., N, N, A]: for each critic (the first N) what every agent does; one-hot if discrete.

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
