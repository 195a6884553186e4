"""Trainable bits for any channel: dithered rounding, and what the integers cost that are sent (DDCL)."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.losses.bits import bits_loss
from marlcomm.losses.interval import Since
from marlcomm.messages.channel import BITS_PER_REAL, ChannelLoss, Received, Reported, Transmit
from marlcomm.messages.edits.edit import between
from marlcomm.messages.wrapper import ChannelWrapper
from marlcomm.types import Messages
from marlcomm.validation import UsageError


class QuantizedChannel(ChannelWrapper):
    """Subtractively dithered quantization of another channel's messages, with a differentiable price in bits (DDCL).

    Of each real number z that the inner channel offers, the integer k = round((z + u) / `step`) is sent, and the
    receiver makes `step` k - u of it. The dither u, uniform in -`step` / 2 .. `step` / 2, is drawn from randomness that
    sender and receivers share, once for each entry of a sender. The error is then uniform in that range and independent
    of z, so the gradient that passes straight through is unbiased. Symbols, which cost less than 32 bits, are passed on
    as they are, at their price; so is what agents tell themselves.

    The bits are those of the integers sent, `code_length`: the price of each entry. Its gradient is that of its mean
    over the dither, `expected_code_length`. The loss `bits` asks for fewer bits; its weight is 0 by default. It counts
    from `losses.bits.start` environment steps on (0): a team that pays before it has anything to say falls silent.

    DDCL (arXiv 2511.01554, section 4) pays log2(2 |z| / `step` + 1), a bound on the mean; here the integers are paid.

    Attributes:
      channel: whose numbers are rounded.
      step: delta, distance of the values that can be sent, in units of the content; above 0.
    """

    step: float

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise ValueError(f"step is {self.step}: must be above 0, the distance of the values that can be sent")
        inner = self.channel
        while isinstance(inner, ChannelWrapper):
            if isinstance(inner, QuantizedChannel):
                raise UsageError(f"channel={type(self.channel).__name__}(...) is quantized already: set its own step.")
            inner = inner.channel
        super().__post_init__()

    @nn.nowrap
    def losses(self) -> Mapping[str, ChannelLoss]:
        """The inner channel's, and `bits`, by default of no weight."""
        return {**super().losses(), "bits": ChannelLoss(Since(0, bits_loss), 0.0)}

    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[Received, Reported]:
        """See `Channel.talk`; what is heard and reported is as the inner channel says."""
        talk_key, dither_key = jax.random.split(key)
        rounds = 0

        def change(messages: Messages) -> Messages:
            nonlocal rounds
            rounds += 1
            messages = messages._replace(numbers=messages.price >= BITS_PER_REAL)
            return between(messages, quantize(messages, self.step, jax.random.fold_in(dither_key, rounds)))

        return self.channel.talk(inputs, memory, talk_key, transmit.through(change))


def quantize(messages: Messages, step: float, key: jax.Array) -> Messages:
    """Messages [..., N, N, D] with every real number rounded to a dithered grid, at the price of the integers."""
    content, real = messages.content, messages.price >= BITS_PER_REAL
    senders = (*content.shape[:-2], 1, content.shape[-1])  # all who listen to a sender know its dither
    dither = step * jax.random.uniform(key, senders, minval=-0.5, maxval=0.5)
    integer = jnp.round(jax.lax.stop_gradient(content + dither) / step)
    rounded = step * integer - dither + (content - jax.lax.stop_gradient(content))
    entries = real.sum(-1, keepdims=True)
    expected = expected_code_length(content / step, entries)
    price = code_length(integer, entries) + (expected - jax.lax.stop_gradient(expected))
    return messages._replace(content=jnp.where(real, rounded, content), price=jnp.where(real, price, messages.price))


def code_length(integer: jax.Array, entries: jax.Array | int) -> jax.Array:
    """[...] bits of integers, each one of `entries` in a message, under a fixed prior.

    A 0 has probability 2^(-1/D), where D is `entries`; k other than 0 shares what is left, 1/2 for each sign, as
    1 / (m (m + 1)) for the magnitude m = |k|::

      L(0) = 1 / D        L(k) = 1 - log2(1 - 2^(-1/D)) + log2(m (m + 1))

    A message of zeros costs 1 bit, and naming the few entries that are not 0 about log2 D bits each: agents that have
    little to say pay for that, and not for the width of the channel. Strictly growing in |k|. The probabilities sum to
    1: these are ideal lengths. As a message is needed at the step in which it is sent, an arithmetic coder must be
    flushed after each, and spends up to 2 bits a message more than the sum of its lengths.
    """
    integer, entries = jax.lax.stop_gradient(jnp.abs(integer)), jnp.maximum(entries, 1)
    something = -jnp.log2(-jnp.expm1(-jnp.log(2.0) / entries))
    magnitude = jnp.maximum(integer, 1.0)
    length = 1.0 + something + jnp.log2(magnitude) + jnp.log2(magnitude + 1.0)
    return jnp.where(integer < 0.5, 1.0 / entries, length)


def expected_code_length(x: jax.Array, entries: jax.Array | int) -> jax.Array:
    """[...] mean bits of round(x + v) over v uniform in -1/2 .. 1/2; differentiable almost everywhere, and 0 at 0.

    That integer is one of the two around x, the nearer the likelier: the mean is `code_length` interpolated linearly.
    """
    size = x * jax.lax.stop_gradient(jnp.sign(x))
    below = jax.lax.stop_gradient(jnp.floor(size))
    share = size - below
    return (1.0 - share) * code_length(below, entries) + share * code_length(below + 1.0, entries)
