"""Edits: what they cut and change, what they leave alone, and what it costs."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from marlcomm.messages import CutBelow, Drop, Noise, Quantize, RankCut, Shuffle, Silence, chain_edits
from marlcomm.messages.channel import bits_sent, deliver, offer
from marlcomm.messages.edits import CalibratedCut, CutPairs, OneOf, SwapPairs, looks_across, parse_edit
from marlcomm.names import EDITS

BATCH, AGENTS, DIMS = 4, 3, 2
SELF = np.eye(AGENTS, dtype=bool)
EVERYONE = jnp.ones((BATCH, AGENTS), bool)
KEY = jax.random.PRNGKey(3)
SEEDS = st.integers(0, 2**31)
settings = hypothesis.settings(max_examples=20, deadline=None)


def random_offer(seed, batch=BATCH):
    """Everything is sent; no content is zero, and importance is not simply its size."""
    rng = np.random.default_rng(seed)
    shape = (batch, AGENTS, AGENTS, DIMS)
    return offer(jnp.asarray(rng.normal(size=shape), jnp.float32), jnp.asarray(5 * rng.random(shape), jnp.float32))


@settings
@hypothesis.given(seed=SEEDS, threshold=st.floats(0, 6))
def test_cut_below_cuts_what_is_less_important_but_never_a_self_message(seed, threshold):
    messages = random_offer(seed)
    arrived = deliver(CutBelow(threshold)(messages, KEY), EVERYONE)
    messages, arrived, bits = jax.tree.map(np.asarray, (messages, arrived, bits_sent(arrived)))
    for b in range(BATCH):
        for i in range(AGENTS):
            spent = 0
            for j in range(AGENTS):
                for d in range(DIMS):
                    keep = i == j or messages.importance[b, i, j, d] >= np.float32(threshold)
                    assert arrived.content[b, i, j, d] == (messages.content[b, i, j, d] if keep else 0)
                    assert bool(arrived.sent[b, i, j, d]) == bool(keep)
                    spent += 0 if i == j else 1 + 32 * keep  # one bit tells whether the entry was sent
            assert bits[b, i] == spent


def test_an_edit_without_effect_still_pays_for_its_mask():
    bits = bits_sent(CutBelow(0.0)(random_offer(0), KEY))
    np.testing.assert_array_equal(bits, np.full((BATCH, AGENTS), (AGENTS - 1) * DIMS * 33))


@settings
@hypothesis.given(seed=SEEDS, fraction=st.floats(0, 1))
def test_rank_cut_cuts_its_share_and_the_least_important(seed, fraction):
    messages = random_offer(seed)
    sent = np.asarray(RankCut(fraction)(messages, KEY).sent)
    size = messages.importance.size
    assert abs((~sent).sum() - fraction * size) <= 1
    cut, kept = np.asarray(messages.importance)[~sent], np.asarray(messages.importance)[sent]
    if cut.size and kept.size:
        assert cut.max() <= kept.min()


@pytest.mark.parametrize(("fraction", "cut"), [(0.0, 0), (0.25, 18), (0.5, 36), (0.75, 54), (1.0, 72)])
def test_rank_cut_of_72_entries(fraction, cut):
    messages = random_offer(1)
    arrived = deliver(RankCut(fraction)(messages, KEY), EVERYONE)
    assert (np.asarray(arrived.content) == 0).sum() == cut
    paid = bits_sent(arrived).sum()
    assert paid == (arrived.sent & ~SELF[..., None]).sum() * 32 + BATCH * AGENTS * (AGENTS - 1) * DIMS


@settings
@hypothesis.given(seed=SEEDS, probability=st.floats(0, 1))
def test_drop_loses_whole_messages_but_never_a_self_message(seed, probability):
    arrived = deliver(Drop(probability)(random_offer(seed), jax.random.PRNGKey(seed)), EVERYONE)
    got = np.asarray(arrived.content) != 0
    assert (got.all(-1) | ~got.any(-1)).all()
    assert got[:, SELF].all()


def test_drop_loses_the_share_that_it_says_and_the_sender_has_paid():
    messages = random_offer(0, batch=500)
    assert np.all(Drop(0.0)(messages, KEY).content)
    assert not np.asarray(Drop(1.0)(messages, KEY).content)[:, ~SELF].any()
    dropped = Drop(0.3)(messages, KEY)
    lost = np.mean(np.asarray(dropped.content)[:, ~SELF][..., 0] == 0, 0)
    np.testing.assert_allclose(lost, 0.3, atol=0.1)  # on every link alike
    np.testing.assert_array_equal(bits_sent(dropped), bits_sent(messages))
    arrived = deliver(dropped, jnp.ones((500, AGENTS), bool))
    np.testing.assert_array_equal(arrived.sent, np.asarray(dropped.content) != 0, "what is lost has not come")
    np.testing.assert_array_equal(bits_sent(arrived), bits_sent(messages), "and is paid for")


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_lost_costs_what_it_would_have_wherever_the_loss_stands_in_a_chain(order):
    messages = random_offer(0)
    edits = [Drop(0.5), Quantize(4.0)][::order]
    arrived = deliver(chain_edits([*edits, Drop(0.5)])(messages, KEY), EVERYONE)
    np.testing.assert_array_equal(bits_sent(arrived), np.full((BATCH, AGENTS), (AGENTS - 1) * DIMS * 4))
    assert 0.5 < np.mean(~np.asarray(arrived.sent)[:, ~SELF]) < 1


def test_one_of_several_may_lose_messages():
    messages = random_offer(0)
    edits = (None, Drop(1.0), CutBelow(2.0))
    found = [deliver(OneOf(jnp.int32(which), edits)(messages, KEY), EVERYONE) for which in range(3)]
    for arrived, edit in zip(found, edits, strict=True):
        expected = deliver(messages if edit is None else edit(messages, KEY), EVERYONE)
        np.testing.assert_array_equal(arrived.sent, expected.sent)
        np.testing.assert_array_equal(bits_sent(arrived), bits_sent(expected))


def test_noise_blurs_what_passes_between_agents():
    messages = random_offer(0, batch=2000)
    noise = np.asarray(Noise(2.5)(messages, KEY).content - messages.content)
    assert not noise[:, SELF].any()
    np.testing.assert_allclose(noise[:, ~SELF].std(0), 2.5, atol=0.2)
    np.testing.assert_allclose(noise[:, ~SELF].mean(0), 0, atol=0.25)
    np.testing.assert_array_equal(Noise(0.0)(messages, KEY).content, messages.content)


def test_noise_does_not_bring_back_what_was_cut():
    edit = chain_edits([CutBelow(2.5), Noise(1.0)])
    arrived = deliver(edit(random_offer(0), KEY), EVERYONE)
    assert 0 < (~arrived.sent).sum() < arrived.sent.size
    assert not np.any(np.asarray(arrived.content)[~np.asarray(arrived.sent)])


@pytest.mark.parametrize("seed", range(8))
def test_shuffle_brings_messages_of_another_environment(seed):
    messages = random_offer(seed)
    content = np.asarray(messages.content)
    moved = np.asarray(Shuffle()(messages, jax.random.PRNGKey(seed)).content)
    np.testing.assert_array_equal(moved[:, SELF], content[:, SELF])
    for b in range(BATCH):
        source = [k for k in range(BATCH) if np.array_equal(moved[b, ~SELF], content[k, ~SELF])]
        assert len(source) == 1
        assert source[0] != b


@pytest.mark.parametrize("first", [None, CutBelow(1.0), Noise(1.0)])
def test_silence_costs_nothing(first):
    edit = chain_edits([*([first] if first else []), Silence()])
    arrived = deliver(edit(random_offer(0), KEY), EVERYONE)
    np.testing.assert_array_equal(bits_sent(arrived), np.zeros((BATCH, AGENTS)))
    assert not np.any(np.asarray(arrived.content)[:, ~SELF])
    np.testing.assert_array_equal(np.asarray(arrived.content)[:, SELF], np.asarray(random_offer(0).content)[:, SELF])


def test_a_chain_applies_edits_in_order_with_keys_of_their_own():
    assert chain_edits([]) is None
    only = Drop(0.5)
    assert chain_edits([only]) is only
    messages = random_offer(0, batch=1000)
    twice = np.asarray(chain_edits([Drop(0.5), Drop(0.5)])(messages, KEY).content)[:, ~SELF] != 0
    assert abs(twice.mean() - 0.25) < 0.03, "with one key for both, the second would lose nothing more"
    loud = offer(3 * jnp.ones((1, AGENTS, AGENTS, DIMS)))
    assert (chain_edits([Noise(0.0), CutBelow(2.0)])(loud, KEY).content == 3).all()


def test_numbers_may_be_traced():
    """One program serves a sweep over the number of an edit."""
    messages = random_offer(0)
    sweep = jax.jit(jax.vmap(lambda x: CutBelow(x)(messages, KEY).sent.mean()))(jnp.array([0.0, 2.5, 9.0]))
    assert sweep[0] == 1
    assert sweep[0] > sweep[1] > sweep[2]
    np.testing.assert_allclose(sweep[2], SELF.mean())


def test_a_calibrated_cut_does_not_run_uncalibrated():
    with pytest.raises(TypeError, match="evaluate"):
        CalibratedCut(0.5)(random_offer(0), KEY)


PAIRS = jnp.ones((AGENTS, AGENTS), bool)
NUMBERS = {"cut_below": "2", "rank_cut": "0.5", "budget": "2", "drop": "0.3", "noise": "1", "quantize": "4"}


@pytest.mark.parametrize(
    "edit",
    [
        *(
            parse_edit(f"{name}:{NUMBERS[name]}" if name in NUMBERS else name)
            for name in sorted(EDITS.keys() - {"cut", "delay"})
        ),
        CutPairs(PAIRS),
        SwapPairs(PAIRS),
        OneOf(jnp.int32(1), (None, Shuffle())),
        chain_edits([Drop(0.1), RankCut(0.5)]),
    ],
    ids=lambda edit: type(edit).__name__,
)
def test_an_edit_that_looks_across_environments_says_so(edit):
    """By what becomes of an environment's messages where the others say something else."""
    one, other = random_offer(1), random_offer(2)
    other = other._replace(importance=10 * other.importance)
    mixed = jax.tree.map(lambda x, y: x.at[1:].set(y[1:]), one, other)
    found = (jax.tree.map(lambda x: np.asarray(x)[0], edit(each, KEY)) for each in (one, mixed))
    same = jax.tree.all(jax.tree.map(np.array_equal, *found))
    assert looks_across(edit) == (not same)
