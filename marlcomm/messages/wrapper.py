"""A channel around another: the base of those that change what any channel says, or what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
from flax import linen as nn

from marlcomm.messages.channel import Channel, ChannelLoss, Received, Reported, Transmit
from marlcomm.validation import UsageError

_SIZES = ("num_agents", "num_actions", "input_size", "state_size")
_ASKED_OF_BOTH = ("reads_memory", "after_memory")  # they decide what a channel is given, so both must know
_OF_ALL_THAT_PASSES: Mapping[str, Any] = {"graph": None, "delay": 0, "bandwidth": None}  # these are asked of the outer


class ChannelWrapper(Channel):
    """A channel around another one. Subclass it, write `talk`, and let the inner channel talk through a change.

    `talk` as it is here passes everything on::

      def talk(self, inputs, memory, key, transmit):
          return self.channel.talk(inputs, memory, key, transmit.through(change))

    where `change` takes the messages [..., N, N, D] that the inner channel offers in a round, and gives them changed.

    The two are one channel: sizes, `reads_memory` and `after_memory` hold for both; `graph`, `delay` and `bandwidth`
    are the inner one's where the wrapper has none of its own, and are then the wrapper's. What the inner channel
    carries from step to step, the losses that it brings and its exceptions from the contract are the wrapper's, too.

    Attributes:
      channel: the inner one.
    """

    channel: Channel

    def __post_init__(self) -> None:
        if not isinstance(self.channel, Channel):
            raise UsageError(
                f"channel={self.channel!r} of {type(self).__name__} must be a channel, such as MeanChannel()."
            )
        inner = {name: getattr(self.channel, name) for name in (*_SIZES, *_ASKED_OF_BOTH, *_OF_ALL_THAT_PASSES)}
        for name, unset in _OF_ALL_THAT_PASSES.items():
            value = getattr(self, name)  # a graph may be an array, which equals nothing
            if value is None or (unset is not None and value == unset):
                setattr(self, name, inner[name])
        for name in (*_SIZES, *_ASKED_OF_BOTH):
            setattr(self, name, getattr(self, name) or inner[name])
        both = {name: getattr(self, name) for name in (*_SIZES, *_ASKED_OF_BOTH)} | dict(_OF_ALL_THAT_PASSES)
        if both != inner:  # a channel that is in use already is as it should be, and is not cloned
            self.channel = self.channel.clone(**both)
        super().__post_init__()

    def initial_state(self, *batch: int) -> Any:
        """See `Channel.initial_state`."""
        return self.channel.initial_state(*batch)

    def exceptions(self) -> Mapping[str, str]:
        """See `Channel.exceptions`."""
        return self.channel.exceptions()

    @property
    def learns_apart(self) -> bool:
        """See `Channel.learns_apart`."""
        return self.channel.learns_apart

    @property
    def entries_of_requests(self) -> int:
        """See `Channel.entries_of_requests`."""
        return self.channel.entries_of_requests

    @property
    def step_by_step(self) -> bool:
        """See `Channel.step_by_step`."""
        return self.channel.step_by_step

    @nn.nowrap
    def losses(self) -> Mapping[str, ChannelLoss]:
        """See `Channel.losses`."""
        return self.channel.losses()

    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[Received, Reported]:
        """See `Channel.talk`."""
        return self.channel.talk(inputs, memory, key, transmit)
