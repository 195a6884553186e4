"""What every channel must do. A new channel needs a line in CASES and a formula, and gets all tests."""

import functools
from dataclasses import dataclass
from typing import Any

import formulas
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.messages import (
    AttentionChannel,
    ClusterChannel,
    DiscreteChannel,
    GatedChannel,
    GaussianChannel,
    GraphAttentionChannel,
    GraphConvolutionChannel,
    MeanChannel,
    MemoryChannel,
    RequestReplyChannel,
    SharedChannel,
    SilentChannel,
    TemporalGatedChannel,
    VarianceGatedChannel,
    check_channel,
)
from marlcomm.messages.channel import bits_sent
from marlcomm.messages.transmission import Transmission
from marlcomm.names import CHANNELS

AGENTS, INPUTS, HIDDEN, ACTIONS, STATE = 4, 3, 5, 2, 6
KEY = jax.random.PRNGKey(4)
PERMUTATION = np.array([2, 0, 3, 1])


@dataclass(frozen=True)
class Case:
    """A channel without noise, and what is known of it.

    Attributes:
      bits: what one message costs.
      slots: whether a receiver is given one part a sender, in their order, rather than something pooled.
      untaught: parameters that no receiver's loss is to reach.
    """

    channel: Any
    formula: Any
    bits: float
    slots: bool = False
    untaught: tuple[str, ...] = ()


SMALL = {"signature": 2, "value": 3, "hidden": 8}
AUTHORS = {"signature": 5, "value": 3, "hidden": 0, "scale": 3**0.5, "detach": True, "renormalize": False}
CASES = {
    "silent": Case(SilentChannel(), formulas.silent, 0, slots=True),
    "shared": Case(SharedChannel(), formulas.shared, 32 * INPUTS, slots=True),
    "gaussian": Case(
        GaussianChannel(dims=2, hidden=8, sigma=0.0), formulas.gaussian, 64, slots=True, untaught=("posterior",)
    ),
    "discrete": Case(
        DiscreteChannel(vocab_size=3, message_length=2, hidden=8, noise=0.0),
        formulas.discrete(3),
        2 * np.log2(3),
        slots=True,
    ),
    "attention": Case(AttentionChannel(**SMALL), formulas.attention(2, 2**0.5), 32 * 5),
    "attention, two rounds": Case(AttentionChannel(rounds=2, **SMALL), formulas.attention(2, 2**0.5, 2), 32 * 10),
    "attention, NDQ's baseline": Case(
        AttentionChannel(reads_memory=True, **AUTHORS),
        formulas.attention(5, 3**0.5, encoder=False, with_memory=True),
        32 * 8,
    ),
    "mean": Case(MeanChannel(dims=3, hidden=8), formulas.mean(), 32 * 3),
    "mean, three rounds": Case(MeanChannel(dims=3, hidden=8, rounds=3), formulas.mean(3), 32 * 9),
    "gated": Case(GatedChannel(dims=3, hidden=8), formulas.mean(gates=True), 1 + 32 * 3),
    "gated, two rounds": Case(GatedChannel(dims=3, hidden=8, rounds=2), formulas.mean(2, gates=True), 1 + 32 * 6),
    "graph_attention": Case(
        GraphAttentionChannel(dims=4, heads=2, first_graph="complete", second_graph="complete", after_memory=False),
        formulas.graph_attention((2, 1)),
        32 * 4 * 2,
    ),
    "graph_convolution": Case(GraphConvolutionChannel(dims=3, hidden=8), formulas.graph_convolution(2), 32 * 3 * 2),
    "memory": Case(MemoryChannel(width=3, hidden=8), formulas.memory(3), 32 * 6),
}

WITHOUT_FORMULA = {
    "aggregation",  # it may carry a memory, and is told the size of the state: see test_aggregation.py
    "cluster",  # its labels carry no gradient: see test_cluster.py
    "incentive",  # what is heard adds to action values: see test_incentive.py
    "request_reply",  # replies to each who asks: see test_request_reply.py
    "temporal_gated",  # thresholds and action values: see test_value_messages.py
    "variance_gated",  # the same
}


def test_every_channel_has_a_case():
    own = [name for name in CHANNELS if not name.endswith("test") and name not in WITHOUT_FORMULA]
    assert {CHANNELS.get(name) for name in own} == {type(case.channel) for case in CASES.values()}


def sized(channel, agents=AGENTS):
    return channel.clone(num_agents=agents, num_actions=ACTIONS, input_size=INPUTS, state_size=STATE)


def talk(channel, params, inputs, memory, alive, key=KEY, edit=None):
    """What arrives [..., N, M], the messages as they are accounted for, and what the channel reports."""
    transmission = Transmission(channel, alive, key, edit)
    memory = memory if channel.reads_memory else None
    received, reported = channel.apply(params, inputs, memory, key, transmission, method="talk")
    return received, transmission.account(), reported


def random_params(channel, seed, agents=AGENTS):
    """Larger than at the start of training, so that what is wrong shows."""
    rng = np.random.default_rng(seed)
    inputs, memory, alive = jnp.zeros((agents, INPUTS)), jnp.zeros((agents, HIDDEN)), jnp.ones(agents, bool)

    def talk_once(module):
        return module.talk(
            inputs, memory if channel.reads_memory else None, KEY, Transmission(channel, alive, KEY, None)
        )

    shapes = jax.eval_shape(lambda: channel.init(KEY, method=talk_once))
    return jax.tree.map(lambda x: jnp.asarray(0.8 * rng.normal(size=x.shape), jnp.float32), shapes)


class Scenes:
    """One team in several situations, all run at once: the first axis of everything is the situation."""

    NAMES = ("everybody", "relabelled", "one dead", "dead one sees another thing", "others see other things", "nobody")

    def __init__(self, case):
        self.case, self.channel = case, sized(case.channel)
        rng = np.random.default_rng(7)
        one, other = rng.normal(size=(2, AGENTS, INPUTS)).astype(np.float32)
        memory, other_memory = rng.normal(size=(2, AGENTS, HIDDEN)).astype(np.float32)
        first = (np.arange(AGENTS) == 1)[:, None]  # the agent that may be dead
        self.inputs = np.stack(
            [one, one[PERMUTATION], one, np.where(first, other, one), np.where(first, one, other), one]
        )
        self.memory = np.stack(
            [
                memory,
                memory[PERMUTATION],
                memory,
                np.where(first, other_memory, memory),
                np.where(first, memory, other_memory),
                memory,
            ]
        )
        everybody, but_one = np.ones(AGENTS, bool), ~first[:, 0]
        self.alive = np.stack([everybody, everybody, but_one, but_one, but_one, ~everybody])
        self.params = random_params(self.channel, 33)  # of the gates, that of agent 2 is shut
        scene = (self.inputs, self.memory, self.alive)
        self.received, self.messages, self.reported = jax.tree.map(
            np.asarray, jax.jit(lambda *x: talk(self.channel, self.params, *x))(*scene)
        )
        self.bits = np.asarray(jax.jit(bits_sent)(self.messages))
        self.weight = jnp.asarray(rng.normal(size=self.received.shape[1:]), jnp.float32)
        gradient_of = jax.jit(jax.vmap(jax.grad(self._heard_by_last, (0, 1)), (None, 0, 0, 0)))
        self.gradient = jax.tree.map(np.asarray, gradient_of(self.params, *scene))

    def _heard_by_last(self, params, inputs, memory, alive):
        received, _, _ = talk(self.channel, params, inputs, memory, alive)
        return (self.weight * received)[-1].sum()

    def of(self, name):
        return self.received[self.NAMES.index(name)]


@functools.cache
def scenes_of(name):
    return Scenes(CASES[name])


@pytest.fixture(params=CASES)
def scenes(request):
    return scenes_of(request.param)


def test_formula(scenes):
    parameters = scenes.params.get("params", {})
    for scene, name in enumerate(scenes.NAMES):
        expected = scenes.case.formula(parameters, scenes.inputs[scene], scenes.memory[scene], scenes.alive[scene])
        np.testing.assert_allclose(scenes.received[scene], expected, rtol=1e-4, atol=1e-5, err_msg=name)


def test_bits_are_those_of_what_is_sent_to_the_living(scenes):
    for scene, alive in enumerate(scenes.alive):
        sending = alive.astype(float)
        if "gate" in scenes.reported:
            sending = sending * scenes.reported["gate"][scene]
        for i in range(AGENTS):
            hearing = [j for j in range(AGENTS) if j != i and alive[j]]
            mask = 1 if "gate" in scenes.reported else 0  # told once, as it holds for all rounds
            both = [sending[i] * sending[j] for j in hearing]
            expected = alive[i] * (sum(both) * (scenes.case.bits - mask) + mask * len(hearing))
            assert scenes.bits[scene, i] == pytest.approx(expected)


def test_importance_is_the_weight_of_what_can_be_heard(scenes):
    """Those who are not alive take nothing of it."""
    if "attention" not in scenes.reported:
        pytest.skip("nothing is weighed")
    np.testing.assert_allclose(scenes.messages.importance[..., -1], scenes.reported["attention"], rtol=1e-5)


@pytest.mark.parametrize("name", ["attention", "memory", "graph_attention", "graph_convolution"])
def test_those_out_of_reach_take_nothing_of_the_importance(name):
    channel = sized(CASES[name].channel).clone(graph="within_reach:1")
    scene = scenes_of(name).inputs, scenes_of(name).memory, scenes_of(name).alive
    _, messages, reported = jax.jit(lambda *x: talk(channel, scenes_of(name).params, *x))(*scene)
    np.testing.assert_allclose(messages.importance[..., -1], reported["attention"], rtol=1e-5)
    np.testing.assert_allclose(messages.importance[0, ..., -1].sum(0), 1.0, rtol=1e-5)


def test_the_sender_learns_from_what_others_do(scenes):
    of_params, of_inputs = scenes.gradient
    if scenes.case.bits == 0:
        pytest.skip("nothing is said")
    for sender in range(AGENTS - 1):  # also one whose gate is shut: its gate could have been open
        reached = np.any(of_inputs[0, sender])
        assert reached != getattr(scenes.channel, "detach", False), f"the last agent's loss and agent {sender}"
    for path, leaf in jax.tree_util.tree_leaves_with_path(of_params):
        name = jax.tree_util.keystr(path)
        if any(untaught in name for untaught in scenes.case.untaught):
            assert not np.any(leaf[0]), f"{name} is to learn from other losses only"
        else:
            assert np.any(leaf[0]), f"{name} learns nothing"


def test_relabelled_senders(scenes):
    if scenes.case.slots:
        parts = scenes.received.reshape(*scenes.received.shape[:2], AGENTS, -1)
        np.testing.assert_allclose(parts[1], parts[0][:, PERMUTATION], rtol=1e-4, atol=1e-5)
    else:
        np.testing.assert_allclose(scenes.of("relabelled"), scenes.of("everybody")[PERMUTATION], rtol=1e-4, atol=1e-5)


def test_the_dead_neither_send_nor_receive(scenes):
    living = [0, 2, 3]
    one_dead, sees_another = scenes.of("one dead"), scenes.of("dead one sees another thing")
    np.testing.assert_array_equal(sees_another[living], one_dead[living])
    np.testing.assert_array_equal(scenes.of("others see other things")[1], one_dead[1])
    index = scenes.NAMES.index("one dead")
    assert not scenes.messages.sent[index, 1].any()
    assert not scenes.messages.sent[index, :, 1].any()
    assert not np.any(scenes.gradient[1][index, 1])


def test_nobody_alive_is_no_trouble(scenes):
    nobody = scenes.NAMES.index("nobody")
    assert np.isfinite(scenes.received).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(scenes.gradient))
    assert not scenes.bits[nobody].any()
    assert not np.any(scenes.gradient[1][nobody])


@pytest.mark.parametrize("name", CASES)
def test_alone(name):
    """One agent: nobody to talk to, nothing to pay, and nothing that is not a number."""
    channel = sized(CASES[name].channel, agents=1)
    params = random_params(channel, 0, agents=1)
    rng = np.random.default_rng(0)
    inputs, memory = (rng.normal(size=(1, size)).astype(np.float32) for size in (INPUTS, HIDDEN))
    received, messages, _ = jax.jit(lambda *x: talk(channel, params, *x))(inputs, memory, np.ones(1, bool))
    expected = CASES[name].formula(params.get("params", {}), inputs, memory, [True])
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)
    assert not np.any(messages.sent & ~np.eye(1, dtype=bool)[..., None])


KEPT = {name: case.channel for name, case in CASES.items()} | {
    "cluster": ClusterChannel(hidden=8),
    "cluster, shared": ClusterChannel(hidden=8, shared=True, encoding="integer"),
    "gaussian, after the memory": GaussianChannel(dims=1, hidden=4, sigma=0.0, after_memory=True),
    "memory, after the memory": MemoryChannel(width=3, hidden=8, after_memory=True),
    "request_reply": RequestReplyChannel(request=2, reply=3, slots=2, width=4),
    "request_reply, gated": RequestReplyChannel(request=2, reply=3, slots=2, width=4, gated="evaluation"),
    "temporal_gated": TemporalGatedChannel(hidden=8),
    "variance_gated": VarianceGatedChannel(hidden=8),
    "variance_gated, often silent": VarianceGatedChannel(hidden=8, ask_below=0.3, answer_above=0.5),
}


@pytest.mark.parametrize("name", KEPT)
def test_the_contract(name):
    check_channel(KEPT[name])
