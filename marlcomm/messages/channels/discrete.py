"""Discrete messages trained end to end: symbols of any vocabulary, by Gumbel noise and straight-through gradients.

The heir of DIAL (Foerster et al. 2016), whose one-bit messages were trained through noise; the estimator is that of
Jang et al. 2017.
"""

from __future__ import annotations

import math

import distrax
import jax
import jax.numpy as jnp

from marlcomm.messages.channel import Channel, by_receiver, offer, seen_by
from marlcomm.networks.layers import MLP
from marlcomm.renamed import old_names
from marlcomm.types import Messages
from marlcomm.validation import check_number


@old_names(symbols="vocab_size", words="message_length")
class DiscreteChannel(Channel):
    """Discrete messages trained by the straight-through Gumbel-softmax estimator.

    Each sender picks `message_length` symbols of a vocabulary for every receiver, at log2 `vocab_size` bits each.

    What travels is one-hot; the gradient is that of the softmax at `temperature`. The importance of a symbol is the
    divergence of its distribution from the uniform one, in nats: what all choices alike are worth is 0. All entries of
    a symbol have the same, and share its price. `send` reports `symbol_logits` [..., N, N, message_length, vocab_size].

    Attributes:
      vocab_size: size of the vocabulary, at least 2 (DIAL: 2).
      message_length: symbols in one message.
      hidden: width of the encoder's two hidden layers.
      temperature: of the softmax that gives the gradient.
      noise: share of Gumbel noise in the choice: 1 samples the softmax, 0 takes the likeliest symbol.
    """

    vocab_size: int = 4
    message_length: int = 1
    hidden: int = 64
    temperature: float = 1.0
    noise: float = 1.0

    says_numbers = False

    def __post_init__(self) -> None:
        for name, least in (("vocab_size", 2), ("message_length", 1), ("hidden", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: must be at least {least}")
        if self.temperature <= 0:
            raise ValueError(f"temperature is {self.temperature}: must be above 0")
        check_number("noise", self.noise, 0.0)
        super().__post_init__()

    def setup(self) -> None:
        self.encoder = MLP((self.hidden, self.hidden, self.num_agents * self.message_length * self.vocab_size))

    def send(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array
    ) -> tuple[Messages, dict[str, jax.Array]]:
        """See `Channel.send`; D is message_length * vocab_size."""
        n = self.num_agents
        logits = self.encoder(seen_by(inputs, memory)).reshape(
            *inputs.shape[:-1], n, self.message_length, self.vocab_size
        )
        noisy = logits + self.noise * jax.random.gumbel(key, logits.shape)
        soft = jax.nn.softmax(noisy / self.temperature)
        chosen = jax.nn.one_hot(jnp.argmax(noisy, -1), self.vocab_size) + (soft - jax.lax.stop_gradient(soft))
        certainty = jnp.asarray(math.log(self.vocab_size) - distrax.Categorical(logits=logits).entropy())
        importance = jnp.broadcast_to(certainty[..., None], chosen.shape)
        as_message = (*inputs.shape[:-1], n, self.message_length * self.vocab_size)
        bits = math.log2(self.vocab_size) / self.vocab_size
        messages = offer(chosen.reshape(as_message), importance.reshape(as_message), bits)
        return messages, {"symbol_logits": logits}

    def receive(self, inputs: jax.Array, messages: Messages) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Channel.receive`: all senders' symbols side by side, in a fixed order; M is N*D."""
        return by_receiver(messages.content), {}
