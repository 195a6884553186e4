"""MAIC's channel against its formula in loops over pairs: what is sent, what that adds to action values, its price."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from formulas import mlp, softmax

from marlcomm.messages import IncentiveChannel, check_channel
from marlcomm.messages.channel import bits_sent
from marlcomm.messages.edits import CutPairs
from marlcomm.messages.transmission import Transmission

AGENTS, HIDDEN, ACTIONS, LATENT = 4, 5, 3, 2
KEY = jax.random.PRNGKey(2)
SMALL = {"latent": LATENT, "width": 8, "query_size": 3, "variance_floor": 0.5}
MODES = pytest.mark.parametrize("at_receiver", [False, True])


class Team:
    """A channel with random parameters, memories, and a head that is always the same."""

    def __init__(self, agents=AGENTS, seed=0, **settings):
        self.channel = IncentiveChannel(num_agents=agents, num_actions=ACTIONS, **SMALL, **settings)
        rng = np.random.default_rng(seed)
        self.memory = rng.normal(size=(agents, HIDDEN)).astype(np.float32)
        self.own = rng.normal(size=(agents, ACTIONS)).astype(np.float32)
        self.mask = np.ones((agents, ACTIONS), bool)
        shapes = jax.eval_shape(lambda: self.channel.init(KEY, *self.given(), self.transmit(True), method="talk"))
        self.params = jax.tree.map(lambda x: (0.9 * rng.normal(size=x.shape)).astype(np.float32), shapes)

    def given(self, key=KEY, memory=None):
        memory = self.memory if memory is None else memory
        return jnp.zeros((*memory.shape[:-1], 1)), jnp.asarray(memory), key

    def transmit(self, training, alive=None, edit=None):
        alive = jnp.ones(len(self.memory), bool) if alive is None else jnp.asarray(alive)

        def scores(heard):
            return self.own + (0.0 if heard is None else heard.action_values)

        return Transmission(
            self.channel, alive, KEY, edit, training=training, action_mask=jnp.asarray(self.mask), scores=scores
        )

    def talk(self, training=False, alive=None, edit=None, memory=None):
        """What is added to action values, the messages, and what is reported."""

        @jax.jit
        def run():
            transmit = self.transmit(training, alive, edit)
            heard, reported = self.channel.apply(self.params, *self.given(memory=memory), transmit, method="talk")
            assert heard.features is None
            return heard.action_values, transmit.account(), reported

        return jax.tree.map(np.asarray, run())


def dense(layer, x):
    return x @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"], np.float64)


def teammate(p, h, j):
    """Mean and variance of what an agent that remembers h models of j."""
    of_j = mlp(p["teammate_model"], h).reshape(-1, 2 * LATENT)[j]
    return of_j[:LATENT], np.maximum(np.exp(of_j[LATENT:]), SMALL["variance_floor"])


def attention(p, h, latents, i, reached):
    """Receiver -> weight of the sender i, whose latents those are, among those that it reaches."""
    others = [j for j in range(len(latents)) if j != i and reached[j]]
    if not others:
        return {}
    query = dense(p["query_head"], h)
    weights = softmax([query @ dense(p["key_head"], latents[j]) / 3**0.5 for j in others])
    return dict(zip(others, weights, strict=True))


def expected_values(team, at_receiver, prune, alive):
    """[N, A] added to action values in evaluation, and the pairs that are told something."""
    p, h, n = team.params["params"], team.memory.astype(np.float64), len(team.memory)
    values, told = np.zeros((n, ACTIONS)), set()
    for i in range(n):
        latents = [teammate(p, h[i], j)[0] for j in range(n)]
        reached = np.asarray(alive) & alive[i]
        if team.channel.graph is not None:
            reached &= np.asarray(team.channel.graph)[i]
        weights = attention(p, h[i], latents, i, reached)
        for j, weight in weights.items():
            if weight > prune / (1 + len(weights)):
                told.add((i, j))
                values[j] += weight * mlp(p["message"], np.concatenate([h[j if at_receiver else i], latents[j]]))
    return values, told


@MODES
@pytest.mark.parametrize("alive", [(True,) * 4, (True, False, True, True)])
@pytest.mark.parametrize("prune", [0.25, 0.9])
def test_values_and_bits_in_evaluation(at_receiver, alive, prune):
    team = Team(at_receiver=at_receiver, prune=prune)
    values, messages, _ = team.talk(alive=alive)
    expected, told = expected_values(team, at_receiver, prune, alive)
    pairs = [(i, j) for i in range(AGENTS) for j in range(AGENTS) if i != j and alive[i] and alive[j]]
    assert 0 < len(told) < len(pairs) or prune < 0.5, "some pairs are pruned"
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)
    entries = LATENT + 1 if at_receiver else ACTIONS
    for i in range(AGENTS):
        of_sender = sum(32 * entries for pair in told if pair[0] == i) + sum(1 for pair in pairs if pair[0] == i)
        assert bits_sent(messages)[i] == of_sender


@MODES
def test_in_training_everybody_is_told_and_no_bit_tells_so(at_receiver):
    team = Team(at_receiver=at_receiver, prune=0.9)
    _, messages, _ = team.talk(training=True)
    entries = LATENT + 1 if at_receiver else ACTIONS
    np.testing.assert_array_equal(bits_sent(messages), np.full(AGENTS, 32 * entries * (AGENTS - 1)))


def test_without_pruning_nothing_tells_who_is_told():
    _, messages, _ = Team(prune=0.0).talk()
    np.testing.assert_array_equal(bits_sent(messages), np.full(AGENTS, 32 * ACTIONS * (AGENTS - 1)))


def test_latents_are_drawn_in_training_around_the_model():
    team = Team(at_receiver=True)

    @jax.jit
    @jax.vmap
    def drawn(key):
        transmit = team.transmit(True)
        team.channel.apply(team.params, *team.given(key), transmit, method="talk")
        return transmit.account().content[..., :LATENT]

    latents = drawn(jax.random.split(KEY, 4000))
    for i in range(AGENTS):
        for j in range(AGENTS):
            if i != j:
                mean, variance = teammate(team.params["params"], team.memory[i].astype(np.float64), j)
                np.testing.assert_allclose(latents[:, i, j].mean(0), mean, atol=0.12 * variance.max() ** 0.5)
                np.testing.assert_allclose(latents[:, i, j].var(0), variance, rtol=0.12)


def test_what_the_losses_read():
    """The posterior is told the teammate, and its best *allowed* action once it has heard."""
    team = Team()
    scores = team.own + team.talk(training=True)[0]
    team.mask[0, scores[0].argmax()] = False
    best = np.where(team.mask, scores, -np.inf).argmax(-1)
    assert best[0] != scores[0].argmax()
    _, _, reported = team.talk(training=True)
    p, n = team.params["params"], AGENTS
    for i in range(n):
        h = team.memory[i].astype(np.float64)
        for j in range(n):
            mean, variance = teammate(p, h, j)
            np.testing.assert_allclose(reported["teammate_mean"][i, j], mean, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(reported["teammate_variance"][i, j], variance, rtol=1e-4)
            raw = mlp(p["posterior"], np.concatenate([h, np.eye(n)[j], np.eye(ACTIONS)[best[j]]]))
            np.testing.assert_allclose(reported["posterior_mean"][i, j], raw[:LATENT], rtol=1e-4, atol=1e-5)
            floored = np.maximum(np.exp(raw[LATENT:]), SMALL["variance_floor"])
            np.testing.assert_allclose(reported["posterior_variance"][i, j], floored, rtol=1e-4)
    weights = np.asarray(reported["attention"], np.float64)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
    entropy = [-sum(w * np.log2(w) for j, w in enumerate(row) if j != i) for i, row in enumerate(weights)]
    np.testing.assert_allclose(reported["attention_entropy"], entropy, rtol=1e-4)
    assert "posterior_mean" not in team.talk()[2], "evaluation needs none of it"


@MODES
def test_a_sender_decides_by_what_it_remembers_alone(at_receiver):
    """Also how much attention it pays to whom: else that would have to be sent, too."""
    team = Team(at_receiver=at_receiver)
    others = np.where(np.arange(AGENTS)[:, None] == 1, team.memory, team.memory[::-1] + 1)
    one, other = team.talk()[1], team.talk(memory=others)[1]
    np.testing.assert_array_equal(one.content[1], other.content[1])
    np.testing.assert_array_equal(one.sent[1], other.sent[1])


@MODES
def test_the_pruned_learn_nothing_less_in_training(at_receiver):
    """The receiver's loss reaches the memory of every sender, also through pairs that evaluation would prune."""
    team = Team(at_receiver=at_receiver, prune=0.9)

    def told_to_the_first(memory):
        heard, _ = team.channel.apply(team.params, *team.given(memory=memory), team.transmit(True), method="talk")
        return heard.action_values[0].sum()

    gradient = jax.jit(jax.grad(told_to_the_first))(jnp.asarray(team.memory))
    assert np.all(np.any(gradient[1:] != 0, -1))


@MODES
def test_one_alone_is_told_nothing_and_pays_nothing(at_receiver):
    values, messages, reported = Team(agents=1, at_receiver=at_receiver).talk(training=True)
    assert not values.any()
    assert not np.any(bits_sent(messages))
    assert all(np.isfinite(x).all() for x in reported.values())


@MODES
def test_what_is_cut_adds_nothing(at_receiver):
    team = Team(at_receiver=at_receiver, prune=0.0)
    cut = np.zeros((AGENTS, AGENTS), bool)
    cut[0] = True
    values, *_ = team.talk(edit=CutPairs(jnp.asarray(cut)))
    whole, alone = Team(at_receiver=at_receiver, prune=0.0), np.eye(AGENTS, dtype=bool)
    cut_edit = CutPairs(jnp.asarray(~cut & ~alone))
    np.testing.assert_allclose(values + whole.talk(edit=cut_edit)[0], whole.talk()[0], rtol=1e-4, atol=1e-5)


@MODES
@pytest.mark.parametrize("training", [False, True])
def test_attention_is_shared_among_those_that_are_reached(at_receiver, training):
    reaches = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1]], bool)
    alive = (True, True, True, False)
    team = Team(at_receiver=at_receiver, prune=0.25, graph=reaches)
    values, _, reported = team.talk(training=training, alive=alive)
    expected = [1.0, 1.0, 1.0, 0.0]
    np.testing.assert_allclose(reported["attention"].sum(-1), expected, rtol=1e-5)
    assert not np.any(reported["attention"][~reaches])
    if training:
        np.testing.assert_allclose(reported["attention_entropy"][[0, 2, 3]], 0.0, atol=1e-5)
        assert reported["attention_entropy"][1] > 0
    else:
        np.testing.assert_allclose(values, expected_values(team, at_receiver, 0.25, alive)[0], rtol=1e-4, atol=1e-5)


def test_the_most_important_entry_adds_most():
    _, messages, _ = Team(prune=0.0).talk()
    np.testing.assert_array_equal(messages.importance, np.abs(messages.content))
    _, messages, _ = Team(prune=0.0, at_receiver=True).talk()
    between = ~np.eye(AGENTS, dtype=bool)
    of_weight, of_latent = messages.importance[..., -1], messages.importance[..., :-1]
    np.testing.assert_array_equal(of_weight, messages.content[..., -1])
    assert (of_latent.max(-1) < of_weight)[between].all(), "a latent without its weight is worth nothing"


@pytest.mark.parametrize("at_receiver", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_contract(at_receiver):
    check_channel(IncentiveChannel(**SMALL, at_receiver=at_receiver))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"latent": 0}, "latent=0 must be a whole number, at least 1"),
        ({"variance_floor": 0.0}, "variance_floor is 0.0: must be above 0"),
        ({"prune": -1.0}, "prune is -1.0: must be at least 0"),
        ({"after_memory": False}, "after_memory is False"),
    ],
)
def test_settings_that_are_not_right(settings, says):
    with pytest.raises(ValueError, match=says):
        IncentiveChannel(**settings)
