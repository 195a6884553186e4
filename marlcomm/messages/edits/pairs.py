"""Interventions on chosen senders and receivers, by which analyses ask what a message does."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from marlcomm.types import Messages, others


class CutPairs(struct.PyTreeNode):
    """Lets nothing pass between the pairs that `cut` names; what an agent tells itself is never cut.

    Who may talk to whom is fixed beforehand, so no mask is paid for, and a pair that is cut pays nothing.

    Attributes:
      cut: [N, N] bool, sender first.
    """

    cut: jax.Array

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        cut = self.cut & others(messages.sent.shape[-2])
        return messages._replace(
            sent=messages.sent & ~cut[..., None],
            overhead=jnp.where(cut, 0.0, messages.overhead),
            mask=None if messages.mask is None else jnp.where(cut, 0.0, messages.mask),
        )


class SwapPairs(struct.PyTreeNode):
    """Lets the pairs that `swap` names hear what was said between them in another environment at the same step.

    The receiver gets what it is used to hearing, but it tells nothing. Needs two environments or more on the first
    axis; one whose episode is over goes on to supply messages.

    Attributes:
      swap: [N, N] bool, sender first.
    """

    ACROSS: ClassVar[bool] = True

    swap: jax.Array

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        swap = (self.swap & others(messages.sent.shape[-2]))[..., None]
        return messages._replace(
            content=jnp.where(swap, jnp.roll(messages.content, 1, 0), messages.content),
            sent=jnp.where(swap, jnp.roll(messages.sent, 1, 0), messages.sent),
        )


class ReplaceSender(struct.PyTreeNode):
    """Replaces what one agent sends to others; what it tells itself stays.

    Attributes:
      sender: [] int32, whose messages.
      content: [..., N, N, D] what is said instead, in all rounds of a step, side by side; only the sender's rows are
        read.
      sent: [..., N, N, D] bool, which of it is sent. None for all entries that are not zero; a request may have no
        content, and is then taken for none.
    """

    sender: jax.Array
    content: jax.Array
    sent: jax.Array | None = None

    def only(self, entries: slice) -> ReplaceSender:
        """The edit for one round, whose messages are these entries of D."""
        sent = None if self.sent is None else self.sent[..., entries]
        return self.replace(content=self.content[..., entries], sent=sent)

    def __call__(self, messages: Messages, key: jax.Array) -> Messages:
        """See `Edit`."""
        count = messages.sent.shape[-2]
        replaced = ((jnp.arange(count) == self.sender)[:, None] & others(count))[..., None]  # [N, N, 1]
        return messages._replace(
            content=jnp.where(replaced, self.content, messages.content),
            sent=jnp.where(replaced, self.content != 0 if self.sent is None else self.sent, messages.sent),
        )
