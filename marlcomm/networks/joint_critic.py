"""A centralized joint action-value network."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.networks.layers import MLP, check_positive, one_each, side_by_side
from marlcomm.networks.mixers import MonotonicMixer


class JointCritic(nn.Module):
    """Centralized joint action-value network: a feed-forward QMIX whose utilities and mixer read all agents' views.

    Needed in training only, to label what agents see by its value to the others: utilities of an agent's own view
    hardly depend on what only others could use. Ours, after RGMComm's remark on other learners (Chen et al. 2024).

    Attributes:
      num_agents: N.
      num_actions: A.
      hidden: width of each hidden layer.
      layers: number of hidden layers.
    """

    num_agents: int
    num_actions: int
    hidden: int = 64
    layers: int = 2

    def __post_init__(self) -> None:
        check_positive(self, "num_agents", "num_actions", "hidden", "layers")
        super().__post_init__()

    def setup(self) -> None:
        self.network = one_each(MLP, self.num_agents)((*(self.hidden,) * self.layers, self.num_actions))
        self.mixer = MonotonicMixer(hypernet_layers=2)

    def utilities(self, views: jax.Array) -> jax.Array:
        """[..., N, O] views of all agents -> [..., N, A] utilities of each agent's actions."""
        joint = side_by_side(views)
        return self.network(jnp.broadcast_to(joint[..., None, :], (*views.shape[:-1], joint.shape[-1])))

    def __call__(self, views: jax.Array, action: jax.Array) -> jax.Array:
        """[..., N, O] views, [..., N, A] one-hot actions -> [...] joint action value."""
        return self.mix((self.utilities(views) * action).sum(-1), views)

    def mix(self, chosen: jax.Array, views: jax.Array) -> jax.Array:
        """[..., N] utilities of the chosen actions, [..., N, O] views -> [...] joint action value."""
        return self.mixer(chosen, side_by_side(views))[..., 0]
