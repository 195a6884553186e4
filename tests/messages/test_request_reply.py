"""CACOM's channel against loops over agents in numpy: requests, replies, gates, their labels, and what it costs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from formulas import dense, mlp, softmax

from marlcomm.losses import Since
from marlcomm.losses.request_reply import reply_gate_loss
from marlcomm.messages import RequestReplyChannel
from marlcomm.messages.channel import bits_sent
from marlcomm.messages.edits import CutPairs, Quantize
from marlcomm.messages.transmission import Transmission
from marlcomm.types import Episodes, Unroll
from marlcomm.validation import UsageError

BATCH, AGENTS, ACTIONS, INPUT, HIDDEN = 8, 3, 4, 2, 5
REQUEST, REPLY, SLOTS, WIDTH = 2, 3, 2, 4
KEY = jax.random.PRNGKey(0)
RNG = np.random.default_rng(3)
INPUTS, MEMORY = (RNG.normal(size=(BATCH, AGENTS, size)).astype(np.float32) for size in (INPUT, HIDDEN))
OWN = RNG.normal(size=(BATCH, AGENTS, ACTIONS)).astype(np.float32)
HEAD = RNG.normal(size=(AGENTS * REPLY, ACTIONS)).astype(np.float32)
MASK = RNG.random((BATCH, AGENTS, ACTIONS)) < 0.8
MASK[..., 0] = True
ALIVE = np.ones((BATCH, AGENTS), bool)
CHANNEL = RequestReplyChannel(
    gated="evaluation",
    worth_of="choice",
    request=REQUEST,
    reply=REPLY,
    slots=SLOTS,
    width=WIDTH,
    num_agents=AGENTS,
    num_actions=ACTIONS,
    input_size=INPUT,
)
GATED = CHANNEL.clone(gated="always", held_back=0.5)
BY_VALUE = CHANNEL.clone(worth_of="best_value")
HOLDS_NOTHING = CHANNEL.clone(held_back=0.0)


def talk_through(channel, params, given, cut, training, key=KEY):
    inputs, memory, own, alive, mask = given

    def scores(heard):
        return own if heard is None else own + jnp.tanh(heard.features @ HEAD)

    transmit = Transmission(
        channel, alive, key, CutPairs(cut), training=training, action_mask=jnp.asarray(mask), scores=scores
    )
    if params is None:
        return channel.init(key, inputs, memory, key, transmit, method="talk")
    heard, reported = channel.apply(params, inputs, memory, key, transmit, method="talk")
    messages = transmit.account()
    return heard.features, reported, bits_sent(messages), messages


run = jax.jit(talk_through, static_argnames=("channel", "training"))
EVERYTHING = INPUTS, MEMORY, OWN, ALIVE, MASK
NO_CUT = np.zeros((AGENTS, AGENTS), bool)


@functools.cache
def params():
    shapes = jax.eval_shape(lambda: talk_through(CHANNEL, None, EVERYTHING, NO_CUT, True))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda x: (0.7 * rng.normal(size=x.shape)).astype(np.float32), shapes)


def by_loops(b, alive, cut):
    """Replies and gates [replier][receiver] of an environment, None where there was no request."""
    p = params()["params"]
    seen = [np.concatenate([INPUTS[b, i], MEMORY[b, i]]) for i in range(AGENTS)]
    replies, gates = {}, {}
    for j in range(AGENTS):
        known = dense(p["knowledge"], seen[j]).reshape(SLOTS, WIDTH)
        for i in range(AGENTS):
            if i == j or not (alive[b, i] and alive[b, j]) or cut[i, j]:
                continue
            request = dense(p["request_head"], seen[i])
            weights = softmax([dense(p["key_head"], k) @ dense(p["query_head"], request) / WIDTH**0.5 for k in known])
            read = sum(w * dense(p["value_head"], k) for w, k in zip(weights, known, strict=True))
            replies[j, i] = mlp(p["reply_head"], read)
            matched = np.array([dense(p["gate_key"], k) @ dense(p["gate_query"], request) for k in known])
            gates[j, i] = dense(p["gate_head"], matched)[0]
    return replies, gates


def side_by_side(b, replies, i):
    return np.concatenate([replies.get((j, i), np.zeros(REPLY)) for j in range(AGENTS)])


@pytest.mark.parametrize("dead", [False, True])
def test_replies_pass_the_gates_and_all_is_paid(dead):
    alive = ALIVE & ~(dead & (np.arange(AGENTS) == 1))
    features, reported, bits, _ = run(CHANNEL, params(), (INPUTS, MEMORY, OWN, alive, MASK), NO_CUT, False)
    shares = []
    for b in range(BATCH):
        replies, gates = by_loops(b, alive, NO_CUT)
        passed = {pair: reply for pair, reply in replies.items() if gates[pair] > 0}
        shares.append(len(passed) / max(len(replies), 1))
        living = alive[b].sum() - 1
        for i in range(AGENTS):
            np.testing.assert_allclose(features[b, i], side_by_side(b, passed, i), rtol=1e-3, atol=1e-4)
            sent = sum(replier == i for replier, _ in passed)
            assert bits[b, i] == pytest.approx(alive[b, i] * (living * (32 * REQUEST + 1) + sent * 32 * REPLY))
    assert 0 < np.mean(shares) < 1
    assert "gate_label" not in reported


def test_a_request_that_was_cut_is_not_answered():
    cut = NO_CUT.copy()
    cut[0, 1] = True
    features, _, _, messages = run(HOLDS_NOTHING, params(), EVERYTHING, cut, True)
    assert not np.asarray(messages.sent)[:, 1, 0, REQUEST:].any()
    for b in range(BATCH):
        replies, _ = by_loops(b, ALIVE, cut)
        heard = {(j, i): reply for (j, i), reply in replies.items() if not cut[j, i]}
        for i in range(AGENTS):
            np.testing.assert_allclose(features[b, i], side_by_side(b, heard, i), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("channel", [CHANNEL, GATED, BY_VALUE])
def test_a_gate_is_told_whether_its_reply_is_worth_it(channel):
    held, drawn = [], set()
    for number in range(4):
        key = jax.random.PRNGKey(number)
        features, reported, _, _ = run(channel, params(), EVERYTHING, NO_CUT, True, key)
        taught, label = np.asarray(reported["gate_taught"]), np.asarray(reported["gate_label"])
        is_open = np.asarray(reported["gate_open"])
        repliers = [set(np.argwhere(of_one)[:, 0]) for of_one in taught]
        assert len({tuple(one) for one in repliers}) > 1, "each environment draws for itself"
        for b, (replier,) in enumerate(repliers):
            drawn.add(replier)
            assert (taught[b, replier] == (np.arange(AGENTS) != replier)).all()
            replies, gates = by_loops(b, ALIVE, NO_CUT)
            for j, i in replies:
                if j == replier:
                    held.append(not is_open[b, j, i])
                else:
                    assert is_open[b, j, i] == (channel is not GATED or gates[j, i] > 0)
            passed = {pair: reply for pair, reply in replies.items() if is_open[b][pair]}
            for i in range(AGENTS):
                np.testing.assert_allclose(features[b, i], side_by_side(b, passed, i), rtol=1e-3, atol=1e-4)
            for i in set(range(AGENTS)) - {replier}:
                told_and_not = []
                for told in ({**passed, (replier, i): replies[replier, i]}, {**passed, (replier, i): np.zeros(REPLY)}):
                    values = OWN[b, i] + np.tanh(side_by_side(b, told, i) @ HEAD)
                    told_and_not.append(np.where(MASK[b, i], values, -np.inf))
                told, untold = told_and_not
                otherwise = untold.max() if channel is BY_VALUE else told[untold.argmax()]
                if channel is not BY_VALUE or abs(told.max() - otherwise) > 1e-4:
                    assert label[b, replier, i] == (told.max() - otherwise > 1e-6)
    assert drawn == set(range(AGENTS))
    assert 0.3 < np.mean(held) < 0.7, "a coin decides of the replier that is drawn, whatever its gates say"


def test_a_label_is_of_the_reply_as_it_arrives():
    blurred = run_through(Quantize(1.0))
    exact = run_through(None)
    assert np.any(blurred["gate_label"] != exact["gate_label"])
    np.testing.assert_array_equal(blurred["gate_taught"], exact["gate_taught"])


def run_through(edit):
    """What is reported in training where this happens to messages."""

    def talk(params):
        transmit = Transmission(HOLDS_NOTHING, jnp.asarray(ALIVE), KEY, edit, training=True, scores=head_scores)
        return HOLDS_NOTHING.apply(params, INPUTS, MEMORY, KEY, transmit, method="talk")[1]

    return jax.tree.map(np.asarray, jax.jit(talk)(params()))


def head_scores(heard):
    return OWN if heard is None else OWN + jnp.tanh(heard.features @ HEAD)


def test_labels_of_what_comes_later_are_refused():
    late = CHANNEL.clone(delay=1)
    with pytest.raises(UsageError, match="delay=1: gates learn"):
        jax.eval_shape(lambda: talk_through(late, params(), EVERYTHING, NO_CUT, True))
    jax.eval_shape(lambda: talk_through(late, params(), EVERYTHING, NO_CUT, False))
    never = late.clone(gated="never")
    assert "gate_label" not in jax.eval_shape(lambda: talk_through(never, params(), EVERYTHING, NO_CUT, True))[1]
    assert list(never.losses()) == ["teammate_values"]


def gradient_of(loss):
    taken = jax.jit(jax.grad(loss))(params())["params"]
    return {name for name, leaves in taken.items() if any(np.any(leaf) for leaf in jax.tree.leaves(leaves))}


def test_gates_learn_from_their_labels_alone_and_teach_nothing_else():
    gates = {"gate_key", "gate_query", "gate_head"}
    lead = (BATCH, 1, AGENTS)
    episodes = Episodes(None, None, None, np.ones(lead, bool), None, None, None, np.ones((BATCH, 1), bool), None)  # pyright: ignore[reportArgumentType]

    def of_gates(params):
        _, reported, _, _ = talk_through(GATED, params, EVERYTHING, NO_CUT, True)
        auxiliary = {name: x[:, None] for name, x in reported.items()}
        unroll = Unroll(None, None, None, None, None, None, auxiliary)  # pyright: ignore[reportArgumentType]
        return reply_gate_loss(unroll, episodes, None)[0]

    def of_team(params):
        return (talk_through(GATED, params, EVERYTHING, NO_CUT, True)[0] ** 2).sum()

    assert gradient_of(of_gates) == gates
    assert gradient_of(of_team) == params()["params"].keys() - gates - {"predictor"}


def test_a_reply_that_is_held_back_is_taught_by_nobody():
    without_coin = GATED.clone(held_back=0.0)

    @jax.jit
    @jax.grad
    def heard_by_first(memory):
        features = talk_through(without_coin, params(), (INPUTS, memory, OWN, ALIVE, MASK), NO_CUT, True)[0]
        return (features[:, 0] ** 2).sum()

    reached = np.any(heard_by_first(jnp.asarray(MEMORY)), -1)
    for b in range(BATCH):
        _, gates = by_loops(b, ALIVE, NO_CUT)
        for j in range(1, AGENTS):
            assert reached[b, j] == (gates[j, 0] > 0)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: RequestReplyChannel(after_memory=False), "after_memory"),
        (lambda: RequestReplyChannel(request=0), "request"),
        (lambda: RequestReplyChannel(slots=0), "slots"),
        (lambda: RequestReplyChannel(worth_of="all"), "worth_of is 'all'"),
        (lambda: RequestReplyChannel(held_back=1.5), "held_back is 1.5"),
        (lambda: RequestReplyChannel(gated="sometimes"), "gated is 'sometimes'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, what):
    with pytest.raises(ValueError, match=what):
        make()


def test_gates_begin_open_and_are_not_taught_before_their_step():
    fresh = talk_through(CHANNEL, None, EVERYTHING, NO_CUT, training=True)
    _, reported, _, _ = run(CHANNEL, fresh, EVERYTHING, NO_CUT, True)
    assert (np.asarray(reported["gate_logit"]) > 0).all()
    taught = CHANNEL.losses()["reply_gate"].loss
    assert isinstance(taught, Since)
    assert taught.start == CHANNEL.gates_from
