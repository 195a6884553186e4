"""Small channels, one for each thing that a channel may do, and a team that talks through any channel."""

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.agents import CommunicatingAgent
from marlcomm.messages import Channel, Heard
from marlcomm.messages.channel import by_receiver, offer, seen_by, to_everybody
from marlcomm.networks.layers import Linear

KEY = jax.random.PRNGKey(3)


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


class Team:
    """An agent with random parameters, inputs and masks, and jitted ways to run it."""

    def __init__(self, channel, *, batch=2, time=4, agents=3, actions=4, inputs=2, hidden=5):
        sizes = {"num_agents": agents, "num_actions": actions, "input_size": inputs}
        self.agent = CommunicatingAgent(channel.clone(**sizes), actions, hidden=hidden)
        rng = np.random.default_rng(0)
        self.inputs = rng.normal(size=(batch, time, agents, inputs)).astype(np.float32)
        self.alive = rng.random((batch, time, agents)) < 0.75
        self.mask = rng.random((batch, time, agents, actions)) < 0.8
        self.start = self.agent.initial_memory(batch, agents)
        first = (self.start, self.inputs[:, 0], self.alive[:, 0], KEY)
        shapes = jax.eval_shape(lambda: self.agent.init(KEY, *first, method="step"))
        # larger than at the start of training, so that what is wrong shows
        self.params = jax.tree.map(lambda x: (0.7 * rng.normal(size=x.shape)).astype(np.float32), shapes)
        self._step = jax.jit(lambda *x, mask: self.agent.apply(self.params, *x, method="step", action_mask=mask))
        self._unroll = jax.jit(self.run_unroll)

    def run_unroll(self, inputs, alive, key, edit=None, training=False):
        return self.agent.apply(
            self.params, inputs, alive, key, edit, method="unroll", action_mask=self.mask, training=training
        )

    def unroll(self, inputs=None, edit=None):
        return self._unroll(self.inputs if inputs is None else inputs, self.alive, KEY, edit)

    def step(self, memory, inputs, alive, edit=None, mask=None):
        return self._step(memory, inputs, alive, KEY, edit, mask=mask)

    def steps(self, edit=None):
        """The same as `unroll`, one step after the other."""
        memory, outputs = self.start, []
        for t in range(self.inputs.shape[1]):
            memory, *output = self.step(memory, self.inputs[:, t], self.alive[:, t], edit, self.mask[:, t])
            outputs.append(tuple(output))
        return jax.tree.map(lambda *x: np.stack(x, 1), *outputs)


def assert_same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), one, other)
