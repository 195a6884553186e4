"""Controls and cuts: budgets, whole messages, quantized and exchanged messages, and what each costs."""

import functools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from marlcomm.messages import (
    AttentionChannel,
    Budget,
    CutBelow,
    Delay,
    Drop,
    Quantize,
    Random,
    RankCut,
    SelfOnly,
    Shuffle,
    Silence,
    SilentChannel,
    chain_edits,
)
from marlcomm.messages.channel import bits_sent, deliver, offer
from marlcomm.messages.edits import OneOf, importance_quantile, parse_edit, split_delay
from marlcomm.messages.transmission import Transmission

BATCH, AGENTS, DIMS = 4, 3, 2
SELF = np.eye(AGENTS, dtype=bool)
SHAPE = (BATCH, AGENTS, AGENTS, DIMS)
KEY = jax.random.PRNGKey(5)
SEEDS = st.integers(0, 2**31)
settings = hypothesis.settings(max_examples=20, deadline=None)


def random_messages(seed):
    """Some entries are not sent; prices and masks differ."""
    rng = np.random.default_rng(seed)
    messages = offer(rng.normal(size=SHAPE).astype(np.float32), (5 * rng.random(SHAPE)).astype(np.float32))
    sent = rng.random(SHAPE) < 0.7
    return messages._replace(sent=sent, overhead=rng.integers(0, 2, SHAPE[:-1]).astype(np.float32))


@functools.partial(jax.jit, static_argnums=0)
def _edited(make, number, messages, key):
    edit = make() if number is None else make(number)
    edited = edit(messages, key)
    return edited, bits_sent(edited)


def edited(make, messages, number=None, key=KEY):
    """What an edit makes of messages, and the bits of each sender, in numpy."""
    return jax.tree.map(np.asarray, _edited(make, number, messages, key))


whole_budget = functools.partial(Budget, whole=True)
whole_cut = functools.partial(CutBelow, whole=True)
whole_rank_cut = functools.partial(RankCut, whole=True)


@settings
@hypothesis.given(seed=SEEDS, entries=st.integers(0, 5))
def test_a_budget_lets_the_most_important_entries_pass(seed, entries):
    messages = random_messages(seed)
    after, bits = edited(Budget, messages, entries)
    for b in range(BATCH):
        for i in range(AGENTS):
            offered = [
                (messages.importance[b, i, j, d], j, d)
                for j in range(AGENTS)
                for d in range(DIMS)
                if j != i and messages.sent[b, i, j, d]
            ]
            chosen = {(j, d) for _, j, d in sorted(offered, reverse=True)[:entries]}
            for j in range(AGENTS):
                for d in range(DIMS):
                    expected = messages.sent[b, i, j, d] if i == j else (j, d) in chosen
                    assert bool(after.sent[b, i, j, d]) == bool(expected)
            own = messages.overhead[b, i, np.arange(AGENTS) != i].sum()  # the channel's, beside the mask
            assert bits[b, i] == 32 * len(chosen) + DIMS * (AGENTS - 1) + own


@settings
@hypothesis.given(seed=SEEDS, number=st.integers(0, 2))
def test_whole_messages_pass_or_do_not(seed, number):
    messages = random_messages(seed)._replace(sent=np.ones(SHAPE, bool), overhead=np.zeros(SHAPE[:-1], np.float32))
    worth = messages.importance.max(-1)
    for make in (whole_budget, whole_cut):
        after, bits = edited(make, messages, float(number) if make is whole_cut else number)
        passed = after.sent.all(-1)
        np.testing.assert_array_equal(passed, after.sent.any(-1))
        assert passed[:, SELF].all()
        between = passed & ~SELF
        if make is whole_cut:
            np.testing.assert_array_equal(between, (worth >= number) & ~SELF)
        else:
            np.testing.assert_array_equal(between.sum(-1), np.full((BATCH, AGENTS), number))
            assert (np.where(between, worth, np.inf).min(-1) >= np.where(passed, 0, worth).max(-1)).all()
        np.testing.assert_array_equal(bits, between.sum(-1) * 32 * DIMS + AGENTS - 1)  # a bit for each message


@pytest.mark.parametrize(("fraction", "cut"), [(0.0, 0), (0.25, 9), (0.5, 18), (1.0, 36)])
def test_a_rank_cut_of_36_messages(fraction, cut):
    messages = random_messages(0)._replace(sent=np.ones(SHAPE, bool))
    after, _ = edited(whole_rank_cut, messages, fraction)
    gone = ~after.sent.any(-1)
    assert gone.sum() == cut
    worth = messages.importance.max(-1)
    assert cut in (0, 36) or worth[gone].max() <= worth[~gone].min()


@pytest.mark.parametrize("own", [0, 1, 7])
def test_a_mask_is_paid_once_and_beside_what_the_channel_pays(own):
    messages = random_messages(1)._replace(sent=np.ones(SHAPE, bool), overhead=np.full(SHAPE[:-1], own, np.float32))
    keep_all = [CutBelow(0.0), Budget(99), CutBelow(0.0, whole=True), RankCut(0.0)]
    for chain in (keep_all[:1], keep_all[:2], keep_all[1:], keep_all):
        edited = chain_edits(chain)(messages, KEY)
        for bits in (bits_sent(edited), bits_sent(deliver(edited, jnp.ones((BATCH, AGENTS), bool)))):
            np.testing.assert_array_equal(bits, np.full((BATCH, AGENTS), (AGENTS - 1) * (DIMS * 33 + own)))


def test_a_gate_and_a_mask_are_both_paid():
    """Through the transmission, with a cap on top, whose mask is the same again."""
    content = jnp.asarray(np.random.default_rng(0).normal(size=SHAPE), jnp.float32)
    transmission = Transmission(SilentChannel(bandwidth=3), jnp.ones((BATCH, AGENTS), bool), KEY, CutBelow(0.5))
    offered = offer(content)
    transmission(offered._replace(overhead=jnp.ones_like(offered.overhead)))
    said = transmission.account()
    between = np.asarray(said.sent)[:, ~SELF].reshape(BATCH, AGENTS, -1)
    np.testing.assert_array_equal(bits_sent(said), 32 * between.sum(-1) + (AGENTS - 1) * (1 + DIMS))
    np.testing.assert_array_equal(said.offered, np.ones(SHAPE, bool))


@pytest.mark.parametrize("whole", [False, True])
@settings
@hypothesis.given(seed=SEEDS, fraction=st.floats(0, 1))
def test_a_rank_cut_takes_its_share_of_what_is_said(whole, seed, fraction):
    messages = random_messages(seed)
    after, _ = edited(whole_rank_cut if whole else RankCut, messages, fraction)
    said, left = (x.any(-1) if whole else x for x in (messages.sent, after.sent))
    worth = np.where(messages.sent, messages.importance, 0.0).max(-1) if whole else messages.importance
    cut = said & ~left
    assert abs(cut.sum() - fraction * said.sum()) <= 1
    assert not cut.any() or not left.any() or worth[cut].max() <= worth[left].min()
    assert not (after.sent & ~messages.sent).any()


def test_a_rank_cut_takes_the_very_number_where_the_share_is_whole():
    """Compared as floats, one more would go at every other boundary."""
    said = offer(jnp.asarray(np.random.default_rng(0).permutation(200), jnp.float32).reshape(1, 10, 10, 2))

    def left(fraction):
        return RankCut(fraction)(said, KEY).sent.sum()

    shares = np.arange(201) / 200
    np.testing.assert_array_equal(200 - jax.jit(jax.vmap(left))(shares.astype(np.float32)), np.arange(201))
    np.testing.assert_array_equal([200 - int(left(share)) for share in shares[::7]], np.arange(201)[::7])


@settings
@hypothesis.given(seed=SEEDS, fraction=st.floats(0, 1, width=32), among=st.integers(0, 8))
def test_a_quantile_is_that_of_what_counts(seed, fraction, among):
    """Without numbers that are none, even on the way."""
    rng = np.random.default_rng(seed)
    importance, counts = rng.random((3, 4)).astype(np.float32), rng.permutation(12).reshape(3, 4) < among
    with jax.debug_nans(True):
        found = quantile(importance, counts, fraction)
    said = importance[counts] if among else np.zeros(1)
    assert found in said
    assert (said <= found).mean() >= fraction - 1e-6
    assert (said < found).mean() <= fraction + 1e-6


quantile = jax.jit(importance_quantile)


@settings
@hypothesis.given(seed=SEEDS, bits=st.integers(1, 12))
def test_quantized_numbers_cost_what_they_say(seed, bits):
    content = (10 * np.random.default_rng(seed).standard_t(2, size=SHAPE)).astype(np.float32)
    after, spent = edited(Quantize, offer(content), float(bits))
    np.testing.assert_array_equal(after.content[:, SELF], content[:, SELF])
    np.testing.assert_array_equal(spent, np.full((BATCH, AGENTS), bits * DIMS * (AGENTS - 1)))
    middles = (np.arange(2**bits) + 0.5) / 2**bits * 2 - 1  # evenly spaced in x / (1 + |x|)
    levels = middles / (1 - np.abs(middles))
    said = after.content[:, ~SELF]
    nearest = levels[np.abs(said[..., None] - levels).argmin(-1)]
    np.testing.assert_allclose(said, nearest, rtol=1e-3, atol=1e-5)
    squash = lambda x: x / (1 + np.abs(x))  # noqa: E731
    assert np.abs(squash(said) - squash(content[:, ~SELF])).max() <= 1 / 2**bits + 1e-4


@pytest.mark.parametrize("bits", [1.0, 1.01, 1.5, np.log2(3), 2.0, 2.05, 3.3, np.log2(7), np.log2(11), 6.0])
def test_no_more_values_are_sent_than_are_paid_for(bits):
    content = np.sinh(np.linspace(-20, 20, 3 * 2**12)).astype(np.float32).reshape(-1, 2, 2, 1)
    for traced in (False, True):
        quantized = (
            jax.jit(Quantize.__call__)(Quantize(bits), offer(content), KEY)
            if traced
            else Quantize(bits)(offer(content), KEY)
        )
        values = np.unique(np.asarray(quantized.content)[:, ~np.eye(2, dtype=bool)].round(5))
        assert len(values) == int(2**bits + 1e-6)
        np.testing.assert_allclose(values, -values[::-1], atol=1e-5)


def test_quantizing_does_not_touch_what_is_cheap_and_lets_gradient_pass():
    labels = offer(jnp.ones(SHAPE), bits=2.0)
    after, spent = edited(Quantize, labels, 4.0)
    np.testing.assert_array_equal(after.content, labels.content)
    np.testing.assert_array_equal(spent, np.full((BATCH, AGENTS), 2 * DIMS * (AGENTS - 1)))
    gradient = jax.grad(lambda x: Quantize(3.0)(offer(x), KEY).content.sum())(jnp.full((2, 2, 1), 0.3))
    np.testing.assert_array_equal(gradient, np.ones((2, 2, 1)))


def test_the_largest_numbers_are_quantized_to_finite_ones():
    said = jnp.asarray([[0.0, 3e38], [-1e20, 0.0]])[..., None]
    for bits in (8.0, 25.0, 31.0):
        content = np.asarray(Quantize(bits)(offer(said), KEY).content)
        np.testing.assert_allclose(content[[0, 1], [1, 0], 0], [2**bits - 1, 1 - 2**bits], rtol=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_shuffle_moves_all_of_another_environment(seed):
    """Who is silent, and the price, too: a gate or a cut that stayed behind would tell the truth."""
    messages = random_messages(seed)
    after, _ = edited(Shuffle, messages, key=jax.random.PRNGKey(seed))
    between = np.broadcast_to(~SELF, (AGENTS, AGENTS))
    for b in range(BATCH):
        sources = [k for k in range(BATCH) if np.array_equal(after.content[b, between], messages.content[k, between])]
        assert len(sources) == 1
        assert sources[0] != b
        for name in ("importance", "sent", "price", "overhead"):
            moved, here = getattr(after, name)[b], getattr(messages, name)
            np.testing.assert_array_equal(moved[between], here[sources[0], between])
            np.testing.assert_array_equal(moved[SELF], here[b, SELF])


def test_shuffle_needs_company():
    for shape in ((AGENTS, AGENTS, DIMS), (1, AGENTS, AGENTS, DIMS)):
        with pytest.raises(ValueError, match="at least 2"):
            Shuffle()(offer(jnp.ones(shape)), KEY)


def test_random_messages_are_drawn_evenly_from_all_that_were_said_whatever_the_sender_knows():
    """Every message carries its own number: whose is found where?"""
    count = BATCH * AGENTS * AGENTS
    names = np.arange(count, dtype=np.float32).reshape(SHAPE[:-1])
    messages = offer(np.stack([names, -names], -1))
    draws = jax.jit(jax.vmap(Random(), (None, 0)))(messages, jax.random.split(KEY, 3000))
    content = np.asarray(draws.content)
    np.testing.assert_array_equal(content[..., 0], -content[..., 1])  # entries of one message stay together
    np.testing.assert_array_equal(content[:, :, SELF, 0], np.broadcast_to(names[:, SELF], (3000, BATCH, AGENTS)))
    between = names[:, ~SELF].ravel().astype(int)
    for b, i, j in ((0, 0, 1), (3, 2, 0)):
        share = np.bincount(content[:, b, i, j, 0].astype(int), minlength=count) / 3000
        np.testing.assert_allclose(share[between], 1 / len(between), atol=0.02)
        assert share[between].sum() == pytest.approx(1)
    pairs = np.corrcoef(content[:, 0, 0, 1, 0], content[:, 0, 0, 2, 0])[0, 1]
    assert abs(pairs) < 0.08, "each is drawn by itself"


def test_random_takes_silence_along():
    """What a pair did not send must not be known from the pair."""
    messages = random_messages(2)._replace(content=np.ones(SHAPE, np.float32))
    sent = np.asarray(jax.jit(jax.vmap(Random(), (None, 0)))(messages, jax.random.split(KEY, 2000)).sent)
    rate = messages.sent[:, ~SELF].mean()
    np.testing.assert_allclose(sent[:, :, ~SELF].mean(0), np.full((BATCH, 6, DIMS), rate), atol=0.1)


def test_self_only_lets_one_hear_oneself_in_all_voices():
    messages = random_messages(3)
    after, bits = edited(SelfOnly, messages)
    for i in range(AGENTS):
        for j in range(AGENTS):
            np.testing.assert_array_equal(after.content[:, i, j], messages.content[:, j, j])
            np.testing.assert_array_equal(after.sent[:, i, j], messages.sent[:, j, j])
    np.testing.assert_array_equal(bits, np.zeros((BATCH, AGENTS)))


def test_delays_are_taken_out_of_a_chain_wherever_they_stand():
    drop = Drop(0.1)
    assert split_delay(None) == (None, 0)
    assert split_delay(drop) == (drop, 0)
    assert split_delay(Delay(2)) == (None, 2)
    assert split_delay(chain_edits([Delay(1), chain_edits([drop, Delay(2)])])) == (drop, 3)
    with pytest.raises(TypeError, match="whole episodes"):
        Delay(1)(random_messages(0), KEY)


@pytest.mark.parametrize("renormalize", [True, False])
def test_attention_is_cut_by_its_weights(renormalize):
    """Without renormalizing, weights that are left stay as they were, as NDQ's authors cut TarMAC."""
    channel = AttentionChannel(signature=2, value=2, hidden=0, renormalize=renormalize, num_agents=AGENTS)
    inputs = np.random.default_rng(0).normal(size=(AGENTS, 4)).astype(np.float32)

    def talk(module, edit):
        transmission = Transmission(channel, jnp.ones(AGENTS, bool), KEY, edit)
        heard, reported = module.talk(inputs, None, KEY, transmission)
        return heard, reported["attention"], transmission.account()

    params = jax.jit(lambda: channel.init(KEY, None, method=talk))()
    params = jax.tree.map(lambda x: 2 * x, params)
    run = jax.jit(lambda edit: channel.apply(params, edit, method=talk))
    _, weights, whole = jax.tree.map(np.asarray, run(CutBelow(0.0)))
    np.testing.assert_allclose(weights.sum(0), 1, rtol=1e-5)
    np.testing.assert_allclose(whole.importance, np.repeat(weights[..., None], 4, -1), rtol=1e-5)
    threshold = np.median(weights[~SELF])
    heard, left, account = jax.tree.map(np.asarray, run(CutBelow(float(threshold))))
    kept = (weights >= threshold) | SELF
    assert 3 < kept.sum() < 9
    expected = np.where(kept, weights, 0)
    expected = expected / expected.sum(0) if renormalize else expected
    np.testing.assert_allclose(left, expected, rtol=1e-4)
    np.testing.assert_allclose(heard, np.einsum("ij,ijv->jv", expected, account.content[..., 2:]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("control", ["random", "shuffle", "self_only", "silence"])
def test_a_message_without_entries_stays_one(control):
    """A silent team can be put under every control."""
    nothing = jnp.zeros((2, 3, 3, 0))
    messages = offer(nothing, nothing)
    edited = parse_edit(control)(messages, KEY)
    assert jax.tree.map(jnp.shape, edited) == jax.tree.map(jnp.shape, messages)


def test_the_quantile_takes_no_entry_too_many():
    """.6 of 25 is 15, also where it is computed in 32 bits."""
    assert quantile(jnp.arange(25.0)[:, None], jnp.ones((25, 1), bool), 0.6) == 14


@pytest.mark.parametrize("entries", [3_000_000_000, np.int64(3_000_000_000)])
def test_a_budget_beyond_all_numbers_cuts_nothing(entries):
    messages = offer(jnp.ones((1, 2, 2, 2)))
    assert Budget(entries)(messages, jax.random.PRNGKey(0)).sent.all()


@pytest.mark.parametrize("which", [0, 1, 2])
def test_one_of_several_edits_is_that_edit(which):
    edits = (None, Silence(), CutBelow(0.5))
    messages = offer(jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 3, 2)), jnp.float32))
    found = OneOf(jnp.int32(which), edits)(messages, jax.random.PRNGKey(0))
    expected = messages if which == 0 else edits[which](messages, jax.random.PRNGKey(0))
    np.testing.assert_array_equal(found.sent, expected.sent)
    np.testing.assert_array_equal(bits_sent(found), bits_sent(expected))
