"""Graph attention over learned graphs: the schedulers' formulas, who pays for what, and who teaches whom."""

import itertools

import formulas
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.messages import GraphAttentionChannel, trial
from marlcomm.messages.channel import bits_sent
from marlcomm.messages.channels.graph_attention import difference_of_links
from marlcomm.messages.edits import CutPairs, Noise, Silence
from marlcomm.messages.schedulers import PairScheduler
from marlcomm.messages.transmission import Transmission

AGENTS, INPUTS, HIDDEN, SIZE = 4, 3, 5, 4
KEY = jax.random.PRNGKey(1)
SMALL = {"dims": 4, "heads": 2, "scheduler_size": SIZE}
GA_COMM = {"rounds": 1, "scores": "dot", "scheduler": "sequence", "self_loops": "never", "key_size": 2}
CHANNELS = {
    "attention": GraphAttentionChannel(**SMALL),
    "pairs": GraphAttentionChannel(**SMALL, scheduler="pairs", second_graph="same", self_loops="learned"),
    "first complete": GraphAttentionChannel(**SMALL, first_graph="complete"),
    "GA-Comm": GraphAttentionChannel(**SMALL, **GA_COMM),
}
SEED_OPEN_AND_SHUT = 0  # parameters under which some links are open, and the choice of all has a gradient
MEMORY = np.random.default_rng(5).normal(size=(AGENTS, HIDDEN)).astype(np.float32)
ALIVE = np.array([True, True, False, True])


def sized(name):
    return CHANNELS[name].clone(num_agents=AGENTS, num_actions=2, input_size=INPUTS)


def talk(channel, params, memory=MEMORY, alive=ALIVE, *, training=False, key=KEY, edit=None):
    """What is heard, the account, and what is reported."""
    transmit = Transmission(channel, jnp.asarray(alive), key, edit, training=training)
    inputs = jnp.zeros((*memory.shape[:-1], INPUTS))
    heard, reported = channel.apply(params, inputs, jnp.asarray(memory), key, transmit, method="talk")
    return heard, transmit.account(), reported


def params_of(channel, seed=0, size=1.0):
    """Random ones, large enough that about half of the links are open."""
    rng = np.random.default_rng(seed)

    def once(module):
        transmit = Transmission(channel, jnp.ones(AGENTS, bool), KEY)
        return module.talk(jnp.zeros((AGENTS, INPUTS)), jnp.asarray(MEMORY), KEY, transmit)

    shapes = jax.eval_shape(lambda: channel.init(KEY, method=once))
    return jax.tree.map(lambda x: jnp.asarray(size * rng.normal(size=x.shape), jnp.float32), shapes)


def logits_by_attention(p, known, heads):
    """[j][i][g] of the MLPs after a graph attention layer, which every receiver j computes of those it heard."""
    s, q = p["encoder_scores"]["sender"], p["encoder_scores"]["receiver"]
    logits = {}
    for j, of in known.items():
        values = {i: np.split(formulas.dense(p["encoder"], x), heads) for i, x in of.items()}
        encoded = {}
        for i in of:
            parts = []
            for k in range(heads):
                raw = [values[a][k] @ s[k] + values[i][k] @ q[k] for a in of]
                weights = formulas.softmax([e if e > 0 else 0.2 * e for e in raw])
                parts.append(sum(w * values[a][k] for w, a in zip(weights, of, strict=True)))
            encoded[i] = np.mean(parts, 0)
        logits[j] = encoded
    return by_pairs(p, logits)


def by_pairs(p, known):
    graphs = sorted(name for name in p if name.startswith("graph_"))
    return {
        (i, j): [formulas.mlp(p[graph], np.concatenate([of[j], of[i]]))[0] for graph in graphs]
        for j, of in known.items()
        for i in of
    }


def by_sequence(p, known):
    logits = {}
    for j, of in known.items():
        order = [i for i in sorted(of) if i != j]
        ways = [lstm(p["forward"]["cell"], [np.concatenate([of[j], of[i]]) for i in order])]
        ways.append(lstm(p["backward"]["cell"], [np.concatenate([of[j], of[i]]) for i in order[::-1]])[::-1])
        for place, i in enumerate(order):
            logits[i, j] = formulas.dense(p["head"], np.concatenate([way[place] for way in ways]))
    return logits


def lstm(p, sequence):
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), p)
    hidden = cell = np.zeros(p["hi"]["bias"].shape)
    outputs = []
    for x in sequence:
        i, f, g, o = (x @ p[f"i{gate}"]["kernel"] + formulas.dense(p[f"h{gate}"], hidden) for gate in "ifgo")
        cell = cell / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        hidden = np.tanh(cell) / (1 + np.exp(-o))
        outputs.append(hidden)
    return outputs


def expected_links(name, p, memory, alive):
    """[G][i][j] by the formulas of the papers."""
    encoding = [formulas.dense(p["state_encoder"], x) for x in memory]
    known = {j: {i: encoding[i] for i in range(AGENTS) if alive[i]} for j in range(AGENTS) if alive[j]}
    if name == "GA-Comm":
        logits = by_sequence(p["scheduler"], known)
    elif name == "pairs":
        logits = by_pairs(p["scheduler"], known)
    else:
        logits = logits_by_attention(p["scheduler"], known, 2)
    graphs = 2 if name == "attention" else 1
    links = np.zeros((graphs, AGENTS, AGENTS))
    for (i, j), values in logits.items():
        links[:, i, j] = np.asarray(values) > 0
    if name != "pairs":  # there, loops are learned
        links[:, range(AGENTS), range(AGENTS)] = (name != "GA-Comm") * np.asarray(alive)
    return links


@pytest.mark.parametrize("name", CHANNELS)
def test_formula(name):
    channel = sized(name)
    open_and_shut = set()
    for seed in range(3):
        params = params_of(channel, seed)
        heard, _, reported = jax.jit(lambda params: talk(channel, params))(params)
        links = expected_links(name, params["params"], MEMORY, ALIVE)
        np.testing.assert_array_equal(np.moveaxis(reported["links"], -1, 0), links)
        open_and_shut |= set(links[0][np.ix_(ALIVE, ALIVE)].ravel())
        graphs = {"pairs": [links[0]] * 2, "first complete": [np.ones((AGENTS, AGENTS)), links[0]]}.get(name, links)
        formula = formulas.graph_attention(*(((1,), 2) if name == "GA-Comm" else ((2, 1), 0)), graphs)
        np.testing.assert_allclose(heard, formula(params["params"], MEMORY, None, ALIVE), rtol=1e-4, atol=1e-5)
        assert not np.any(np.asarray(reported["attention"])[~graphs[-1].astype(bool)])
    assert open_and_shut == {0.0, 1.0}


@pytest.mark.parametrize("name", CHANNELS)
def test_bits_pay_for_encodings_and_requests(name):
    channel = sized(name)
    params = params_of(channel, 1)
    _, messages, reported = jax.jit(lambda params: talk(channel, params))(params)
    links, bits = np.asarray(reported["links"]), np.asarray(bits_sent(messages))
    for i in range(AGENTS):
        others = [j for j in range(AGENTS) if j != i and ALIVE[j]]
        scheduling = (32 * SIZE + links.shape[-1]) * len(others)  # its encoding, and a bit for each graph
        graphs = {"pairs": [0, 0], "GA-Comm": [0], "first complete": [None, 0]}.get(name, [0, 1])
        said = sum(32 * 4 for graph in graphs for j in others if graph is None or links[i, j, graph])
        assert bits[i] == ALIVE[i] * (scheduling + said)


def test_no_scheduler_where_no_graph_is_learned():
    channel = GraphAttentionChannel(**SMALL, first_graph="complete", second_graph="complete")
    params = params_of(channel.clone(num_agents=AGENTS, num_actions=2, input_size=INPUTS))
    assert not {"scheduler", "state_encoder"} & params["params"].keys()


def test_axes_before_the_agents_change_nothing():
    """Of members, steps and episodes, of two agents: so many axes crash jaxlib 0.10.2 (jax#39257)."""
    known = jax.random.normal(KEY, (1, 15, 32, 2, 2, 8))
    heard = jnp.ones(known.shape[:-1], bool)
    scheduler = PairScheduler(2, heads=4)
    params = scheduler.init(KEY, known[0, 0, 0], heard[0, 0, 0])

    @jax.jit
    def logits_and_gradient(known, heard):
        logits, pull = jax.vjp(lambda known: scheduler.apply(params, known, heard), known)
        return logits, pull(jnp.ones_like(logits))[0]

    logits, gradient = logits_and_gradient(known, heard)
    alone = scheduler.apply(params, known[0, 3], heard[0, 3])
    np.testing.assert_allclose(logits[0, 3], alone, rtol=1e-4, atol=1e-6)
    assert np.all(np.abs(gradient).sum((-3, -2, -1)) > 0), "each moment learns"


def test_a_link_is_drawn_as_often_as_its_logit_says():
    channel = sized("pairs")
    params = params_of(channel, 2, 0.5)
    keys = jax.random.split(KEY, 4000)
    drawn = jax.jit(jax.vmap(lambda key: talk(channel, params, training=True, key=key)[2]["links"]))(keys)
    encoding = [formulas.dense(params["params"]["state_encoder"], x) for x in MEMORY]
    alive = np.flatnonzero(ALIVE)
    logits = by_pairs(params["params"]["scheduler"], {j: {i: encoding[i] for i in alive} for j in alive})
    for (i, j), (logit,) in logits.items():
        assert np.mean(drawn[:, i, j, 0]) == pytest.approx(1 / (1 + np.exp(-logit)), abs=0.04)


def test_the_choice_of_a_link_learns_where_it_is_shut_too():
    channel = sized("pairs").clone(rounds=1, scheduler_size=16)
    params = params_of(channel, SEED_OPEN_AND_SHUT, 0.4)
    everybody = np.ones(AGENTS, bool)
    links = np.asarray(talk(channel, params, alive=everybody)[2]["links"])[..., 0]
    assert {*links.ravel()} == {0.0, 1.0}

    def heard_of(memory):
        return (talk(channel, params, memory, everybody)[0] * jnp.arange(1.0, 5.0)).sum(-1)

    reached = np.abs(jax.jit(jax.jacobian(heard_of))(jnp.asarray(MEMORY))).max(-1) > 0  # [receiver, sender]
    assert reached.all(), "also from those who said nothing, whose message would have told something"


@pytest.mark.parametrize("options", [{"heads": 1}, GA_COMM])
def test_a_link_learns_by_the_difference_that_it_makes_in_the_formula(options, monkeypatch):
    channel = GraphAttentionChannel(**SMALL | {"rounds": 1} | options)
    channel = channel.clone(num_agents=AGENTS, num_actions=2, input_size=INPUTS)
    drawn = np.zeros((AGENTS, AGENTS), np.float32)
    drawn[[0, 1, 3], 0] = drawn[1, 1] = 1  # agent 0 hears three, 1 hears one alone, 3 hears nobody
    links = [jnp.asarray(drawn)]
    monkeypatch.setattr(GraphAttentionChannel, "_schedule", lambda *_: links[-1][..., None])
    params = params_of(channel, 3)

    def heard_with(graph):
        links.append(graph)
        return talk(channel, params)[0]

    learned = jax.jit(jax.jacobian(heard_with))(links[0])  # [receiver, F, sender, receiver]
    for i, j in itertools.product(np.flatnonzero(ALIVE), repeat=2):
        heard = []
        for is_open in (1.0, 0.0):
            graph = drawn.copy()
            graph[i, j] = is_open
            formula = formulas.graph_attention((1,), 2 if "key_size" in options else 0, [graph])
            heard.append(formula(params["params"], MEMORY, None, ALIVE))
        np.testing.assert_allclose(learned[..., i, j], heard[0] - heard[1], rtol=1e-3, atol=1e-4)


def test_every_head_has_differences_of_its_own():
    rng = np.random.default_rng(2)
    scores, messages = rng.normal(size=(2, AGENTS, AGENTS)), rng.normal(size=(AGENTS, AGENTS, 2, 3))
    links = rng.random((AGENTS, AGENTS)) < 0.5
    found = difference_of_links(jnp.asarray(scores), jnp.asarray(links), jnp.asarray(messages))

    def heard(k, j, is_open):
        senders = np.flatnonzero(is_open)
        weights = formulas.softmax(scores[k, senders, j]) if len(senders) else []
        return sum((w * messages[i, j, k] for w, i in zip(weights, senders, strict=True)), np.zeros(3))

    for i, j, k in np.ndindex(AGENTS, AGENTS, 2):
        which = np.arange(AGENTS) == i
        expected = heard(k, j, links[:, j] | which) - heard(k, j, links[:, j] & ~which)
        np.testing.assert_allclose(found[i, j, k], expected, rtol=1e-3, atol=1e-5)


def test_links_to_messages_that_are_all_the_same_learn_nothing():
    channel = sized("pairs").clone(self_loops="always")
    params, everybody = params_of(channel, SEED_OPEN_AND_SHUT), np.ones(AGENTS, bool)
    alike = np.broadcast_to(MEMORY[0], MEMORY.shape)
    learned = jax.jit(jax.grad(lambda p: talk(channel, p, alike, everybody, training=True)[0].sum()))(params)
    assert all(np.abs(x).max() < 1e-4 for x in jax.tree.leaves(learned["params"]["scheduler"]))
    assert any(np.abs(x).max() > 1e-4 for x in jax.tree.leaves(learned["params"]["values_0"]))


@pytest.mark.parametrize("name", CHANNELS)
def test_cut_is_absent(name):
    channel = sized(name)
    params = params_of(channel, 1)
    everybody = np.ones(AGENTS, bool)
    cut = jnp.zeros((AGENTS, AGENTS), bool).at[2].set(True)
    heard, _, reported = talk(channel, params, alive=everybody, edit=CutPairs(cut))
    without, _, _ = talk(channel, params)
    np.testing.assert_allclose(heard[ALIVE], without[ALIVE], rtol=1e-5, atol=1e-6)
    assert not np.any(reported["attention"][2][ALIVE])


@pytest.mark.parametrize(("deviation", "understood"), [(0.05, True), (3.0, False)])
def test_requests_that_noise_moved_are_rounded(deviation, understood):
    channel = sized("pairs")
    params = params_of(channel, 1)
    noisy, plain = (talk(channel, params, edit=edit)[2]["links"] for edit in (Noise(deviation), None))
    assert set(np.unique(noisy)) <= {0.0, 1.0}
    assert np.array_equal(noisy, plain) == understood


def test_who_has_no_open_link_is_given_zeros():
    channel = sized("GA-Comm")
    params = params_of(channel, 1)
    heard, _, reported = talk(channel, params, alive=np.ones(AGENTS, bool), edit=Silence())
    assert not np.any(heard)
    assert not np.any(reported["attention"])
    gradient = jax.jit(jax.grad(lambda params: talk(channel, params, edit=Silence())[0].sum()))(params)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(gradient))


@pytest.mark.parametrize("name", ["attention", "GA-Comm"])
def test_the_contract(name, monkeypatch):
    monkeypatch.setattr(trial, "DRAWS", 100)
    mc.check_channel(CHANNELS[name])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dims": 6, "heads": 4}, "dims is 6: must be a multiple of heads, 4"),
        ({"rounds": 3}, "rounds is 3"),
        ({"first_graph": "same"}, "first_graph is 'same': must be one of learned, complete"),
        ({"scheduler_size": 0}, "scheduler_size=0"),
    ],
)
def test_what_cannot_be_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        GraphAttentionChannel(**options)
