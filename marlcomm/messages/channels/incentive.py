"""MAIC's channel: teammate models make messages that add to the receiver's action values (Yuan et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping

import distrax
import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.losses.incentive import attention_entropy_loss, teammate_model_loss
from marlcomm.messages.channel import Channel, ChannelLoss, Heard, Reported, Transmit, offer
from marlcomm.networks.layers import MLP, Linear, check_positive
from marlcomm.types import others


class IncentiveChannel(Channel):
    """Incentive communication by teammate models: messages bias the receiver's action values (MAIC).

    Each sender i models every teammate j by a Gaussian latent of what i remembers, z_ij ~ N(mu_j(h_i), sigma_j(h_i)^2),
    and shares its attention among its teammates, alpha_i = softmax_j(q(h_i) . k(z_ij) / root of `query_size`), j != i.
    Only those count that it reaches: as everywhere here, an agent knows the graph, and who is alive. To the action
    values of j are added sum_i alpha_ij m(h_i, z_ij), A numbers from each sender. A sender knows all of this by itself,
    alpha too: it travels within the message, and costs nothing beside it.

    In training latents are drawn, and everybody is told. In evaluation z is the mean, and pairs with
    alpha_ij <= `prune` / N are left out, with N the sender and those that it reaches; a bit a message then tells the
    receiver whether one comes.

    It talks after the memory only. The importance of an entry is what it adds, alpha_ij |m_a|; with `at_receiver`, that
    of alpha_ij is alpha_ij, and that of an entry of z is below it, as it is worth nothing without. `talk` reports
    `attention` [..., N, N] (sender, receiver) and, in training, what the two losses read: `attention_entropy` [..., N]
    in bits, and mean and variance, [..., N, N, L] each, of the teammate model and of the posterior q(z | h_i, j, a_j),
    as `teammate_mean`, `teammate_variance`, `posterior_mean`, `posterior_variance`; a_j is the best allowed action of
    j, once it has heard.

    Where the released code differs: its senders also pay attention to agents that are not alive; it evaluates m at
    (h_j, z_ij), with the receiver's memory (`at_receiver`); its a_j is the best action whether allowed or not; its
    posterior is not told j; two of its networks normalize batches.

    Attributes:
      latent: L, size of a teammate's latent (published: 8).
      width: hidden width of the networks of the latent, of messages and of the posterior (published: 64).
      query_size: size of queries and keys (published: 32).
      variance_floor: the least variance of a latent (published: 0.002).
      prune: share of an equal part, 1 / N, below which a message is not sent in evaluation (published: 0.25); 0 for
        everything.
      at_receiver: whether z_ij and alpha_ij are sent, L + 1 numbers, and the receiver makes m(h_j, z_ij) of it with
        its own memory, as released; False sends alpha_ij m(h_i, z_ij), A numbers, as the paper says.
    """

    latent: int = 8
    width: int = 64
    query_size: int = 32
    variance_floor: float = 0.002
    prune: float = 0.25
    at_receiver: bool = False
    after_memory: bool = True

    def __post_init__(self) -> None:
        check_positive(self, "latent", "width", "query_size")
        if self.variance_floor <= 0:
            raise ValueError(f"variance_floor is {self.variance_floor}: must be above 0")
        if self.prune < 0:
            raise ValueError(f"prune is {self.prune}: must be at least 0 (0 sends everything)")
        if not self.after_memory:
            raise ValueError(
                "after_memory is False: this channel makes messages of what agents remember now, and adds them to "
                "their action values; it must be True"
            )
        super().__post_init__()

    def exceptions(self) -> Mapping[str, str]:
        """See `Channel.exceptions`."""
        return {
            "permutation": "a sender models its teammates by number, and shares its attention among all but itself",
            "cut": "senders share attention among those alive, and do not know of those whose messages are cut",
        }

    @nn.nowrap
    def losses(self) -> Mapping[str, ChannelLoss]:
        """MAIC's two, by its weights."""
        return {
            "teammate_model": ChannelLoss(teammate_model_loss, 1e-3, needs="discrete_actions"),
            "attention_entropy": ChannelLoss(attention_entropy_loss, 1e-2),
        }

    def setup(self) -> None:
        self.teammate_model = MLP((self.width, self.num_agents * 2 * self.latent))
        self.posterior = MLP((self.width, 2 * self.latent))
        self.message = MLP((self.width, self.num_actions))
        self.query_head, self.key_head = Linear(self.query_size), Linear(self.query_size)

    def talk(
        self, inputs: jax.Array, memory: jax.Array | None, key: jax.Array, transmit: Transmit
    ) -> tuple[Heard, Reported]:
        """See `Channel.talk`; adds to action values only."""
        if memory is None:
            raise ValueError("this channel reads memory, and got None")
        between = others(self.num_agents) & transmit.reaches
        raw = self.teammate_model(memory).reshape(*memory.shape[:-1], self.num_agents, 2 * self.latent)
        model = self._gaussian(raw)
        latent = jnp.asarray(model.sample(seed=key) if transmit.training else model.mean())
        weights = jnp.where(between, self._attention(memory, latent, between).probs, 0.0)
        equal_part = 1.0 / (1 + between.sum(-1, keepdims=True))
        told = between if transmit.training else between & (weights > self.prune * equal_part)
        values = self._heard(memory, latent, weights, told, transmit)
        heard = Heard(action_values=values)
        reported = {"attention": weights}
        if transmit.training:
            reported |= self._what_losses_read(memory, latent, between, model, self._best(heard, transmit))
        return heard, reported

    def _gaussian(self, raw: jax.Array) -> distrax.Normal:
        """[..., 2L] mean and logarithm of the variance."""
        mean, log_variance = jnp.split(raw, 2, -1)
        return distrax.Normal(mean, jnp.sqrt(jnp.maximum(jnp.exp(log_variance), self.variance_floor)))

    def _attention(self, memory: jax.Array, latent: jax.Array, between: jax.Array) -> distrax.Categorical:
        """Of each sender [..., N], over the others that it reaches: `between` [..., N, N]."""
        scores = jnp.einsum("...iq,...ijq->...ij", self.query_head(memory), self.key_head(latent))
        return distrax.Categorical(jnp.where(between, scores / self.query_size**0.5, -1e9))

    def _heard(
        self, memory: jax.Array, latent: jax.Array, weights: jax.Array, told: jax.Array, transmit: Transmit
    ) -> jax.Array:
        """[..., N, A] what arrives adds to action values; `told` [..., N, N] bool is who is told something."""
        weight = weights[..., None]
        whose = memory[..., None, :, :] if self.at_receiver else memory[..., :, None, :]
        whose = jnp.broadcast_to(whose, (*latent.shape[:-1], memory.shape[-1]))
        if self.at_receiver:
            content = jnp.concatenate([latent, weight], -1)
            below = weight * jnp.abs(latent) / (1.0 + jnp.abs(latent))
            messages = offer(content, jnp.concatenate([below, weight], -1))
        else:
            messages = offer(weight * self.message(jnp.concatenate([whose, latent], -1)))
        messages = messages._replace(sent=messages.sent & told[..., None])
        if not transmit.training and self.prune:
            messages = messages._replace(overhead=jnp.ones_like(messages.overhead))
        arrived = transmit(messages).content
        if self.at_receiver:
            latent, weight = arrived[..., :-1], arrived[..., -1:]
            arrived = weight * self.message(jnp.concatenate([whose, latent], -1))
        return jnp.where(others(self.num_agents)[..., None], arrived, 0.0).sum(-3)

    def _best(self, heard: Heard, transmit: Transmit) -> jax.Array:
        """[..., N] int: each agent's best allowed action, once it has heard this."""
        scores, mask = transmit.scores(heard), transmit.action_mask
        return jnp.argmax(scores if mask is None else jnp.where(mask, scores, -jnp.inf), -1)

    def _what_losses_read(
        self, memory: jax.Array, latent: jax.Array, between: jax.Array, model: distrax.Normal, action: jax.Array
    ) -> Reported:
        """The teammate model, the posterior, and the entropy of attention, which teaches attention alone."""
        pairs = latent.shape[:-1]
        given = (
            jnp.broadcast_to(memory[..., :, None, :], (*pairs, memory.shape[-1])),
            jnp.broadcast_to(jnp.eye(self.num_agents), (*pairs, self.num_agents)),
            jnp.broadcast_to(jax.nn.one_hot(action, self.num_actions)[..., None, :, :], (*pairs, self.num_actions)),
        )
        posterior = self._gaussian(self.posterior(jnp.concatenate(given, -1)))
        fixed = jax.lax.stop_gradient((memory, latent))
        entropy = self._attention(fixed[0], fixed[1], between).entropy() / jnp.log(2.0)
        named = {
            "teammate_mean": model.mean(),
            "teammate_variance": model.variance(),
            "posterior_mean": posterior.mean(),
            "posterior_variance": posterior.variance(),
            "attention_entropy": jnp.where(between.any(-1), entropy, 0.0),
        }
        return {name: jnp.asarray(x) for name, x in named.items()}
