"""Control conditions: receivers hear as much as ever, and nothing of it is about the senders."""

from __future__ import annotations

import math
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from marlcomm.messages.edits.edit import between
from marlcomm.types import Messages


class Shuffle(struct.PyTreeNode):
    """Permutes messages across the batch: every receiver hears those of another environment, all of the same one.

    The distribution stays, the information goes. Who sent what, and its price, move along: that somebody says nothing
    is a message too.

    Needs at least two environments on the first axis.
    """

    ACROSS: ClassVar[bool] = True

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        count = messages.content.shape[0]
        if messages.content.ndim < 4 or count < 2:
            raise ValueError("shuffle takes messages of another environment: it needs at least 2 on the first axis")
        shift = jax.random.randint(key, (), 1, count)
        return between(messages, jax.tree.map(lambda x: jnp.roll(x, shift, axis=0), messages))


class Random(struct.PyTreeNode):
    """Resamples messages from their marginal distribution over the batch.

    In place of each stands one drawn from all that pass between agents in all environments at this step. Each is drawn
    by itself, so that, unlike with `Shuffle`, not even the messages of one receiver belong together.
    """

    ACROSS: ClassVar[bool] = True

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        shape = messages.sent.shape[:-1]  # [..., N, N]
        n = shape[-1]
        count = math.prod(shape)  # not -1: a message may have no entries
        every = jax.tree.map(lambda x: x.reshape(count, *x.shape[len(shape) :]), messages)
        first_key, second_key = jax.random.split(key)
        environment_and_sender = jax.random.randint(first_key, shape, 0, max(every.sent.shape[0] // max(n, 1), 1))
        sender = environment_and_sender % n
        receiver = (sender + jax.random.randint(second_key, shape, 1, max(n, 2))) % n
        return between(messages, jax.tree.map(lambda x: x[environment_and_sender * n + receiver], every))


class SelfOnly(struct.PyTreeNode):
    """Every receiver finds its own message wherever another's would stand.

    It hears as much as ever, and nothing about others.

    Nothing passes between agents, so nothing is paid for, though all entries count as sent.
    """

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        n = messages.sent.shape[-2]
        free = jnp.zeros_like(messages.overhead)
        own = messages._replace(overhead=None, mask=None)
        own = jax.tree.map(lambda x: x[..., jnp.arange(n), jnp.arange(n), :], own)
        own = jax.tree.map(lambda x: jnp.broadcast_to(x[..., None, :, :], messages.sent.shape), own)
        own = own._replace(price=jnp.zeros_like(own.price), overhead=free)
        return between(messages._replace(mask=None), own)
