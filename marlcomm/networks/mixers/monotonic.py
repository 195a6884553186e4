"""Monotonic value factorization (QMIX)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.networks.layers import MLP, Linear, check_positive


class MonotonicMixer(nn.Module):
    """Monotonic value factorization by hypernetworks of the state (QMIX, Rashid et al. 2018): argmax factorizes.

    Its parameters, with one layer | more layers a hypernetwork (`agents.torch_layout` maps them to PyMARL's):

      Linear_0 | MLP_0   state -> weights of the first layer, [N * embedding]
      Linear_1 | MLP_1   state -> weights of the last layer, [embedding]
      Linear_2 | Linear_0   state -> bias of the first layer, [embedding]
      MLP_0 | MLP_2   state -> what is added at the end, [1], over a hidden layer of `embedding`

    Attributes:
      embedding: hidden units of the mixing network.
      hypernet_layers: layers of the hypernetworks: 1 in NDQ's released code, 2 in PyMARL's QMIX.
      hypernet_hidden: width of the hidden layer when `hypernet_layers` is 2.
    """

    embedding: int = 32
    hypernet_layers: int = 1
    hypernet_hidden: int = 64
    team: bool = True

    def __post_init__(self) -> None:
        check_positive(self, "embedding", "hypernet_layers", "hypernet_hidden")
        super().__post_init__()

    @nn.compact
    def __call__(self, values: jax.Array, state: jax.Array) -> jax.Array:
        """[..., N], [..., S] -> [..., 1], not decreasing in any value."""
        n = values.shape[-1]
        first = jnp.abs(self._hypernet(n * self.embedding)(state)).reshape(*state.shape[:-1], n, self.embedding)
        last = jnp.abs(self._hypernet(self.embedding)(state))
        bias = Linear(self.embedding)(state)
        offset = MLP((self.embedding, 1))(state)
        # one by one: a sum over a short axis takes XLA's processor code a third of a training step
        together = sum(values[..., agent, None] * first[..., agent, :] for agent in range(n))
        hidden = nn.elu(together + bias)
        return (hidden * last).sum(-1, keepdims=True) + offset

    def _hypernet(self, features: int) -> nn.Module:
        if self.hypernet_layers == 1:
            return Linear(features)
        return MLP((self.hypernet_hidden,) * (self.hypernet_layers - 1) + (features,))
