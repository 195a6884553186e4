"""NDQ's channel: Gaussian messages of unit variance, one to each receiver (Wang et al. 2020, section 3)."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.losses.information import expressiveness_loss, succinctness_loss
from marlcomm.messages.channel import Channel, ChannelLoss, by_receiver, offer, seen_by
from marlcomm.networks.layers import MLP, check_positive
from marlcomm.types import Messages, others
from marlcomm.validation import check_number


class GaussianChannel(Channel):
    """Stochastic continuous messages, Gaussian around a learned mean (NDQ).

    Each sender encodes a mean for every receiver and dimension; what travels is a sample around it.

    The encoder and the posterior q(a_j | x_j, m_j) of the expressiveness loss live here, as in the released code.
    `receive` reports the posterior's logits as `posterior_logits` [..., N, A], and `send` the means as
    `message_mean` [..., N, N, D].

    Attributes:
      dims: D, dimensions of the message to one receiver (published: 2 on the grid tasks, 3 on StarCraft).
      hidden: width of the encoder's two hidden layers.
      sigma: standard deviation of the sample; 1 as published, 0 for messages without noise.
      self_message: whether a receiver also gets the message that it sent to itself (the released code does).
      posterior_width: hidden width of the posterior as a multiple of what a receiver gets (published: 4).
      reads_memory: False encodes the current input only (released code), True the memory too (the paper's f(tau)).
    """

    dims: int = 2
    hidden: int = 64
    sigma: float = 1.0
    self_message: bool = True
    posterior_width: int = 4

    def __post_init__(self) -> None:
        if self.dims < 1:
            raise ValueError(f"dims is {self.dims}: a message has at least 1 dimension (SilentChannel has none)")
        check_positive(self, "hidden", "posterior_width")
        check_number("sigma", self.sigma, 0.0)
        super().__post_init__()

    @nn.nowrap
    def losses(self) -> Mapping[str, ChannelLoss]:
        """NDQ's two, by its weights: beta is that of succinctness."""
        return {
            "expressiveness": ChannelLoss(expressiveness_loss, 0.1, needs="discrete_actions"),
            "succinctness": ChannelLoss(succinctness_loss, 1e-3, short_name="beta"),
        }

    def setup(self) -> None:
        received = self.num_agents * self.dims
        self.encoder = MLP((self.hidden, self.hidden, received))
        width = self.posterior_width * received
        self.posterior = MLP((width, width, self.num_actions))

    def send(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array
    ) -> tuple[Messages, dict[str, jax.Array]]:
        """See `Channel.send`. Importance of an entry is the size of its mean."""
        mean = self.encoder(seen_by(inputs, memory)).reshape(*inputs.shape[:-1], self.num_agents, self.dims)
        if not self.self_message:
            mean = jnp.where(others(self.num_agents)[..., None], mean, 0.0)
        sample = mean + self.sigma * jax.random.normal(key, mean.shape)
        return offer(sample, jnp.abs(mean)), {"message_mean": mean}

    def receive(self, inputs: jax.Array, messages: Messages) -> tuple[jax.Array, dict[str, jax.Array]]:
        """See `Channel.receive`: all senders' messages side by side, in a fixed order; M is N*D."""
        content = messages.content
        if not self.self_message:
            content = jnp.where(others(self.num_agents)[..., None], content, 0.0)
        received = by_receiver(content)
        logits = self.posterior(jnp.concatenate([inputs, received], -1))
        return received, {"posterior_logits": logits}
