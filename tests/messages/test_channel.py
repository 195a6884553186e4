"""What is offered, what arrives, what it costs, and who hears what."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from marlcomm.messages import GaussianChannel, SilentChannel
from marlcomm.messages.channel import bits_sent, by_receiver, deliver, offer
from marlcomm.messages.transmission import Transmission
from marlcomm.types import Messages

BATCH, AGENTS, DIMS, INPUTS, ACTIONS = 2, 3, 2, 4, 5
SEEDS = st.integers(0, 2**31)
settings = hypothesis.settings(max_examples=20, deadline=None)
KEY = jax.random.PRNGKey(0)


def random_messages(seed):
    """Messages of which some entries are not sent, and who is alive."""
    rng = np.random.default_rng(seed)
    shape = (BATCH, AGENTS, AGENTS, DIMS)
    messages = Messages(
        content=rng.normal(size=shape).astype(np.float32),
        importance=rng.random(shape).astype(np.float32),
        sent=rng.random(shape) < 0.6,
        price=rng.integers(1, 33, shape).astype(np.float32),
        overhead=rng.integers(0, 5, shape[:-1]).astype(np.float32),
    )
    return messages, rng.random((BATCH, AGENTS)) < 0.6


def delivered(seed):
    """The messages, who is alive, and what arrives."""
    messages, alive = random_messages(seed)
    return messages, alive, jax.tree.map(np.asarray, deliver(*jax.tree.map(jnp.asarray, (messages, alive))))


@settings
@hypothesis.given(seed=SEEDS)
def test_only_what_is_sent_between_the_living_arrives(seed):
    messages, alive, arrived = delivered(seed)
    for b in range(BATCH):
        for i in range(AGENTS):
            for j in range(AGENTS):
                both = bool(alive[b, i] and alive[b, j])
                assert arrived.overhead[b, i, j] == (messages.overhead[b, i, j] if both else 0)
                for d in range(DIMS):
                    passes = both and bool(messages.sent[b, i, j, d])
                    assert bool(arrived.sent[b, i, j, d]) == passes
                    assert arrived.content[b, i, j, d] == (messages.content[b, i, j, d] if passes else 0)


@settings
@hypothesis.given(seed=SEEDS)
def test_bits_are_prices_of_what_is_sent_to_others_and_overheads(seed):
    messages, _, delivered_messages = delivered(seed)
    for arrived in (messages, delivered_messages):
        bits = bits_sent(arrived)
        for b in range(BATCH):
            for i in range(AGENTS):
                expected = 0.0
                for j in range(AGENTS):
                    if i != j:  # what an agent tells itself is free
                        expected += arrived.overhead[b, i, j]
                        expected += sum(arrived.price[b, i, j, d] for d in range(DIMS) if arrived.sent[b, i, j, d])
                assert bits[b, i] == expected


def test_the_dead_pay_nothing_and_nobody_pays_for_the_dead():
    messages = offer(jnp.ones((AGENTS, AGENTS, DIMS)))._replace(overhead=jnp.full((AGENTS, AGENTS), 2.0))
    bits = bits_sent(deliver(messages, jnp.array([True, False, True])))
    one_message = DIMS * 32 + 2
    np.testing.assert_array_equal(bits, [one_message, 0, one_message])


def test_an_offer_sends_everything_at_32_bits_a_real():
    content = jnp.array([[[1.0], [-2.0]], [[0.0], [4.0]]])
    messages = offer(content)
    assert messages.sent.all()
    assert not messages.overhead.any()
    np.testing.assert_array_equal(messages.importance, np.abs(content))
    np.testing.assert_array_equal(bits_sent(messages), [32, 32])
    np.testing.assert_array_equal(bits_sent(offer(content, bits=np.log2(4))), [2, 2])


def test_receivers_row_holds_senders_in_order():
    content = np.random.default_rng(0).normal(size=(BATCH, 3, AGENTS, AGENTS, DIMS)).astype(np.float32)
    rows = by_receiver(jnp.asarray(content))
    assert rows.shape == (BATCH, 3, AGENTS, AGENTS * DIMS)
    for b in range(BATCH):
        for t in range(3):
            for j in range(AGENTS):
                for i in range(AGENTS):
                    row = rows[b, t, j, i * DIMS : (i + 1) * DIMS]
                    np.testing.assert_array_equal(row, content[b, t, i, j])


class Gaussian:
    """A Gaussian channel with parameters and inputs."""

    def __init__(self, **settings):
        self.channel = GaussianChannel(num_agents=AGENTS, num_actions=ACTIONS, dims=DIMS, hidden=8, **settings)
        rng = np.random.default_rng(0)
        self.inputs = jnp.asarray(rng.normal(size=(BATCH, AGENTS, INPUTS)), jnp.float32)
        received = jnp.zeros((BATCH, AGENTS, AGENTS, DIMS))

        def both(module):
            module.send(self.inputs, None, KEY)
            return module.receive(self.inputs, offer(received))

        self.params = jax.tree.map(
            lambda x: jnp.asarray(rng.normal(size=x.shape), jnp.float32),
            jax.eval_shape(lambda: self.channel.init(KEY, method=both)),
        )

    def send(self, key=KEY):
        return self.channel.apply(self.params, self.inputs, None, key, method="send")

    def receive(self, messages):
        return self.channel.apply(self.params, self.inputs, messages, method="receive")


@pytest.fixture(scope="module")
def gaussian():
    return Gaussian()


def test_samples_are_unit_gaussians_around_the_means(gaussian):
    keys = jax.random.split(KEY, 4000)
    content, mean = jax.jit(
        jax.vmap(lambda key: (lambda sent: (sent[0].content, sent[1]["message_mean"]))(gaussian.send(key)))
    )(keys)
    np.testing.assert_array_equal(mean, np.broadcast_to(mean[:1], mean.shape))
    noise = content - mean
    np.testing.assert_allclose(noise.mean(0), 0, atol=0.1)
    np.testing.assert_allclose(noise.std(0), 1, atol=0.06)
    assert np.abs(np.corrcoef(noise.reshape(len(keys), -1).T) - np.eye(noise[0].size)).max() < 0.1


def test_importance_is_the_size_of_the_mean_not_of_the_sample(gaussian):
    messages, named = gaussian.send()
    np.testing.assert_array_equal(messages.importance, np.abs(named["message_mean"]))
    assert not np.allclose(messages.importance, np.abs(messages.content))
    np.testing.assert_array_equal(bits_sent(messages), np.full((BATCH, AGENTS), 32 * DIMS * (AGENTS - 1)))


def test_without_noise_the_mean_travels():
    messages, named = Gaussian(sigma=0.0).send()
    np.testing.assert_array_equal(messages.content, named["message_mean"])


def test_gradient_passes_through_the_sample(gaussian):
    """Reparameterised: raising a mean by one raises its sample by one."""

    def total(params):
        return gaussian.channel.apply(params, gaussian.inputs, None, KEY, method="send")[0].content.sum()

    last = jax.grad(total)(gaussian.params)["params"]["encoder"]["Linear_2"]
    np.testing.assert_allclose(last["bias"], np.full(AGENTS * DIMS, BATCH * AGENTS))


def test_receiver_gets_every_senders_message_its_own_too(gaussian):
    content = jnp.arange(float(BATCH * AGENTS * AGENTS * DIMS)).reshape(BATCH, AGENTS, AGENTS, DIMS)
    received, named = gaussian.receive(offer(content))
    np.testing.assert_array_equal(received[1, 2], np.asarray(content)[1, :, 2].reshape(-1))
    assert named["posterior_logits"].shape == (BATCH, AGENTS, ACTIONS)


def test_without_self_message_nothing_is_told_to_oneself():
    channel = Gaussian(self_message=False)
    messages, named = channel.send()
    received, _ = channel.receive(messages)
    for i in range(AGENTS):
        assert not np.any(named["message_mean"][:, i, i])
        assert not np.any(received[:, i, i * DIMS : (i + 1) * DIMS])
        others = [k for k in range(AGENTS) if k != i]
        assert np.all(received.reshape(BATCH, AGENTS, AGENTS, DIMS)[:, i, others] != 0)


def test_published_sizes_of_encoder_and_posterior():
    """Sensor: encoder 5-64-64-6, posterior 11-24-24-5 as released."""
    channel = GaussianChannel(num_agents=3, num_actions=5)

    def both(module):
        messages, _ = module.send(jnp.zeros((3, 5)), None, KEY)
        return module.receive(jnp.zeros((3, 5)), messages)

    params = jax.eval_shape(lambda: channel.init(KEY, method=both))["params"]
    shapes = {name: [params[name][f"Linear_{k}"]["kernel"].shape for k in range(3)] for name in params}
    assert shapes == {
        "encoder": [(5, 64), (64, 64), (64, 6)],
        "posterior": [(11, 24), (24, 24), (24, 5)],
    }


def test_silence_costs_nothing_and_says_nothing():
    channel = SilentChannel(num_agents=AGENTS, num_actions=ACTIONS)
    inputs = jnp.ones((BATCH, AGENTS, INPUTS))
    messages, named = channel.apply({}, inputs, None, KEY, method="send")
    received, heard = channel.apply({}, inputs, deliver(messages, jnp.ones((BATCH, AGENTS), bool)), method="receive")
    assert (named, heard) == ({}, {})
    assert received.shape == (BATCH, AGENTS, 0)
    np.testing.assert_array_equal(bits_sent(messages), np.zeros((BATCH, AGENTS)))


def test_a_message_has_dimensions():
    with pytest.raises(ValueError, match="dims is 0"):
        GaussianChannel(dims=0)


def test_a_channels_own_settings_come_first():
    class Quantized(SilentChannel):
        inner: SilentChannel | None = None
        step: float = 0.25

    inner = SilentChannel()
    channel = Quantized(inner, 0.5)
    assert (channel.inner, channel.step, channel.num_agents) == (inner, 0.5, 0)


@pytest.mark.parametrize("entries", [1, 3])
def test_as_many_entries_are_sent_as_are_under_way(entries):
    under_way = offer(jnp.ones((AGENTS, AGENTS, 2)))
    talk = SilentChannel(delay=1), jnp.ones(AGENTS, bool), KEY

    def one_round():
        transmit = Transmission(*talk, under_way=under_way)
        transmit(offer(jnp.ones((AGENTS, AGENTS, entries))))
        transmit.account()

    with pytest.raises(ValueError, match=f"of {entries} entries, and has 2 under way"):
        one_round()
