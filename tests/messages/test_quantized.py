"""Dithered quantization of any channel: what arrives, what it costs, and what the price teaches."""

import functools
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from talkers import Advice, OnChange, Team, assert_same

from marlcomm.losses import bits_loss
from marlcomm.messages import (
    AttentionChannel,
    Budget,
    ChannelWrapper,
    ClusterChannel,
    CutBelow,
    DiscreteChannel,
    Drop,
    GatedChannel,
    GaussianChannel,
    MeanChannel,
    MemoryChannel,
    Quantize,
    QuantizedChannel,
    SharedChannel,
    SilentChannel,
    chain_edits,
    check_channel,
    offer,
)
from marlcomm.messages.channels.quantized import code_length, expected_code_length, quantize
from marlcomm.messages.transmission import Transmission
from marlcomm.types import bits_sent
from marlcomm.validation import UsageError

KEY = jax.random.PRNGKey(5)
STEP = 0.7
BETWEEN = ~np.eye(3, dtype=bool)


def length_by_hand(k, entries):
    """Bits of one integer, from its probability."""
    zero = 2.0 ** (-1.0 / entries)
    m = abs(k)
    probability = zero if k == 0 else (1 - zero) / 2 / (m * (m + 1))
    return -np.log2(probability)


@functools.cache
def draws(entries=4, times=20_000):
    """Numbers [3, 3, entries], and many dithered messages of them."""
    z = np.random.default_rng(0).normal(0, 2, (3, 3, entries)).astype(np.float32)
    z[0, 1] = [0.0, STEP, -3 * STEP, 0.4 * STEP][:entries]
    quantized = jax.jit(jax.vmap(lambda key: quantize(offer(jnp.asarray(z)), STEP, key)))
    return z, jax.tree.map(np.asarray, quantized(jax.random.split(KEY, times)))


@pytest.mark.parametrize("entries", [1, 2, 3, 32])
def test_the_code_is_one(entries):
    k = np.arange(-200_000, 200_001)
    bits = np.asarray(code_length(jnp.asarray(k, jnp.float32), entries), float)
    assert (2.0**-bits).sum() == pytest.approx(1.0, abs=1e-3)
    assert (2.0**-bits).sum() <= 1 + 1e-5, "Kraft"
    np.testing.assert_allclose(bits[::997], [length_by_hand(each, entries) for each in k[::997]], rtol=1e-4)
    assert np.all(np.diff(bits[200_000:200_100]) > 0), "strictly growing"
    np.testing.assert_array_equal(bits, bits[::-1])
    assert entries * bits[200_000] == pytest.approx(1.0), "a message of zeros"


def test_some_lengths_of_messages_of_one_number():
    np.testing.assert_allclose(code_length(jnp.arange(-2.0, 3), 1), [2 + np.log2(6), 3, 1, 3, 2 + np.log2(6)])


def test_what_arrives_is_unbiased_and_its_error_uniform():
    z, heard = draws()
    error = (heard.content - z)[:, BETWEEN]
    assert np.abs(error).max() <= STEP / 2 * (1 + 1e-5)
    spread = STEP / 12**0.5
    assert np.abs(error.mean(0)).max() < 5 * spread / len(error) ** 0.5
    np.testing.assert_allclose(error.std(0), spread, rtol=0.03)


def test_what_is_sent_are_integers_of_a_dither_that_all_receivers_share():
    z, heard = draws()
    same = np.broadcast_to(z[:, :1], z.shape)
    to_all = quantize(offer(jnp.asarray(same)), STEP, KEY).content
    np.testing.assert_allclose(to_all, np.broadcast_to(to_all[:, :1], z.shape), rtol=1e-6)
    apart = (heard.content[:, 0, 1] - heard.content[:, 0, 2]) / STEP  # the dither is gone
    np.testing.assert_allclose(apart, np.round(apart), atol=1e-4)


def test_bits_counted_are_those_of_the_integers_and_their_mean_the_expected_price():
    z, heard = draws()
    size, entries = np.abs(z) / STEP, z.shape[-1]
    below = np.floor(size)
    either = np.array([[length_by_hand(k, entries) for k in (low, low + 1)] for low in below.ravel()])
    lengths = either.reshape(*z.shape, 2)
    counted = heard.price
    assert np.isclose(counted[..., None], lengths, rtol=1e-4).any(-1).all(), "one of the two integers around z"
    share = size - below
    mean = (1 - share) * lengths[..., 0] + share * lengths[..., 1]
    np.testing.assert_allclose(expected_code_length(jnp.asarray(z / STEP), entries), mean, rtol=1e-4)
    slack = 5 * (lengths[..., 1] - lengths[..., 0]) / len(counted) ** 0.5 + 1e-4
    assert np.all(np.abs(counted.mean(0) - mean) <= slack)


def test_the_gradient_of_price_is_that_of_its_mean_and_content_passes_straight_through():
    z = np.random.default_rng(1).normal(0, 2, (3, 3, 2)).astype(np.float32)
    z[0, 1] = 0.0

    def quantized(z):
        heard = quantize(offer(z), STEP, KEY)
        return (jnp.sin(jnp.arange(z.size)) * heard.content.ravel()).sum(), heard.price.sum()

    of_content, of_price = jax.jacobian(quantized)(jnp.asarray(z))
    np.testing.assert_allclose(of_content.ravel(), np.sin(np.arange(z.size)), rtol=1e-5)

    def slope(x):  # of the chord between the two integers around it
        low = np.floor(abs(x) / STEP)
        return np.sign(x) * (length_by_hand(low + 1, 2) - length_by_hand(low, 2)) / STEP

    np.testing.assert_allclose(of_price, np.vectorize(slope)(z.astype(float)), rtol=1e-4)


def test_huge_numbers_and_zeros_are_no_trouble():
    z = jnp.asarray([0.0, 1e-30, 1e12, -3e37])
    value, gradient = jax.value_and_grad(lambda z: expected_code_length(z, 4).sum())(z)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_symbols_pass_as_they_are():
    mixed = offer(jnp.full((3, 3, 2), 0.3))._replace(price=jnp.broadcast_to(jnp.array([2.0, 32.0]), (3, 3, 2)))
    heard = quantize(mixed, STEP, KEY)
    np.testing.assert_array_equal(heard.content[..., 0], np.float32(0.3))
    np.testing.assert_array_equal(heard.price[..., 0], 2.0)
    assert np.isclose(heard.price[..., 1, None], [1.0, 3.0]).any(-1).all(), "one number a message, sent as 0 or 1"


def test_an_edit_recodes_all_numbers_so_that_receivers_can_read_them():
    """Kraft: one code for numbers, whatever they are; with some entries in either of two, the sum would be 1.75."""
    k = jnp.arange(-4000.0, 4001.0)
    channel = QuantizedChannel(Says(k, num_agents=3), step=1.0)
    for edit in (Quantize(4.0), chain_edits([Quantize(12.0), Drop(0.0)])):
        transmit = Transmission(channel, jnp.ones(3, bool), KEY, edit)
        heard, _ = channel.apply({}, jnp.zeros((3, 1)), None, KEY, transmit, method="talk")
        price = np.asarray(transmit.account().price)[BETWEEN][:, 1:]
        for message, content in zip(price, np.asarray(heard)[BETWEEN][:, 1:], strict=True):
            assert len(np.unique(message)) == 1
            words = np.unique(content)
            assert (len(words) * 2.0 ** -message[0]) <= 1
        assert (np.asarray(transmit.account().price)[BETWEEN][:, 0] == 2.0).all(), "a symbol"


class Says(SilentChannel):
    """A symbol and given numbers to everybody; what each hears is kept as it is."""

    words: Any = None

    def talk(self, inputs, memory, key, transmit):
        messages = offer(jnp.broadcast_to(jnp.append(1.0, self.words), (3, 3, len(self.words) + 1)))
        heard = transmit(messages._replace(price=messages.price.at[..., 0].set(2.0)))
        return heard.content, {}


def test_one_within_another_is_refused():
    inner = QuantizedChannel(MeanChannel(), 1.0)
    for channel in (inner, ChannelWrapper(inner)):
        with pytest.raises(UsageError, match="quantized already"):
            QuantizedChannel(channel, 0.5)


INNER = {
    "silent": SilentChannel(),
    "shared": SharedChannel(),
    "gaussian": GaussianChannel(dims=2, hidden=4),
    "discrete": DiscreteChannel(vocab_size=3, hidden=4),
    "attention": AttentionChannel(signature=2, value=3, hidden=4, rounds=2),
    "mean": MeanChannel(dims=2, hidden=4, rounds=2),
    "gated": GatedChannel(dims=2, hidden=4),
    "memory": MemoryChannel(width=2, hidden=4),
    "cluster": ClusterChannel(hidden=4),
    "carries a state": OnChange(),
    "action values": Advice(),
    "mean, after the memory": MeanChannel(dims=2, hidden=4, after_memory=True),
    "gaussian, of memory": GaussianChannel(dims=1, hidden=4, reads_memory=True),
}


@pytest.mark.parametrize(
    "name", ["gaussian", "attention", "gated", "cluster", "carries a state", "mean, after the memory"]
)
def test_the_contract(name):
    check_channel(QuantizedChannel(INNER[name], step=0.5))


@pytest.mark.parametrize("name", ["discrete", "cluster", "silent"])
def test_channels_of_symbols_are_what_they_were(name):
    inner = INNER[name].clone(num_agents=3, num_actions=4, input_size=2)
    outer = QuantizedChannel(inner, step=0.5)
    x, alive = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2)), jnp.float32), jnp.ones(3, bool)
    talk_key, _ = jax.random.split(KEY)

    def talk(channel, params, key):
        transmit = Transmission(channel, alive, KEY)
        received, _ = channel.apply(params, x, None, key, transmit, method="talk")
        return received, transmit.account()

    params = inner.init(KEY, x, None, KEY, Transmission(inner, alive, KEY), method="talk")
    own = {"params": {"channel": params["params"]}} if params else {}
    assert_same(talk(outer, own, KEY), talk(inner, params, talk_key))


def test_small_steps_change_nothing_that_is_heard():
    inner = MeanChannel(dims=2, hidden=4, rounds=2)
    fine, exact = (Team(channel) for channel in (QuantizedChannel(inner, step=1e-4), inner))
    params = {"params": {**fine.params["params"], "channel": fine.params["params"]["channel"]["channel"]}}
    scores, *_ = fine.unroll()
    exact.params = params
    expected, *_ = exact.run_unroll(exact.inputs, exact.alive, KEY)
    np.testing.assert_allclose(scores, expected, atol=1e-3)


def test_rounds_have_dithers_of_their_own():
    channel = QuantizedChannel(SilentChannel(), step=1.0)
    assert channel.channel.num_agents == 0

    class Twice(SilentChannel):
        def talk(self, inputs, memory, key, transmit):
            first, second = (transmit(offer(jnp.full((3, 3, 1), 0.5))).content for _ in range(2))
            return (first - second)[..., 0], {}

    channel = QuantizedChannel(Twice(num_agents=3), step=1.0)
    different, _ = channel.apply(
        {}, jnp.zeros((3, 1)), None, KEY, Transmission(channel, jnp.ones(3, bool), KEY), method="talk"
    )
    assert np.all((np.asarray(different) != 0) == BETWEEN), "and own messages are exact"


class Learning:
    """A team that talks through a channel, and the gradient of the loss of bits by its parameters."""

    def __init__(self, channel, edit=None):
        self.team, self.edit = Team(channel), edit

    def loss(self, params, alive=None):
        team = self.team
        alive = jnp.asarray(team.alive if alive is None else alive)
        _, messages, _ = team.agent.apply(
            params, team.inputs, alive, KEY, self.edit, method="unroll", action_mask=team.mask, training=True
        )
        episodes = SimpleNamespace(valid=jnp.ones(alive.shape[:2], bool), alive=alive)
        return bits_loss(SimpleNamespace(messages=messages), episodes, None)[0], messages

    def gradient(self, alive=None):
        (value, messages), gradient = jax.jit(jax.value_and_grad(self.loss, has_aux=True))(self.team.params, alive)
        return value, messages, gradient["params"]["channel"]


TAUGHT = {
    "gaussian": (QuantizedChannel(INNER["gaussian"], 0.3), None),
    "two rounds": (QuantizedChannel(INNER["mean"], 0.3), None),
    "delay": (QuantizedChannel(INNER["mean"], 0.3, delay=2), None),
    "gates": (QuantizedChannel(INNER["gated"], 0.3), None),
    "state": (QuantizedChannel(OnChange(), 0.3), None),
    "after the memory": (QuantizedChannel(INNER["mean, after the memory"], 0.3), None),
    "cut": (QuantizedChannel(INNER["mean"], 0.3), CutBelow(0.1)),
    "budget": (QuantizedChannel(INNER["mean"], 0.3), Budget(2)),
    "bandwidth": (QuantizedChannel(INNER["mean"], 0.3, bandwidth=3), None),
}


@pytest.mark.parametrize("name", TAUGHT)
def test_the_price_teaches_the_encoder(name):
    value, messages, gradient = Learning(*TAUGHT[name]).gradient()
    assert value == pytest.approx(float(bits_sent(messages).sum(-1).mean()), rel=1e-5)
    leaves = jax.tree.leaves(gradient["channel"])
    assert all(np.isfinite(leaf).all() for leaf in leaves)
    assert np.any(gradient["channel"]["encoder"]["kernel"] if name == "state" else leaves[0])


def test_numbers_that_are_recoded_cost_the_same_whatever_they_are():
    value, messages, gradient = Learning(QuantizedChannel(INNER["mean"], 0.3), Quantize(6.0)).gradient()
    assert value == pytest.approx(float(bits_sent(messages).sum(-1).mean()), rel=1e-5)
    assert value % 6.0 == 0
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_those_not_alive_pay_and_learn_nothing():
    learning = Learning(*TAUGHT["gaussian"])
    value, _, gradient = learning.gradient(np.zeros(learning.team.alive.shape, bool))
    assert value == 0
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_a_step_down_the_price_makes_talk_cheaper():
    learning = Learning(*TAUGHT["two rounds"])
    alive = np.ones(learning.team.alive.shape, bool)
    before, _, gradient = learning.gradient(alive)
    moved = jax.tree.map(lambda x, g: x - 0.003 * g, learning.team.params["params"]["channel"], gradient)
    after, _ = learning.loss({"params": {**learning.team.params["params"], "channel": moved}}, alive)
    assert after < before


def test_losses_are_the_inner_ones_and_that_of_bits_without_a_weight():
    losses = QuantizedChannel(GaussianChannel(), 1.0).losses()
    assert set(losses) == {"expressiveness", "succinctness", "bits"}
    assert losses["bits"].weight == 0


@pytest.mark.parametrize("step", [0.0, -1.0, float("nan")])
def test_a_step_that_is_none(step):
    with pytest.raises(ValueError, match=r"step is .*above 0"):
        QuantizedChannel(MeanChannel(), step)
