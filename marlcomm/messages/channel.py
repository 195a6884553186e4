"""The interface of a channel: what may be sent, what each number is worth, what the receiver makes of it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.types import Messages, others

BITS_PER_REAL = 32.0


class Channel(nn.Module):
    """How agents talk. Subclass it, write `send` and `receive` (layers in `setup`), and pass an instance.

    An algorithm fills in `num_agents` and `num_actions` before use, so an instance is written without them.

    Attributes:
      reads_memory: True if `send` reads the agents' hidden memory; the channel then runs inside the time scan,
        step by step. Channels that read inputs only run once over all steps, which is faster.
    """

    num_agents: int = 0
    num_actions: int = 0
    reads_memory: bool = False

    def send(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array
    ) -> tuple[Messages, dict[str, jax.Array]]:
        """What every agent offers to every agent.

        Args:
          inputs: [..., N, K] what each agent sees now.
          memory: [..., N, H] each agent's memory of earlier steps, or None unless `reads_memory`.
          key: randomness for sampled messages.

        Returns:
          the messages (leading axes as those of `inputs`) and named arrays for losses, with the same leading axes.
        """
        raise TypeError(f"{type(self).__name__} must define send(inputs, memory, key)")

    def receive(self, inputs: jax.Array, messages: Messages) -> tuple[jax.Array, dict[str, jax.Array]]:
        """What each receiver's network is given.

        Args:
          inputs: [..., N, K] what each receiver sees now.
          messages: after edits; `content` is already zero wherever `sent` is False.

        Returns:
          [..., N, M] one row a receiver, and named arrays for losses.
        """
        raise TypeError(f"{type(self).__name__} must define receive(inputs, messages)")


def offer(content: jax.Array, importance: jax.Array | None = None, bits: float = BITS_PER_REAL) -> Messages:
    """Messages in which everything is sent, `bits` bits an entry.

    Args:
      content: [..., N, N, D], sender before receiver.
      importance: the same shape; by default the absolute content.
      bits: price of one entry: 32 for a real number, log2 M for a label of an alphabet of M.
    """
    return Messages(
        content=content,
        importance=jnp.abs(content) if importance is None else importance,
        sent=jnp.ones(content.shape, bool),
        price=jnp.full(content.shape, bits, jnp.float32),
        overhead=jnp.zeros(content.shape[:-1], jnp.float32),
    )


def deliver(messages: Messages, alive: jax.Array) -> Messages:
    """What arrives: nothing from or to the dead, and zero content wherever nothing was sent.

    Args:
      messages: [..., N, N, D]; alive: [..., N] bool.
    """
    both_alive = alive[..., :, None] & alive[..., None, :]
    sent = messages.sent & both_alive[..., None]
    return messages._replace(
        content=jnp.where(sent, messages.content, 0.0),
        sent=sent,
        overhead=jnp.where(both_alive, messages.overhead, 0.0),
    )


def bits_sent(messages: Messages) -> jax.Array:
    """[..., N] bits that each sender spends on others at a step; what an agent tells itself is free."""
    spent = jnp.where(messages.sent, messages.price, 0.0).sum(-1) + messages.overhead
    return jnp.where(others(messages.sent.shape[-2]), spent, 0.0).sum(-1)


def by_receiver(content: jax.Array) -> jax.Array:
    """[..., N, N, D] sender first -> [..., N, N*D]: each receiver's row of what all senders told it."""
    swapped = jnp.swapaxes(content, -3, -2)
    return swapped.reshape(*swapped.shape[:-2], -1)
