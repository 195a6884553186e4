"""RGMComm's channel: hard labels, honest bits, and no gradient from receivers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.losses import action_value_vectors, clustering_loss
from marlcomm.messages import ClusterChannel, CutBelow, Noise
from marlcomm.messages.channel import bits_sent, deliver

BATCH, AGENTS, INPUTS, MEMORY, VOCAB_SIZE = 5, 3, 4, 2, 4
KEY = jax.random.PRNGKey(0)
RNG = np.random.default_rng(0)
INPUT = jnp.asarray(RNG.normal(size=(BATCH, AGENTS, INPUTS)), jnp.float32)
ALIVE = jnp.ones((BATCH, AGENTS), bool)
ALL_WEIGHTS = ("kernel", "bias")


@functools.cache
class Cluster:
    """A cluster channel with parameters, large enough that all labels occur."""

    def __init__(self, **settings):
        settings = {"vocab_size": VOCAB_SIZE, "hidden": 8, **settings}
        self.channel = ClusterChannel(num_agents=AGENTS, num_actions=2, **settings)
        self.memory = jnp.asarray(RNG.normal(size=(BATCH, AGENTS, MEMORY))) if self.channel.reads_memory else None
        shapes = jax.eval_shape(lambda: self.channel.init(KEY, INPUT, self.memory, KEY, method="send"))
        self.params = jax.tree.map(lambda x: jnp.asarray(0.7 * RNG.normal(size=x.shape), jnp.float32), shapes)

        self._send = jax.jit(lambda *args: self.channel.apply(*args, KEY, method="send"))
        self._receive = jax.jit(
            lambda messages, alive: self.channel.apply({}, INPUT, deliver(messages, alive), method="receive")[0]
        )

    def send(self, params=None, memory=None):
        return self._send(self.params if params is None else params, INPUT, self.memory if memory is None else memory)

    def receive(self, messages, alive=ALIVE):
        return self._receive(messages, alive)

    def labels(self):
        """[B, N] from the parameters alone, by numpy, one agent at a time."""
        x = np.asarray(INPUT, float)
        found = np.empty((BATCH, AGENTS), int)
        layers = self.params["params"]["labeller"]
        for b in range(BATCH):
            for agent in range(AGENTS):
                y = x[b, agent]
                for number in range(3):
                    layer = layers[f"Linear_{number}"]
                    kernel, bias = (np.asarray(layer[name], float) for name in ALL_WEIGHTS)
                    if not self.channel.shared:
                        kernel, bias = kernel[agent], bias[agent]
                    y = y @ kernel + bias
                    y = np.maximum(y, 0) if number < 2 else y
                found[b, agent] = y.argmax()
        return found


@pytest.fixture(scope="module")
def cluster():
    return Cluster()


@pytest.mark.parametrize("shared", [False, True])
def test_the_likeliest_label_of_each_agents_own_network_goes_to_everybody(shared):
    cluster = Cluster(shared=shared)
    messages, named = cluster.send()
    labels = cluster.labels()
    assert len(np.unique(labels)) > 1
    np.testing.assert_array_equal(named["label_logits"].argmax(-1), labels)
    expected = np.broadcast_to(labels[:, :, None, None] + 1, (BATCH, AGENTS, AGENTS, 1))
    np.testing.assert_array_equal(messages.content, expected)


@pytest.mark.parametrize(("encoding", "width"), [("one_hot", VOCAB_SIZE), ("integer", 1)])
def test_receivers_get_the_labels_of_the_others(encoding, width):
    cluster = Cluster(encoding=encoding)
    received = cluster.receive(cluster.send()[0])
    labels = cluster.labels()
    expected = np.zeros((BATCH, AGENTS, AGENTS, width))  # receiver, sender
    for b in range(BATCH):
        for receiver in range(AGENTS):
            for sender in range(AGENTS):
                if sender != receiver:
                    label = labels[b, sender]
                    expected[b, receiver, sender] = np.eye(width)[label] if encoding == "one_hot" else label + 1
    np.testing.assert_array_equal(received, expected.reshape(BATCH, AGENTS, -1))


@pytest.mark.parametrize("vocab_size", [2, 4, 10])
def test_a_label_costs_log2_of_the_vocabulary_a_receiver(vocab_size):
    messages, _ = Cluster(vocab_size=vocab_size).send()
    expected = np.full((BATCH, AGENTS), (AGENTS - 1) * np.log2(vocab_size))
    np.testing.assert_allclose(bits_sent(messages), expected, rtol=1e-6)


def test_a_cut_takes_whole_labels_the_unsure_first_at_one_bit_of_mask(cluster):
    messages, named = cluster.send()
    odds = np.exp(np.asarray(named["label_logits"], float))
    chance = odds / odds.sum(-1, keepdims=True)
    certainty = np.log(VOCAB_SIZE) + (chance * np.log(chance)).sum(-1)  # [B, N]
    threshold = float(np.median(certainty)) + 1e-3
    cut = jax.jit(CutBelow(threshold))(messages, KEY)
    received = np.asarray(cluster.receive(cut)).reshape(BATCH, AGENTS, AGENTS, VOCAB_SIZE)
    kept = certainty >= threshold
    assert kept.any()
    assert not kept.all()
    heard = received.sum(-1)  # 1 where a label is heard, 0 for silence
    for receiver in range(AGENTS):
        for sender in range(AGENTS):
            np.testing.assert_array_equal(heard[:, receiver, sender], kept[:, sender] & (sender != receiver))
    expected = (AGENTS - 1) * (1 + kept * np.log2(VOCAB_SIZE))
    np.testing.assert_allclose(bits_sent(cut), expected, rtol=1e-6)


def test_the_dead_are_silent(cluster):
    messages, _ = cluster.send()
    received = np.asarray(cluster.receive(messages, ALIVE.at[:, 1].set(False)))
    heard = received.reshape(BATCH, AGENTS, AGENTS, VOCAB_SIZE).sum(-1)
    np.testing.assert_array_equal(heard, np.broadcast_to([[0, 0, 1], [0, 0, 0], [1, 0, 0]], heard.shape))


def test_a_label_that_noise_moved_is_rounded_and_lost_beyond_the_vocabulary(cluster):
    messages, _ = cluster.send()
    np.testing.assert_array_equal(cluster.receive(Noise(0.05)(messages, KEY)), cluster.receive(messages))
    beyond = messages._replace(content=messages.content + VOCAB_SIZE)
    assert not cluster.receive(beyond).any()


@pytest.mark.parametrize("encoding", ["one_hot", "integer"])
def test_no_gradient_from_receivers_reaches_the_message_network(encoding):
    """Through content, through importance, and through what the receiver is given."""
    cluster = Cluster(encoding=encoding)

    def said(params):
        messages, _ = cluster.send(params)
        return (cluster.receive(messages) ** 2).sum() + messages.content.sum() + messages.importance.sum()

    assert said(cluster.params) > 0
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(jax.jit(jax.grad(said))(cluster.params)))


def test_the_clustering_loss_reaches_every_layer_but_not_through_integer_labels(cluster):
    """Locality alone: as released, labels as numbers, it teaches nothing (specs, fact 3)."""
    values = jnp.asarray(RNG.normal(size=(AGENTS, BATCH, 6)), jnp.float32)

    def losses(params):
        def of_one(logits, values):
            vectors = action_value_vectors(values)
            settings = {"neighbors": 2, "information_weight": 0.0}
            return [clustering_loss(logits, vectors, **settings, labels=x)[0] for x in ("soft", "integer")]

        logits = cluster.send(params)[1]["label_logits"]  # [B, N, M]
        return jnp.stack(jax.vmap(of_one, in_axes=(1, 0))(logits, values)).sum(-1)

    value, gradient = jax.jit(lambda x: (losses(x), jax.jacrev(losses)(x)))(cluster.params)
    assert np.all(value > 0)
    for leaf in jax.tree.leaves(gradient):
        soft, integer = leaf
        assert np.all(np.any(soft, axis=tuple(range(1, soft.ndim)))), "of each agent's own network"
        assert not np.any(integer)


def test_each_agent_has_its_own_parameters_unless_they_are_shared():
    own, shared = (jax.tree.leaves(Cluster(shared=shared).params) for shared in (False, True))
    assert [x.shape for x in own] == [(AGENTS, *x.shape) for x in shared]
    channel = ClusterChannel(num_agents=AGENTS, vocab_size=2, hidden=8)
    layers = jax.jit(lambda: channel.init(KEY, INPUT, None, KEY, method="send"))()
    kernel = layers["params"]["labeller"]["Linear_0"]["kernel"]
    assert not np.allclose(kernel[0], kernel[1]), "drawn for each agent"


def test_reading_memory_it_hears_the_memory_but_teaches_it_nothing():
    cluster = Cluster(reads_memory=True)

    def logits(memory):
        return cluster.send(memory=memory)[1]["label_logits"]

    assert not np.allclose(logits(cluster.memory), logits(cluster.memory + 1))
    assert not jax.jit(jax.grad(lambda memory: (logits(memory) ** 2).sum()))(cluster.memory).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vocab_size": 1}, "vocab_size is 1: fewer than 2 labels"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"hidden": 0}, "hidden=0"),
        ({"encoding": "onehot"}, "encoding is 'onehot': must be one of one_hot, integer"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        ClusterChannel(**settings)
