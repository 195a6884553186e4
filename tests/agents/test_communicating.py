"""Talk before and after the memory, with state, action values and bandwidth: learning sees what acting saw."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from talkers import KEY, Advice, Both, OnChange, Plain, Restless, Team, Unsure, assert_same

from marlcomm.agents import FeedForwardAgent
from marlcomm.messages import (
    AttentionChannel,
    Channel,
    CutBelow,
    GatedChannel,
    GaussianChannel,
    Heard,
    MeanChannel,
    SharedChannel,
    Silence,
    within_reach,
)
from marlcomm.messages.channel import bits_sent, by_receiver, offer, seen_by, to_everybody

BATCH, TIME, AGENTS, ACTIONS, INPUTS, HIDDEN = 2, 4, 3, 4, 2, 5


TALK = {
    "before, two rounds, memory, late": AttentionChannel(
        signature=2, value=2, hidden=0, rounds=2, delay=1, reads_memory=True
    ),
    "before, a gate, late": GatedChannel(dims=2, hidden=4, delay=2),
    "before, a row and a cap, late": SharedChannel(delay=1, bandwidth=3, graph=within_reach(AGENTS, 1)),
    "before": Plain(),
    "before, memory": Plain(reads_memory=True),
    "before, advice": Advice(),
    "before, state": OnChange(),
    "before, state, memory, late": OnChange(reads_memory=True, delay=2),
    "before, state, late": OnChange(delay=1),
    "after": Plain(after_memory=True),
    "after, late": Plain(after_memory=True, delay=2),
    "after, advice": Advice(after_memory=True),
    "after, both, capped": Both(after_memory=True, bandwidth=1),
    "after, state": OnChange(after_memory=True),
    "after, state, late": OnChange(after_memory=True, delay=1),
    "after, asking": Unsure(after_memory=True),
    "after, asking, late": Unsure(after_memory=True, delay=1),
    "after, NDQ's": GaussianChannel(after_memory=True, sigma=0.0, dims=1, hidden=4, posterior_width=1),
    "after, two rounds": MeanChannel(after_memory=True, rounds=2, dims=2, hidden=4),
}


@functools.cache
def team_with(name):
    return Team(TALK[name])


@pytest.fixture(params=TALK)
def team(request):
    return team_with(request.param)


EDITS = [None, CutBelow(0.5)]


@pytest.mark.parametrize("edit", EDITS, ids=["as it is", "cut"])
def test_learning_sees_what_acting_saw(team, edit):
    scores, messages, reported = team.unroll(edit=edit)
    assert scores.shape == (BATCH, TIME, AGENTS, ACTIONS)
    assert np.std(scores) > 1e-2
    assert_same((scores, messages, reported), team.steps(edit))


def test_nothing_passes_from_or_to_those_who_are_not_alive(team):
    _, messages, _ = team.unroll()
    both = team.alive[..., :, None] & team.alive[..., None, :]
    assert not np.any(messages.sent & ~both[..., None])
    assert not np.any(np.asarray(bits_sent(messages))[~team.alive])


def test_silence_hides_what_others_see(team):
    """Nothing but messages passes between agents, whatever a channel carries or adds."""
    other = team.inputs.copy()
    other[:, :, 0] += 3.0
    one, changed = (np.asarray(team.unroll(inputs, Silence())[0]) for inputs in (team.inputs, other))
    np.testing.assert_allclose(changed[:, :, 1:], one[:, :, 1:], rtol=1e-5, atol=1e-6)
    one, changed = (np.asarray(team.unroll(inputs)[0]) for inputs in (team.inputs, other))
    assert np.abs(changed[:, :, 1:] - one[:, :, 1:]).max() > 1e-3, "without the edit, they hear of it"
    between = ~np.eye(AGENTS, dtype=bool)[..., None]
    assert not np.any(team.unroll(edit=Silence())[1].sent & between)


def inside_scans(jaxpr, inside=False):
    """Names of primitives that a program runs at every step of a scan."""
    for equation in jaxpr.eqns:
        if inside:
            yield equation.primitive.name
        for sub in jax.core.jaxprs_in_params(equation.params):
            yield from inside_scans(sub, inside or equation.primitive.name == "scan")


class Marked(Plain):
    """A word through a sine, which nothing else here takes."""

    def send(self, inputs, memory, key):
        return offer(to_everybody(jnp.sin(self.encoder(seen_by(inputs, memory))))), {}


@pytest.mark.parametrize(
    ("channel", "within"),
    [
        (Marked(), False),
        (Marked(reads_memory=True), True),
        (Marked(after_memory=True), False),
        (Marked(after_memory=True, reads_memory=True, delay=1), False),
    ],
    ids=["before", "before, memory", "after", "after, late"],
)
def test_talk_stands_outside_the_scan_where_nothing_heard_is_needed_to_go_on(channel, within):
    team = Team(channel)
    jaxpr = jax.make_jaxpr(team.run_unroll)(team.inputs, team.alive, KEY).jaxpr
    names = set(inside_scans(jaxpr))
    assert "dot_general" in names, "the memory is in the scan"
    assert ("sin" in names) == within


def test_what_is_heard_after_the_memory_is_not_remembered():
    team = team_with("after")
    other = team.inputs.copy()
    other[:, 0, 0] += 1.0  # the first agent sees another thing at the first step
    difference = np.abs(np.asarray(team.unroll(other)[0]) - np.asarray(team.unroll()[0]))[:, :, 1:]
    heard = (team.alive[:, 0, 1:] & team.alive[:, 0, :1])[..., None]
    assert np.all(difference[:, 0][np.broadcast_to(heard, difference[:, 0].shape)] > 1e-6)
    # later, only through what the first agent remembers and says again
    silent = [np.asarray(team.unroll(x, Silence())[0]) for x in (team.inputs, other)]
    np.testing.assert_array_equal(silent[0][:, :, 1:], silent[1][:, :, 1:])


def dense(layer, x):
    return x @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"], np.float64)


def test_after_the_memory_by_hand():
    """head(memory' + listener [memory', heard]) + what is heard as action values, with loops over agents."""
    agent = Team(Both(after_memory=True))
    memory = np.random.default_rng(1).normal(size=(BATCH, AGENTS, HIDDEN)).astype(np.float32)
    inputs, alive = agent.inputs[:, 1], agent.alive[:, 1]
    after, scores, *_ = agent.agent.apply(agent.params, memory, inputs, alive, KEY, method="step")
    p = agent.params["params"]
    for b in range(BATCH):
        for j in range(AGENTS):
            seen = np.maximum(dense(p["input_layer"], inputs[b, j]), 0)
            gate_x = seen @ p["recurrent"]["input_kernel"] + p["recurrent"]["input_bias"]
            gate_h = memory[b, j] @ p["recurrent"]["memory_kernel"] + p["recurrent"]["memory_bias"]
            (xr, xz, xn), (hr, hz, hn) = np.split(gate_x, 3), np.split(gate_h, 3)
            reset, update = 1 / (1 + np.exp(-xr - hr)), 1 / (1 + np.exp(-xz - hz))
            now = (1 - update) * np.tanh(xn + reset * hn) + update * memory[b, j]
            np.testing.assert_allclose(after[b, j], now, rtol=1e-4, atol=1e-5)
            told = [
                dense(p["channel"]["encoder"], np.concatenate([inputs[b, i], after[b, i]]))[0]
                if alive[b, i] and alive[b, j]
                else 0.0
                for i in range(AGENTS)
            ]
            hidden = np.maximum(dense(p["listener"]["Linear_0"], np.concatenate([now, told])), 0)
            listened = dense(p["listener"]["Linear_1"], hidden)
            expected = dense(p["head"], now + listened) + np.pad(told, (0, ACTIONS - AGENTS))
            np.testing.assert_allclose(scores[b, j], expected, rtol=1e-4, atol=1e-4)


def test_scores_of_nothing_and_of_something_heard_are_the_heads():
    class Curious(Plain):
        def talk(self, inputs, memory, key, transmit):
            heard = by_receiver(transmit(offer(to_everybody(self.encoder(memory)))).content)
            return heard, {"alone": transmit.scores(), "with": transmit.scores(heard)}

    team = Team(Curious(after_memory=True))
    scores, _, reported = team.unroll()
    np.testing.assert_allclose(reported["with"], scores, rtol=1e-5)
    assert np.abs(reported["alone"] - scores).max() > 1e-3


def test_a_state_lasts_for_an_episode():
    team = team_with("before, state")
    _, messages, reported = team.unroll()
    assert 0 < np.mean(reported["news"]) < 1
    said = np.asarray(messages.sent)[:, 1:].any(-1)
    assert said.sum() < (team.alive[:, 1:, :, None] & team.alive[:, 1:, None, :]).sum()
    fresh = team.agent.initial_memory(BATCH, AGENTS)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(fresh))


def test_a_channel_knows_training_from_evaluation():
    team = Team(Restless())
    quiet, again = team.unroll()[0], team.unroll()[0]
    np.testing.assert_array_equal(quiet, again)
    training = jax.jit(functools.partial(team.run_unroll, training=True))
    assert np.abs(training(team.inputs, team.alive, KEY)[0] - quiet).max() > 1e-2


def test_gradient_reaches_senders_after_the_memory_and_through_a_state():
    for name in ("after", "after, advice", "after, state", "before, state"):
        team = team_with(name)

        def heard(inputs, team=team):
            return team.run_unroll(inputs, np.ones_like(team.alive), KEY)[0][:, -1, -1].sum()

        gradient = np.asarray(jax.jit(jax.grad(heard))(team.inputs))
        assert np.any(gradient[:, :, 0]), name


class Wrong(Plain):
    """Breaks one promise of shapes."""

    what: str = ""

    def initial_state(self, *batch):
        return jnp.zeros(batch) if self.what == "state" else None

    def talk(self, inputs, memory, key, transmit):
        word = self.encoder(seen_by(inputs, memory))
        messages = offer(to_everybody(word))
        if self.what == "content":
            messages = offer(word)
        if self.what == "price":
            messages = messages._replace(price=jnp.ones(()))
        if self.what == "overhead":
            messages = messages._replace(overhead=jnp.zeros(messages.content.shape))
        if self.what == "sent":
            messages = messages._replace(sent=messages.content)
        features = by_receiver(transmit(messages).content)
        if self.what == "scores":
            transmit.scores()
        if self.what == "features":
            features = features.reshape(-1)
        return Heard(features, jnp.zeros(2) if self.what == "action_values" else None), {}


@pytest.mark.parametrize(
    ("what", "error", "sentence"),
    [
        ("content", ValueError, r"Wrong sends content of shape \(2, 3, 1\): must be \(2, 3, 3, any\)"),
        ("price", ValueError, r"Wrong sends price of shape \(\): must be \(2, 3, 3, 1\)"),
        ("overhead", ValueError, r"Wrong sends overhead of shape \(2, 3, 3, 1\): must be \(2, 3, 3\)"),
        ("sent", ValueError, "Wrong sends sent of type float32: must be bool"),
        ("features", ValueError, r"Wrong gives features of shape \(18,\): must be \(2, 3, any\)"),
        ("action_values", ValueError, r"Wrong gives action_values of shape \(2,\): must be \(2, 3, 4\)"),
        ("state", ValueError, "Wrong carries None to the next step"),
        ("scores", TypeError, "Wrong asks for scores before the memory"),
    ],
)
def test_what_has_a_wrong_shape_is_named(what, error, sentence):
    with pytest.raises(error, match=sentence):
        Team(Wrong(what=what))


def test_without_memory_there_is_no_after():
    channel = SharedChannel(num_agents=AGENTS, num_actions=ACTIONS, input_size=INPUTS, after_memory=True)
    with pytest.raises(ValueError, match="a feed-forward agent has no memory"):
        FeedForwardAgent(channel, ACTIONS)


def test_a_channel_inside_another():
    """What the inner one offers passes through the outer one's change, and is counted once."""

    class Halved(Channel):
        inner: nn.Module = None

        def setup(self):
            self.talker = self.inner.clone(num_agents=self.num_agents, num_actions=self.num_actions, parent=None)

        def talk(self, inputs, memory, key, transmit):
            def halve(messages):
                return messages._replace(content=messages.content / 2, price=messages.price / 4)

            return self.talker.talk(inputs, memory, key, transmit.through(halve))

    inner = Team(Plain())
    outer = Team(Halved(inner=Plain()))
    own = dict(inner.params["params"])
    params = {"params": {**own, "channel": {"talker": own["channel"]}}}
    run = functools.partial(outer.agent.apply, params, method="unroll")
    messages = jax.jit(run)(inner.inputs, inner.alive, KEY)[1]
    plain = inner.unroll()[1]
    np.testing.assert_allclose(messages.content, plain.content / 2, rtol=1e-6)
    np.testing.assert_allclose(bits_sent(messages), np.asarray(bits_sent(plain)) / 4)
