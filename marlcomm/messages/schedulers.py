"""Schedulers: who listens to whom, decided by every receiver from encodings of what all agents know.

A scheduler maps encodings [..., N, N, E], the receiver that knows them before the sender whose they are, and who was
heard, [..., N, N] in the same order, to logits [..., N, N, G] of a link from that sender, one for each of G graphs.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.messages.channels.attention import attention
from marlcomm.networks.layers import MLP, Linear, uniform_within


class AdditiveScores(nn.Module):
    """Additive attention scores of a graph attention layer: LeakyReLU(a [W x_receiver || W x_sender]), slope 0.2.

    Attributes:
      heads: how many parts of the features are scored, each with an `a` of its own.
    """

    heads: int

    @nn.compact
    def __call__(self, sender: jax.Array, receiver: jax.Array) -> jax.Array:
        """[..., N, N, F] and [..., N, N, F], both already W x and one of them maybe broadcast -> [..., heads, N, N]."""
        size = sender.shape[-1] // self.heads
        initializer = uniform_within((3.0 / size) ** 0.5)

        def part(name: str, x: jax.Array) -> jax.Array:
            weights = self.param(name, initializer, (self.heads, size))
            # one product, as the CPU compiler would repeat a sum for every pair that it is broadcast to
            return x @ (weights[..., None] * jnp.eye(self.heads)[:, None]).reshape(-1, self.heads)

        scores = nn.leaky_relu(part("sender", sender) + part("receiver", receiver), 0.2)
        return jnp.moveaxis(scores, -1, -3)


class DotScores(nn.Module):
    """Scaled dot-product attention scores: (W_q x_receiver) . (W_k x_sender) / root of size.

    Attributes:
      size: of queries and keys.
    """

    size: int

    @nn.compact
    def __call__(self, sender: jax.Array, receiver: jax.Array) -> jax.Array:
        """[..., N, N, F] and [..., N, N, F], one of them maybe broadcast -> [..., 1, N, N]."""
        query, key = Linear(self.size, name="query")(receiver), Linear(self.size, name="key")(sender)
        return (query * key).sum(-1)[..., None, :, :] / self.size**0.5


class PairScheduler(nn.Module):
    """MLP on the encodings of receiver and sender, one a graph (MAGIC, Niu et al. 2021).

    Attributes:
      graphs: G.
      heads: 0 for the encodings as they are; else all that a receiver knows goes through a graph attention layer
        first, of so many heads, whose outputs are averaged, over the complete graph of those that it heard.
    """

    graphs: int
    heads: int = 0

    @nn.compact
    def __call__(self, known: jax.Array, heard: jax.Array) -> jax.Array:
        """See the module."""
        size = known.shape[-1]
        encoded = self._encode(known, heard) if self.heads else known
        pair = jnp.concatenate([jnp.broadcast_to(own(encoded)[..., None, :], encoded.shape), encoded], -1)
        widths = (max(size // 2, 1), max(size // 2, 1), 1)
        return jnp.concatenate([MLP(widths, name=f"graph_{number}")(pair) for number in range(self.graphs)], -1)

    def _encode(self, known: jax.Array, heard: jax.Array) -> jax.Array:
        """Every receiver's own encodings of all nodes of the graph, as far as it knows them."""
        *lead, n, _, size = known.shape
        # one leading axis: jaxlib 0.10.2 to 0.11.0 can crash on a CPU where it reduces arrays of seven axes (jax#39257)
        known, heard = known.reshape(-1, n, n, size), heard.reshape(-1, n, n)
        features = Linear(self.heads * size, name="encoder")(known)  # [L, receiver, node, heads * E]
        scores = AdditiveScores(self.heads, name="encoder_scores")(features[..., :, None, :], features[..., None, :, :])
        weights = attention(scores, heard[..., None, :, None])  # [L, receiver, heads, node from, node to]
        encoded = jnp.einsum("...hij,...ihe->...je", weights, in_heads(features, self.heads)) / self.heads
        return encoded.reshape(*lead, n, n, size)


class SequenceScheduler(nn.Module):
    """Hard attention by a bidirectional LSTM over the pairs of a receiver and each sender (G2ANet, Liu et al. 2020).

    The LSTM has 2E units each way, and passes over the receiver itself and all that it did not hear.

    Attributes:
      graphs: G.
    """

    graphs: int

    @nn.compact
    def __call__(self, known: jax.Array, heard: jax.Array) -> jax.Array:
        """See the module."""
        n, size = known.shape[-2:]
        pair = jnp.concatenate([jnp.broadcast_to(own(known)[..., None, :], known.shape), known], -1)
        others_heard = heard & ~jnp.eye(n, dtype=bool)
        both = [_LSTM(2 * size, reverse, name=name)(pair, others_heard) for name, reverse in _WAYS.items()]
        return Linear(self.graphs, name="head")(jnp.concatenate(both, -1))


_WAYS: Mapping[str, bool] = {"forward": False, "backward": True}


class _LSTM(nn.Module):
    """An LSTM along the last but one axis, which skips what is masked.

    Attributes:
      units: how many it has.
      reverse: whether it begins at the end.
    """

    units: int
    reverse: bool

    @nn.compact
    def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
        """[..., L, F], [..., L] bool -> [..., L, units]."""
        initializer = uniform_within(1.0 / self.units**0.5)
        cell = nn.OptimizedLSTMCell(
            self.units, kernel_init=initializer, recurrent_kernel_init=initializer, bias_init=initializer, name="cell"
        )

        def step(cell: nn.OptimizedLSTMCell, carry: tuple, now: tuple) -> tuple:
            x, keep = now
            carried, _ = cell(carry, x)
            carry = jax.tree.map(lambda new, old: jnp.where(keep[..., None], new, old), carried, carry)
            return carry, carry[1]

        scan = nn.scan(
            step, variable_broadcast="params", split_rngs={"params": False}, in_axes=0, out_axes=0, reverse=self.reverse
        )
        start = (jnp.zeros((*x.shape[:-2], self.units), x.dtype),) * 2
        _, outputs = scan(cell, start, (jnp.moveaxis(x, -2, 0), jnp.moveaxis(mask, -1, 0)))
        return jnp.moveaxis(outputs, 0, -2)


def own(known: jax.Array) -> jax.Array:
    """[..., N, N, F] -> [..., N, F]: what stands on the diagonal."""
    return jnp.einsum("...iif->...if", known)


def in_heads(x: jax.Array, heads: int) -> jax.Array:
    """[..., F] -> [..., heads, F / heads]."""
    return x.reshape(*x.shape[:-1], heads, -1)
