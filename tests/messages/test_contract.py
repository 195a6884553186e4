"""`check_channel` names each promise that a channel breaks; one broken channel for every clause."""

import functools
import itertools

import jax
import jax.numpy as jnp
import pytest

from marlcomm.messages import (
    Channel,
    ChannelContractError,
    GatedChannel,
    Heard,
    check_channel,
    offer,
    to_everybody,
)
from marlcomm.messages.channel import by_receiver, seen_by
from marlcomm.messages.contract import CLAUSES, check_shapes
from marlcomm.networks.layers import Linear, one_each
from marlcomm.types import others
from marlcomm.validation import UsageError

COUNT = itertools.count()


class Kept(Channel):
    """Two numbers to everybody; keeps everything."""

    def setup(self):
        self.encoder = Linear(2)

    def word(self, inputs, memory):
        return jnp.tanh(self.encoder(seen_by(inputs, memory)))

    def send(self, inputs, memory, key):
        return offer(to_everybody(self.word(inputs, memory))), {}

    def receive(self, inputs, messages):
        return by_receiver(messages.content), {}


class Everything(Kept):
    """State, action values, training and a noisy word."""

    def initial_state(self, *batch):
        return jnp.zeros((*batch, 2))

    def talk(self, inputs, memory, key, transmit):
        word = self.word(inputs, memory)
        word = word + 0.1 * jax.random.normal(key, word.shape) if transmit.training else word
        arrived = transmit(offer(to_everybody(word - transmit.state))).content
        values = jnp.pad(arrived.sum(-3), [(0, 0)] * (inputs.ndim - 1) + [(0, self.num_actions - 2)])
        scores = transmit.scores(Heard(action_values=values)) - transmit.scores() if self.after_memory else values
        return Heard(by_receiver(arrived), scores, word), {}


class Hard(Kept):
    def word(self, inputs, memory):
        return jnp.sign(super().word(inputs, memory))


class HardAndSaysSo(Hard):
    def exceptions(self):
        return {"gradient": "a bit has none"}


class OneNetworkEach(Kept):
    def setup(self):
        self.encoder = one_each(Linear, self.num_agents)(2)


class MeanByCount(Kept):
    """Divides by the number of the others, of whom there are none."""

    def receive(self, inputs, messages):
        between = others(self.num_agents)[..., None]
        return jnp.where(between, messages.content, 0.0).sum(-3) / (self.num_agents - 1), {}


class Telepathy(Kept):
    """Receivers also get what nobody sent."""

    def talk(self, inputs, memory, key, transmit):
        words = self.word(inputs, memory)
        transmit(offer(to_everybody(words)))
        return jnp.broadcast_to(words.sum(-2, keepdims=True), words.shape), {}


class KnowsTheWorth(Kept):
    """Receivers read how much a message is worth, though it does not come."""

    def receive(self, inputs, messages):
        return by_receiver(messages.importance), {}


class SendsMessagesAlone(Kept):
    def send(self, inputs, memory, key):
        return super().send(inputs, memory, key)[0]


class HearsAnArrayAlone(Kept):
    def receive(self, inputs, messages):
        return super().receive(inputs, messages)[0]


class PaidToSpeak(Kept):
    def send(self, inputs, memory, key):
        messages, reported = super().send(inputs, memory, key)
        return messages._replace(price=-messages.price), reported


class TelepathyInTraining(Kept):
    def talk(self, inputs, memory, key, transmit):
        word = to_everybody(self.word(inputs, memory))
        arrived = transmit(offer(word)).content
        return by_receiver(word if transmit.training else arrived), {}


class PaidToLearn(Kept):
    def talk(self, inputs, memory, key, transmit):
        messages = offer(to_everybody(self.word(inputs, memory)))
        price = -messages.price if transmit.training else messages.price
        return by_receiver(transmit(messages._replace(price=price)).content), {}


class BatchNormalized(Kept):
    """By the statistics of the batch, in training."""

    def talk(self, inputs, memory, key, transmit):
        word = self.word(inputs, memory)
        word = word - word.mean(-3, keepdims=True) if transmit.training else word
        return by_receiver(transmit(offer(to_everybody(word))).content), {}


class TelepathyTwoStepsLater(Kept):
    """The others' words come through the state, once they have been there for two steps."""

    def initial_state(self, *batch):
        return jnp.zeros((*batch, 2)), jnp.zeros((*batch, 2))

    def talk(self, inputs, memory, key, transmit):
        word = self.word(inputs, memory)
        arrived = transmit(offer(to_everybody(word))).content
        last, before = transmit.state
        return Heard(by_receiver(arrived + to_everybody(before)), state=(word, last)), {}


class AcrossTheBatch(Kept):
    def word(self, inputs, memory):
        word = super().word(inputs, memory)
        return word - word.mean(0)


class FirstAxisIsTheBatch(Kept):
    """Looks at the first axis where it means the agents' environment."""

    def word(self, inputs, memory):
        word = super().word(inputs, memory)
        return word * jnp.linspace(1.0, 2.0, 8)[:, None, None] if inputs.ndim == 3 and len(inputs) == 8 else word


class OfItsOwnMind(Kept):
    """Draws from Python, where a program is traced."""

    def word(self, inputs, memory):
        return super().word(inputs, memory) * (1.0 + next(COUNT))


class NoNumbers(Kept):
    def receive(self, inputs, messages):
        return jnp.log(by_receiver(messages.content) - 9.0), {}


class NoExceptionOfThatName(Kept):
    def exceptions(self):
        return {"gradients": "?"}


class SomeReport(Kept):
    def send(self, inputs, memory, key):
        return offer(to_everybody(self.word(inputs, memory))), {"mean": inputs.mean()}


class OneReceiver(Kept):
    def receive(self, inputs, messages):
        return messages.content.sum((-3, -2)), {}


class Crashing(Kept):
    def receive(self, inputs, messages):
        return messages.content.reshape(8, -1, 7), {}


@pytest.mark.parametrize(
    "channel",
    [Kept(), Kept(reads_memory=True), Everything(), Everything(after_memory=True), HardAndSaysSo(), Kept(num_agents=8)],
    ids=["plain", "memory", "state", "after the memory", "exception", "eight agents"],
)
def test_who_keeps_everything_passes(channel):
    check_channel(channel)


@pytest.mark.parametrize(
    ("channel", "problem"),
    [
        (Hard(), "no gradient reaches agent 0 from what agent 2 hears"),
        (OneNetworkEach(), "exchanging agents 0 and 1 changes what agent 2 hears, and not by their places"),
        (MeanByCount(), "alone"),
        (Telepathy(), "all is cut, and agent 2 hears what agent 0 sees"),
        (Telepathy(), "agent 0 is not alive, and others hear what it sees"),
        (Telepathy(), "agent 0 is not alive, and hears what others see"),
        (KnowsTheWorth(), "something else than if agent 0 were not alive"),
        (PaidToSpeak(), "messages have a price or an overhead of -32 bits"),
        (TelepathyInTraining(), "in training, all is cut, and agent 2 hears what agent 0 sees"),
        (TelepathyInTraining(), "in training, agent 0 is not alive, and hears what others see"),
        (PaidToLearn(), "in training, messages have a price or an overhead of -32 bits"),
        (BatchNormalized(), "in training, environment 0 of a batch of 8 hears"),
        (TelepathyTwoStepsLater(), "all is cut, and agent 2 hears what agent 0 sees"),
        (AcrossTheBatch(), "hears or pays something else than by itself"),
        (FirstAxisIsTheBatch(), "hears or pays something else than by itself"),
        (OfItsOwnMind(), "differs when traced again"),
        (NoNumbers(), "not finite"),
        (NoExceptionOfThatName(), "exceptions() names 'gradients'"),
        (SomeReport(), "talk reports ['mean'] of shape ()"),
        (OneReceiver(), "gives features of shape (8, 2): must be (8, 3, any)"),
        (SendsMessagesAlone(), "SendsMessagesAlone.send must return Messages and a dict of what it reports for losses"),
        (HearsAnArrayAlone(), "HearsAnArrayAlone.receive must return what is heard and a dict"),
        (Crashing(), "talk fails on inputs of shape (8, 3, 5): TypeError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Channel) else None,
)
def test_each_broken_promise_is_named(channel, problem):
    error = broken(channel)
    assert any(problem in each for each in error.problems), error.problems
    assert type(channel).__name__ in str(error)
    assert len(error.problems) <= 4, "one mistake is not reported as many"


@functools.cache
def broken(channel):
    """What is said of it; several lines are looked for in what is said of some."""
    with pytest.raises(ChannelContractError) as raised:
        check_channel(channel)
    return raised.value


def test_what_is_drawn_is_compared_by_its_means():
    check_channel(GatedChannel(dims=2, hidden=4, sampled=True))


@pytest.mark.parametrize(("given", "right"), [(Kept, r"Kept\(\)"), (None, "an instance"), ("mean", "an instance")])
def test_what_is_no_channel_is_refused(given, right):
    with pytest.raises(UsageError, match=rf"^channel=.* must be .*{right}"):
        check_channel(given)


def test_shapes_of_a_sized_channel_are_named_one_at_a_time():
    with pytest.raises(ValueError, match=r"^OneReceiver gives features of shape \(8, 2\): must be \(8, 4, any\)"):
        check_shapes(OneReceiver(num_agents=4, num_actions=2, input_size=3))
    check_shapes(Kept(num_agents=8, num_actions=2, input_size=3, delay=2, graph=[[True] * 8] * 8))


def test_every_clause_is_explained():
    assert all(explanation for explanation in CLAUSES.values())
    assert check_channel.__doc__ is not None
    assert all(f"- {clause}: " in check_channel.__doc__ for clause in CLAUSES)
