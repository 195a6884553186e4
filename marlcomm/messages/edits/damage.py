"""Edits that damage what is sent: lost messages, noise, and coarser numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import struct

from marlcomm.messages.edits.edit import between_agents, require, to_whole
from marlcomm.types import Messages, Scalar

_LOUDEST_NOISE = 1e6  # beyond it nothing is left of a message, and networks overflow


class Drop(struct.PyTreeNode):
    """Loses each message as a whole with `probability`: for the receiver nothing came, and the sender has paid."""

    probability: Scalar = 0.5

    def __post_init__(self) -> None:
        require("probability", self.probability, 0.0, 1.0)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        fate = jax.random.uniform(key, messages.sent.shape[:-1])[..., None]
        lost = jnp.broadcast_to((fate < self.probability) & between_agents(messages), messages.sent.shape)
        return messages._replace(
            content=jnp.where(lost, 0.0, messages.content), lost=lost if messages.lost is None else messages.lost | lost
        )


class Noise(struct.PyTreeNode):
    """Adds Gaussian noise of standard deviation `sigma` to every entry that passes between agents."""

    sigma: Scalar = 1.0

    def __post_init__(self) -> None:
        require("sigma", self.sigma, 0.0, _LOUDEST_NOISE)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        blur = self.sigma * jax.random.normal(key, messages.content.shape)
        return messages._replace(content=messages.content + jnp.where(between_agents(messages), blur, 0.0))


class Quantize(struct.PyTreeNode):
    """Sends every number in `bits` bits, at that price; symbols that cost no more than that anyway stay as they are.

    Numbers that a `QuantizedChannel` sends in a code of varying length are all sent in `bits` bits: a receiver that is
    not told which code an entry comes in could not read it.

    The M = 2^bits values, rounded down to a whole number, are evenly spaced in x / (1 + |x|): fine around 0, coarse for
    large numbers, the largest being M - 1, so that no range needs to be agreed on. One bit says -1 or 1. Gradient
    passes straight through.
    """

    bits: Scalar = 8.0

    def __post_init__(self) -> None:
        require("bits", self.bits, 1.0, 32.0)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        content, levels = messages.content, to_whole(2.0**self.bits, jnp.floor)
        within = content / (1.0 + jnp.abs(content))  # -1 .. 1
        cell = jnp.clip(jnp.floor((within + 1.0) / 2.0 * levels), 0.0, levels - 1.0)
        middle = (cell + 0.5) / levels * 2.0 - 1.0
        # from 24 bits on, the outermost middle is rounded to 1
        nearest = jnp.clip(middle / (1.0 - jnp.abs(middle)), 1.0 - levels, levels - 1.0)
        rounded = jax.lax.stop_gradient(nearest) + (content - jax.lax.stop_gradient(content))
        numbers = messages.price > self.bits if messages.numbers is None else messages.numbers
        coarser = numbers & between_agents(messages)
        return messages._replace(
            content=jnp.where(coarser, rounded, content), price=jnp.where(coarser, self.bits, messages.price)
        )
