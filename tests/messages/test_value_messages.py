"""VBC and TMC step by step against loops over agents in numpy: who asks, who answers, what is kept, what it costs."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct
from formulas import mlp

from marlcomm.messages import TemporalGatedChannel, VarianceGatedChannel
from marlcomm.messages.channel import bits_sent
from marlcomm.messages.channels.value_messages import action_gap
from marlcomm.messages.edits import CutPairs, chain_edits
from marlcomm.messages.transmission import Transmission

BATCH, AGENTS, ACTIONS, HIDDEN, STEPS = 8, 3, 4, 5, 7
KEY = jax.random.PRNGKey(0)
RNG = np.random.default_rng(5)
MEMORY = RNG.normal(size=(STEPS, BATCH, AGENTS, HIDDEN)).astype(np.float32)
INPUTS = np.zeros((BATCH, AGENTS, 2), np.float32)
OWN = RNG.normal(size=(BATCH, AGENTS, ACTIONS)).astype(np.float32)  # action values before anything is heard
MASK = RNG.random((BATCH, AGENTS, ACTIONS)) < 0.7
ALIVE = np.ones((BATCH, AGENTS), bool)
OTHERS = ~np.eye(AGENTS, dtype=bool)


def scores(heard):
    return OWN if heard is None else OWN + heard.action_values


@functools.cache
def talker(channel):
    channel = channel.clone(num_agents=AGENTS, num_actions=ACTIONS, input_size=2)
    state = channel.initial_state(BATCH, AGENTS)

    def once(module):
        transmit = Transmission(channel, jnp.asarray(ALIVE), KEY, state=state, scores=scores)
        return module.talk(INPUTS, MEMORY[0], KEY, transmit)

    shapes = jax.eval_shape(lambda: channel.init(KEY, method=once))
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda x: (0.6 * rng.normal(size=x.shape)).astype(np.float32), shapes)

    @functools.partial(jax.jit, static_argnames="training")
    def run(memory, state, alive, mask, edit, training, own, weights):
        def heard_by(heard):
            return own if heard is None else own + heard.action_values

        given = {"state": state, "training": training, "action_mask": mask, "scores": heard_by}
        transmit = Transmission(channel, alive, KEY, edit, **given)
        heard, reported = channel.apply(weights, INPUTS[: len(own)], memory, KEY, transmit, method="talk")
        messages = transmit.account()
        return heard, reported, bits_sent(messages), messages

    return channel, params, run


NO_CUT = np.zeros((AGENTS, AGENTS), bool)


def talk(channel, memory=MEMORY[0], state=None, alive=ALIVE, mask=MASK, training=False, own=OWN, params=None, **edit):
    sized, default, run = talker(channel)
    state = sized.initial_state(*alive.shape) if state is None else state
    edit = edit["edit"] if "edit" in edit else CutPairs(edit.get("cut", NO_CUT))
    return run(memory, state, alive, mask, edit, training, own, default if params is None else params)


def messages_of(channel, memory):
    return mlp(talker(channel)[1]["params"]["encoder"], memory)


def gaps(values, mask):
    """By sorting, an agent after the other."""
    found = np.full(values.shape[:-1], np.inf)
    for place in np.ndindex(*found.shape):
        best = np.sort(values[place][mask[place]])[::-1]
        if len(best) > 1:
            found[place] = best[0] - best[1]
    return found


def test_the_gap_is_that_of_the_two_best_allowed_actions():
    mask = np.array(MASK)
    mask[0, 0], mask[1, 1] = False, np.arange(ACTIONS) == 2
    np.testing.assert_allclose(action_gap(jnp.asarray(OWN), jnp.asarray(mask)), gaps(OWN, mask), rtol=1e-5)
    np.testing.assert_allclose(action_gap(jnp.asarray(OWN), None), gaps(OWN, np.ones_like(mask)), rtol=1e-5)
    gradient = jax.grad(lambda x: jnp.exp(-action_gap(x, jnp.asarray(mask))).sum())(jnp.asarray(OWN))
    assert np.isfinite(gradient).all()


VBC = VarianceGatedChannel(hidden=6, ask_below=0.7, answer_above=0.35)


def by_loops(ask_below, answer_above, alive, cut):
    """What is added to action values and the bits of each, by the paper's words."""
    message = messages_of(VBC, MEMORY[0])
    gap = gaps(OWN, MASK)
    added, bits = np.zeros((BATCH, AGENTS, ACTIONS)), np.zeros((BATCH, AGENTS))
    for b in range(BATCH):
        for j in range(AGENTS):  # who may ask
            for i in range(AGENTS):  # who may answer
                if i == j or not (alive[b, i] and alive[b, j]):
                    continue
                bits[b, j] += 1  # asked or not
                if not gap[b, j] < ask_below or cut[j, i]:
                    continue
                bits[b, i] += 1  # answered or not
                if np.var(message[b, i]) > answer_above and not cut[i, j]:
                    added[b, j] += message[b, i] / (AGENTS - 1)
                    bits[b, i] += 32 * ACTIONS
    return added, bits


@pytest.mark.parametrize("dead", [False, True])
def test_the_unsure_ask_and_those_whose_messages_vary_answer(dead):
    alive = ALIVE & ~(dead & (np.arange(AGENTS) == 1))
    heard, reported, bits, _ = talk(VBC, alive=alive)
    added, expected = by_loops(0.7, 0.35, alive, np.zeros((AGENTS, AGENTS)))
    asks, answers = np.asarray(reported["asks"]), np.asarray(reported["answers"])
    assert asks.any()
    assert not asks.all()
    assert 0 < (answers & OTHERS).sum() < (np.swapaxes(asks[..., None] & OTHERS, -1, -2)).sum()
    np.testing.assert_allclose(heard.action_values, added, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bits, expected)


def test_a_request_that_was_cut_is_not_answered():
    cut = np.zeros((AGENTS, AGENTS), bool)
    cut[0, 1] = True  # what agent 0 says to agent 1: of its request 1 bit is paid, and of the edit's mask 1 an entry
    heard, _, bits, messages = talk(VBC, cut=cut)
    added, expected = by_loops(0.7, 0.35, ALIVE, cut)
    np.testing.assert_allclose(heard.action_values, added, rtol=1e-4, atol=1e-5)
    answers = np.asarray(messages.sent)[..., 1:]
    assert not answers[:, 1, 0].any()
    np.testing.assert_allclose(bits[:, 1:], expected[:, 1:])


def test_in_training_everybody_asks_and_answers():
    heard, _, bits, _ = talk(VBC, training=True)
    message = messages_of(VBC, MEMORY[0])
    np.testing.assert_allclose(heard.action_values, (message.sum(1, keepdims=True) - message) / 2, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bits, (AGENTS - 1) * (1 + 1 + 32 * ACTIONS))


def test_thresholds_that_always_ask_and_answer_talk_as_in_training():
    always = VBC.clone(ask_below=float("inf"), answer_above=-1.0)
    everywhere = np.ones_like(MASK)  # who has no choice is sure
    one, other = talk(always, mask=everywhere), talk(VBC, training=True)
    np.testing.assert_array_equal(one[0].action_values, other[0].action_values)
    np.testing.assert_array_equal(one[2], other[2])


TMC = TemporalGatedChannel(hidden=6, change=2.0, silence=4, keep=3)


def drifting():
    """Memories that change a little and then a lot, so that agents are silent for a while."""
    rng = np.random.default_rng(3)
    steps = rng.normal(size=(STEPS, BATCH, AGENTS, HIDDEN)) * (rng.random((STEPS, BATCH, AGENTS, 1)) < 0.3)
    return (MEMORY[0] + steps.cumsum(0)).astype(np.float32)


class Lose(struct.PyTreeNode):
    """Loses messages of these pairs on the way."""

    pairs: Any

    def __call__(self, messages, key):
        return messages._replace(lost=jnp.broadcast_to(self.pairs[..., None], messages.sent.shape))


def run_tmc(memory, cut=None, lost=None, alive=None, training=False, channel=None):
    state, found = None, []
    for t in range(STEPS):
        lives = ALIVE if alive is None else alive[t]
        edit = chain_edits([CutPairs(NO_CUT if cut is None else cut[t]), Lose(NO_CUT if lost is None else lost[t])])
        heard, reported, bits, _ = talk(channel or TMC, memory[t], state, lives, edit=edit, training=training)
        state = heard.state
        found.append((np.asarray(heard.action_values), np.asarray(reported["sends"]), np.asarray(bits)))
    return map(np.stack, zip(*found, strict=True))


def kept_by_loops(memory, cut, lost, alive):
    """Of messages that are cut a sender knows, of those that are lost it does not."""
    message = messages_of(TMC, memory)
    added, sends = np.zeros((STEPS, BATCH, AGENTS, ACTIONS)), np.zeros((STEPS, BATCH, AGENTS, AGENTS), bool)
    for b in range(BATCH):
        for i, j in np.argwhere(OTHERS):
            last, when, kept, came = np.zeros(ACTIONS), -1, np.zeros(ACTIONS), 0
            for t in range(STEPS):
                if not (alive[t, b, i] and alive[t, b, j]):
                    last, kept = np.zeros(ACTIONS), np.zeros(ACTIONS)
                    continue
                if ((message[t, b, i] - last) ** 2).sum() > TMC.change or t - when >= TMC.silence:
                    sends[t, b, i, j] = True
                    if not cut[t, i, j]:
                        last, when = message[t, b, i], t
                        if not lost[t, i, j]:
                            kept, came = message[t, b, i], t
                if t - came <= TMC.keep:
                    added[t, b, j] += kept / (AGENTS - 1)
    return added, sends


def test_messages_are_sent_when_they_changed_and_kept_for_a_while():
    memory, never = drifting(), np.zeros((STEPS, AGENTS, AGENTS), bool)
    added, sends, bits = run_tmc(memory)
    expected, told = kept_by_loops(memory, never, never, np.ones((STEPS, BATCH, AGENTS), bool))
    assert 0.1 < told[..., OTHERS].mean() < 0.9
    np.testing.assert_array_equal(sends & OTHERS, told)
    np.testing.assert_allclose(added, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bits, (AGENTS - 1) + told.sum(-1) * 32 * ACTIONS)


def test_what_is_cut_or_lost_leaves_the_old_one_and_who_dies_is_forgotten():
    """What is cut is tried again, of what is lost nobody knows."""
    memory, rng = drifting(), np.random.default_rng(2)
    cut, lost = ((rng.random((STEPS, AGENTS, AGENTS)) < 0.5) & OTHERS for _ in range(2))
    alive = np.ones((STEPS, BATCH, AGENTS), bool)
    alive[4:, :, 2] = False
    added, sends, _ = run_tmc(memory, cut, lost, alive)
    expected, told = kept_by_loops(memory, cut, lost, alive)
    living = alive[..., :, None] & alive[..., None, :]
    np.testing.assert_array_equal(sends & living & OTHERS, told)
    np.testing.assert_allclose(added, expected, rtol=1e-4, atol=1e-5)
    for other in ((cut & False, lost), (cut, lost & False), (cut | lost, lost & False)):
        assert not np.allclose(kept_by_loops(memory, *other, alive)[0], expected)


def test_with_a_narrow_bandwidth_everybody_hears_in_turn():
    memory = np.broadcast_to(MEMORY[0], (STEPS, *MEMORY[0].shape))
    added, _, bits = run_tmc(memory, channel=TMC.clone(silence=100, keep=100, change=0.0, bandwidth=ACTIONS))
    assert (bits <= 2 * (1 + ACTIONS) + 32 * ACTIONS).all(), "a bit, a mask, and one message in all"
    message = messages_of(TMC, MEMORY[0])
    np.testing.assert_allclose(added[-1], (message.sum(1, keepdims=True) - message) / 2, rtol=1e-4, atol=1e-5)


def test_what_receivers_would_forget_matters():
    memory = np.broadcast_to(MEMORY[0], (STEPS, *MEMORY[0].shape))
    state, worth = None, []
    for t in range(STEPS):
        heard, _, _, messages = talk(TMC.clone(change=0.0), memory[t], state)
        state = heard.state
        worth.append(np.asarray(messages.importance)[..., OTHERS, :])
    square = np.broadcast_to(messages_of(TMC, MEMORY[0])[..., :, None, :] ** 2, messages.content.shape)[..., OTHERS, :]
    np.testing.assert_allclose(worth[0], square, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(worth[TMC.silence], square, rtol=1e-4, atol=1e-6)
    assert not np.any(worth[1])


def test_an_entry_matters_by_what_it_alone_says():
    message = messages_of(VBC, MEMORY[0])
    messages = talk(VBC, training=True)[3]
    square = (message - message.mean(-1, keepdims=True)) ** 2
    expected = np.broadcast_to(square[..., :, None, :], (BATCH, AGENTS, AGENTS, ACTIONS))
    np.testing.assert_allclose(messages.importance[..., 1:], expected, rtol=1e-4, atol=1e-6)


def test_in_training_everybody_sends_at_every_step():
    memory = drifting()
    added, sends, bits = run_tmc(memory, training=True)
    message = messages_of(TMC, memory)
    assert sends.all()
    np.testing.assert_allclose(added, (message.sum(2, keepdims=True) - message) / 2, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bits, (AGENTS - 1) * (1 + 32 * ACTIONS))


@pytest.mark.parametrize("channel", [VBC, TMC])
def test_a_batch_of_1_talks_as_each_of_8(channel):
    everybody = talk(channel)
    for place in range(BATCH):
        one = slice(place, place + 1)
        heard, _, bits, _ = talk(channel, MEMORY[0, one], alive=ALIVE[one], mask=MASK[one], own=OWN[one])
        np.testing.assert_allclose(heard.action_values[0], everybody[0].action_values[place], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(bits[0], everybody[2][place])


@pytest.mark.parametrize("channel", [VBC, TMC])
def test_the_receiver_teaches_the_sender_in_training(channel):
    def heard_by_first(memory, params):
        return (talk(channel, memory, training=True, params=params)[0].action_values[:, 0] ** 2).sum()

    of_memory, of_params = jax.grad(heard_by_first, (0, 1))(MEMORY[0], talker(channel)[1])
    assert np.any(of_memory, -1)[:, 1:].all()
    assert not np.any(of_memory[:, 0])
    assert all(np.any(leaf) for leaf in jax.tree.leaves(of_params))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: VarianceGatedChannel(after_memory=False), "after_memory"),
        (lambda: TemporalGatedChannel(hidden=0), "hidden"),
        (lambda: TemporalGatedChannel(keep=0), "keep"),
        (lambda: TemporalGatedChannel(silence=0), "silence"),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, what):
    with pytest.raises(ValueError, match=what):
        make()
