"""Small channels, one for each thing that a channel may do."""

import jax
import jax.numpy as jnp

from marlcomm.messages import Channel, Heard
from marlcomm.messages.channel import by_receiver, offer, seen_by, to_everybody
from marlcomm.networks.layers import Linear


class Plain(Channel):
    """One number to everybody."""

    def setup(self):
        self.encoder = Linear(1)

    def send(self, inputs, memory, key):
        word = self.encoder(seen_by(inputs, memory))
        return offer(to_everybody(word)), {"word": word}

    def receive(self, inputs, messages):
        return by_receiver(messages.content), {}


class Advice(Plain):
    """What is heard adds to action values only."""

    def setup(self):
        self.encoder = Linear(self.num_actions)

    def receive(self, inputs, messages):
        return Heard(action_values=messages.content.sum(-3)), {}


class Both(Plain):
    """Features, and action values of the first actions, one a sender."""

    def receive(self, inputs, messages):
        features = by_receiver(messages.content)
        rest = jnp.zeros((*features.shape[:-1], self.num_actions - self.num_agents))
        return Heard(features, jnp.concatenate([features, rest], -1)), {}


class OnChange(Plain):
    """Speaks where its word differs enough from what it last sent; receivers keep what they last heard."""

    def initial_state(self, *batch):
        return {"sent": jnp.zeros((*batch, 1)), "heard": jnp.zeros((*batch, self.num_agents, 1))}

    def talk(self, inputs, memory, key, transmit):
        word, before = self.encoder(seen_by(inputs, memory)), transmit.state
        news = jnp.abs(word - before["sent"]) > 0.4
        messages = offer(to_everybody(word))
        messages = messages._replace(sent=to_everybody(news) & messages.sent)
        arrived = transmit(messages)
        heard = jnp.where(arrived.sent, arrived.content, before["heard"])
        state = {"sent": jnp.where(news, word, before["sent"]), "heard": heard}
        return Heard(by_receiver(heard), state=state), {"news": news}


class Unsure(Plain):
    """Those whose two best allowed actions are close ask, and the others answer with what they would do."""

    def talk(self, inputs, memory, key, transmit):
        own = transmit.scores()
        allowed = jnp.ones(own.shape, bool) if transmit.action_mask is None else transmit.action_mask
        best = jnp.sort(jnp.where(allowed, own, -9.0), -1)
        asks = (best[..., -1] - best[..., -2] < 1.0)[..., None]
        request = offer(to_everybody(asks.astype(jnp.float32)), bits=1.0)
        asked = transmit(request).content[..., 0] > 0  # [..., who asks, who is asked]
        reply = offer(to_everybody(own))
        answers = transmit(reply._replace(sent=jnp.swapaxes(asked, -1, -2)[..., None] & reply.sent))
        return Heard(action_values=answers.content.mean(-3)), {"asks": asks}


class Restless(Plain):
    """Noise in training only."""

    def talk(self, inputs, memory, key, transmit):
        word = self.encoder(seen_by(inputs, memory))
        word = word + jax.random.normal(key, word.shape) if transmit.training else word
        drawn = jnp.full(word.shape, transmit.training)
        return by_receiver(transmit(offer(to_everybody(word))).content), {"drawn": drawn}
