"""Critics, needed in training only: state-value critics of on-policy learners, action-value critics of MADDPG and DOP.

A state-value critic maps the agents' memories [..., N, H] after a step and the global state [..., S] to [..., N].
"""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.networks.layers import MLP, Linear, check_positive, one_each

_POSITIVE = 1e-10  # keeps a sum of weights above 0


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

    def __post_init__(self) -> None:
        check_positive(self, "hidden")
        super().__post_init__()

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
        check_positive(self, "hidden", "layers")
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
        joint = action.reshape(*action.shape[:-2], -1)
        return _one_value_each((self.hidden,) * self.layers, self.shared, seen[..., None, :], joint)


class DecomposedCritic(nn.Module):
    """Linearly decomposed centralized critic (DOP, Wang et al. 2021): one team value, the same for all agents.

      Q(s, a) = sum_i k_i(s) Q_i(s, a_i) + b(s)        k_i >= 0

    An agent's gradient is k_i(s) that of its own Q_i, whatever the others do. The weights are normalized to sum to 1,
    as released; as every Q_i reads s, the team values that can be had are the same.

    Attributes:
      hidden: width of the hidden layers.
      layers: number of hidden layers of each Q_i; weights and b have one.
      shared: whether all Q_i share parameters and read the agent's id.
    """

    hidden: int = 64
    layers: int = 3
    shared: bool = False

    of_the_team: ClassVar[bool] = True  # all critics are one: [..., 1, N, A] will do, and gives [..., 1]

    def __post_init__(self) -> None:
        check_positive(self, "hidden", "layers")
        super().__post_init__()

    @nn.compact
    def __call__(self, seen: jax.Array, action: jax.Array) -> jax.Array:
        """See `ActionCritic`; where all evaluate the same joint action, all N values are the same."""
        n = action.shape[-2]
        each = _one_value_each((self.hidden,) * self.layers, self.shared, seen[..., None, None, :], action)
        size = jnp.abs(MLP((self.hidden, n), name="weights")(seen)) + _POSITIVE
        weights = size / size.sum(-1, keepdims=True)
        return (weights[..., None, :] * each).sum(-1) + MLP((self.hidden, 1), name="offset")(seen)


def _one_value_each(widths: tuple[int, ...], shared: bool, seen: jax.Array, action: jax.Array) -> jax.Array:
    """[..., N] by a network for each agent, or one that reads ids, of [..., 1, F] and [..., N, what is evaluated]."""
    n = action.shape[-2]
    rows = [jnp.broadcast_to(seen, (*action.shape[:-1], seen.shape[-1])), action]
    if shared:
        rows.append(jnp.broadcast_to(jnp.eye(n, dtype=action.dtype), (*action.shape[:-1], n)))
    network = MLP if shared else one_each(MLP, n)
    return network((*widths, 1))(jnp.concatenate(rows, -1))[..., 0]
