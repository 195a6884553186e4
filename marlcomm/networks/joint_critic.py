"""A joint_critic: what a team of which everybody sees what all see makes of joint actions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.networks.layers import MLP, one_each, side_by_side
from marlcomm.networks.mixers import MonotonicMixer


class JointCritic(nn.Module):
    """QMIX without messages or memory, of which utilities and mixer read the views of all agents.

    What one agent sees is worth something to another only in the values of a team that would use it: the utilities of
    an agent's own view hardly show it. Ours, from what RGMComm (Chen et al. 2024) says of other learners.

    Attributes:
      num_agents: N.
      num_actions: A.
      hidden: width of the hidden layers.
      layers: how many there are.
    """

    num_agents: int
    num_actions: int
    hidden: int = 64
    layers: int = 2

    def __post_init__(self) -> None:
        for name in ("num_agents", "num_actions", "hidden", "layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: must be at least 1")
        super().__post_init__()

    def setup(self) -> None:
        self.network = one_each(MLP, self.num_agents)((*(self.hidden,) * self.layers, self.num_actions))
        self.mixer = MonotonicMixer(hypernet_layers=2)

    def utilities(self, views: jax.Array) -> jax.Array:
        """[..., N, O] -> [..., N, A]: each agent's, given what all see."""
        joint = side_by_side(views)
        return self.network(jnp.broadcast_to(joint[..., None, :], (*views.shape[:-1], joint.shape[-1])))

    def __call__(self, views: jax.Array, action: jax.Array) -> jax.Array:
        """[..., N, O] views and [..., N, A] one-hot actions -> [...] what they are worth to the team."""
        return self.mix((self.utilities(views) * action).sum(-1), views)

    def mix(self, chosen: jax.Array, views: jax.Array) -> jax.Array:
        """[..., N] utilities of what is done, and [..., N, O] views -> [...]."""
        return self.mixer(chosen, side_by_side(views))[..., 0]
