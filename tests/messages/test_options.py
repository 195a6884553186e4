"""Options that all channels share: graph, delay and bandwidth, in learning and in acting."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.messages import (
    AttentionChannel,
    Channel,
    CutBelow,
    DiscreteChannel,
    Drop,
    GatedChannel,
    GaussianChannel,
    GraphAttentionChannel,
    MeanChannel,
    QuantizedChannel,
    RequestReplyChannel,
    SelfOnly,
    Silence,
    SilentChannel,
    VarianceGatedChannel,
    chain_edits,
    within_reach,
)
from marlcomm.messages.channel import bits_sent, by_receiver, offer
from marlcomm.messages.edits import CutPairs, OneOf
from marlcomm.messages.transmission import Transmission
from marlcomm.validation import UsageError

BATCH, TIME, AGENTS, INPUTS, HIDDEN = 2, 4, 3, 2, 3
KEY = jax.random.PRNGKey(2)


@functools.partial(jax.jit, static_argnames="channel")
def carried(channel, contents, alive, edit=None, sent=True):
    """What arrives of each round, leading axes [..., N, N, D] or, time first, [T, N, N, D]; and the account."""
    transmission = Transmission(channel, alive, KEY, edit)
    arrived = []
    for content in contents:
        messages = offer(content)
        arrived.append(transmission(messages._replace(sent=messages.sent & sent)))
    return *jax.tree.map(jnp.asarray, arrived), transmission.account()


@pytest.mark.parametrize("delay", [1, 3, 9])
def test_messages_arrive_late_but_own_ones_at_once(delay):
    rng = np.random.default_rng(0)
    content = rng.normal(size=(TIME, AGENTS, AGENTS, 2)).astype(np.float32)
    alive = rng.random((TIME, AGENTS)) < 0.7
    arrived, account = jax.tree.map(np.asarray, carried(SilentChannel(delay=delay), [content], alive))
    for t in range(TIME):
        for i in range(AGENTS):
            for j in range(AGENTS):
                now = alive[t, i] and alive[t, j]
                before = t >= delay and alive[t - delay, i] and alive[t - delay, j]
                told_at = t if i == j else t - delay
                expected = content[told_at, i, j] if now and (i == j or before) else np.zeros(2)
                np.testing.assert_allclose(arrived.content[t, i, j], expected, rtol=1e-6)
                assert account.sent[t, i, j].all() == now, "paid when it is sent"


def test_a_graph_says_who_reaches_whom():
    one_way = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    arrived, _ = carried(SilentChannel(graph=one_way), [np.ones((AGENTS, AGENTS, 1))], np.ones(AGENTS, bool))
    np.testing.assert_array_equal(np.asarray(arrived.content)[..., 0], np.array(one_way) + np.eye(AGENTS))
    np.testing.assert_array_equal(within_reach(4, 1), [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]])
    assert hash(SilentChannel(graph=np.array(one_way))) == hash(SilentChannel(graph=one_way))


def test_a_cap_holds_over_all_receivers_and_rounds():
    """Of 2 x 2 entries to others in the first round all go; the second round has one left."""
    contents = np.random.default_rng(1).normal(size=(2, AGENTS, AGENTS, 2)).astype(np.float32)
    channel, everybody = SilentChannel(bandwidth=5), np.ones(AGENTS, bool)
    first, second, account = jax.tree.map(np.asarray, carried(channel, list(contents), everybody))
    between = ~np.eye(AGENTS, dtype=bool)
    np.testing.assert_array_equal((first.sent & between[..., None]).sum((1, 2)), [4, 4, 4])
    np.testing.assert_array_equal((second.sent & between[..., None]).sum((1, 2)), [1, 1, 1])
    for i in range(AGENTS):
        offered, arrived = np.abs(contents[1][i, between[i]]), np.abs(second.content[i, between[i]])
        assert arrived.max() == offered.max(), "the most important one goes"
    assert account.sent.shape[-1] == 4
    np.testing.assert_array_equal(account.overhead, np.full((AGENTS, AGENTS), 4.0))


def test_what_is_lost_has_used_up_its_part_of_the_cap():
    contents = np.ones((2, AGENTS, AGENTS, 2), np.float32)
    channel, everybody = SilentChannel(bandwidth=5), np.ones(AGENTS, bool)
    *arrived, account = jax.tree.map(np.asarray, carried(channel, list(contents), everybody, Drop(1.0)))
    assert not any(each.sent[~np.eye(AGENTS, dtype=bool)].any() for each in arrived)
    np.testing.assert_array_equal(bits_sent(account), np.full(AGENTS, 5 * 32.0 + 2 * 4))


@pytest.mark.parametrize("rounds", [1, 2])
@pytest.mark.parametrize(
    ("edit", "open_pairs"),
    [
        (None, [2, 2, 2]),
        (CutBelow(9.0), [2, 2, 2]),
        (Silence(), [0, 0, 0]),
        (SelfOnly(), [0, 0, 0]),
        (CutPairs(jnp.asarray(np.eye(AGENTS, k=1, dtype=bool))), [1, 1, 2]),
        (chain_edits([CutBelow(0.5), CutPairs(jnp.ones((AGENTS, AGENTS), bool))]), [0, 0, 0]),
        (OneOf(jnp.int32(1), (None, Silence(), CutBelow(0.5))), [0, 0, 0]),
        (OneOf(jnp.int32(0), (None, Silence())), [2, 2, 2]),
    ],
)
def test_the_mask_of_a_cap_is_paid_only_where_the_edit_lets_a_pair_talk(edit, open_pairs, rounds):
    contents = [np.ones((AGENTS, AGENTS, 2), np.float32)] * rounds
    _, account = jax.tree.map(
        np.asarray, carried(SilentChannel(bandwidth=1), contents, np.ones(AGENTS, bool), edit)[-2:]
    )
    said = np.where(account.sent & (account.price > 0), 1, 0).sum(-1)[..., ~np.eye(AGENTS, dtype=bool)]
    expected = 32 * said.reshape(AGENTS, -1).sum(-1) + 2 * rounds * np.array(open_pairs)
    np.testing.assert_array_equal(bits_sent(account), expected)
    assert said.sum() == (0 if isinstance(edit, CutBelow) or not any(open_pairs) else AGENTS)


@pytest.mark.parametrize(
    ("channel", "requests"),
    [
        (VarianceGatedChannel(), 2),
        (RequestReplyChannel(request=4), 8),
        (GraphAttentionChannel(scheduler_size=3), 2 * (3 + 2)),
        (QuantizedChannel(VarianceGatedChannel(), 1.0), 2),
        (MeanChannel(), 0),
    ],
)
def test_a_cap_that_leaves_nothing_for_what_is_asked_for_is_refused(channel, requests):
    assert channel.clone(num_agents=3, bandwidth=requests + 1).entries_of_requests == requests
    if requests:
        with pytest.raises(UsageError, match=f"bandwidth is {requests}, .* must be at least {requests + 1}"):
            channel.clone(num_agents=3, bandwidth=requests)


def test_a_cap_leaves_the_dead_out():
    """The dead could have used up the cap: their entries are the most important ones."""
    content = np.ones((AGENTS, AGENTS, 1), np.float32)
    content[:, 2] = 5.0
    arrived, _ = jax.tree.map(np.asarray, carried(SilentChannel(bandwidth=1), [content], np.array([True, True, False])))
    assert arrived.sent[0, 1, 0]
    assert not arrived.sent[:, 2].any()


def test_gradient_passes_a_gate_that_is_shut_but_no_cut():
    """What the channel holds back is zero, yet teaches; what an edit cuts, or the dead say, does not."""
    alive = np.array([True, True, False])

    def heard(content, edit):
        arrived, _ = carried(SilentChannel(), [content], alive, edit, sent=False)
        return arrived.content.sum(), arrived.content

    gradient_of = jax.grad(heard, has_aux=True)
    content = np.ones((AGENTS, AGENTS, 1), np.float32)
    gradient, arrived = gradient_of(content, None)
    assert not np.any(arrived)
    np.testing.assert_array_equal(np.asarray(gradient)[..., 0], alive[:, None] & alive)
    gradient, _ = gradient_of(content, CutBelow(2.0))
    np.testing.assert_array_equal(np.asarray(gradient)[..., 0], np.eye(AGENTS) * alive)


@pytest.mark.parametrize("sampled", [False, True])
def test_a_gate_is_never_constant(sampled):
    """Whatever its weights are, some input opens it and some other shuts it; its score is its probability's."""
    channel = GatedChannel(dims=2, hidden=4, sampled=sampled, num_agents=2)
    inputs = jnp.asarray(np.linspace(-50, 50, 42).reshape(21, 2, 1), jnp.float32)

    def talk(module):
        return module.talk(inputs, None, KEY, Transmission(channel, jnp.ones((21, 2), bool), KEY, None))

    @jax.jit
    def everything(params):
        def of(quantity):
            return jax.grad(lambda p: quantity(*channel.apply(p, method=talk)))(params)["params"]["gate_head"]["bias"]

        score = of(lambda heard, reported: reported["gate_log_prob"].sum())
        return channel.apply(params, method=talk)[1], score, of(lambda heard, reported: jnp.square(heard).sum())

    params = jax.jit(lambda: channel.init(jax.random.PRNGKey(1), method=talk))()
    reported, score, through_messages = jax.tree.map(np.asarray, everything(params))
    gate, logit = reported["gate"], reported["gate_logit"].astype(np.float64)
    assert set(np.unique(gate)) == {0.0, 1.0}
    np.testing.assert_allclose(reported["gate_log_prob"], -np.log1p(np.exp(np.where(gate, -logit, logit))), rtol=1e-4)
    np.testing.assert_allclose(score, [(gate - 1 / (1 + np.exp(-logit))).sum()], rtol=1e-3)
    assert np.any(through_messages) == (not sampled)


def test_talk_must_send_messages():
    class Telepathy(Channel):
        def talk(self, inputs, memory, key, transmit):
            return by_receiver(jnp.ones((AGENTS, AGENTS, 1))), {}

    transmit = Transmission(Telepathy(), jnp.ones(AGENTS, bool), KEY)
    with pytest.raises(TypeError, match=r"Telepathy\.talk sent no messages"):
        transmit.account()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SilentChannel(delay=-1), "delay is -1"),
        (lambda: SilentChannel(delay=1.5), r"delay is 1\.5: .* whole number"),
        (lambda: SilentChannel(delay=None), "delay is None: .* whole number"),
        (lambda: MeanChannel(bandwidth=-1), "bandwidth is -1"),
        (lambda: MeanChannel(bandwidth=True), "bandwidth is True: must be a whole number"),
        (lambda: MeanChannel(bandwidth=2.0), r"bandwidth is 2\.0: must be a whole number"),
        (lambda: MeanChannel(graph=[[1, 1], [1]]), "must be 2 x 2"),
        (lambda: MeanChannel(graph=within_reach(3, 1), num_agents=4), "must be 4 x 4"),
        (lambda: MeanChannel(rounds=0), "rounds=0"),
        (lambda: AttentionChannel(scale=0.0), r"scale is 0\.0"),
        (lambda: AttentionChannel(rounds=0), "rounds=0"),
        (lambda: AttentionChannel(hidden=-1), "hidden is -1"),
        (lambda: GaussianChannel(dims=0), "dims is 0"),
        (lambda: GaussianChannel(hidden=0), "hidden=0"),
        (lambda: GaussianChannel(hidden=-1), "hidden=-1"),
        (lambda: GaussianChannel(posterior_width=0), "posterior_width=0"),
        (lambda: GaussianChannel(sigma=-1.0), r"sigma=-1\.0 must be at least 0"),
        (lambda: GaussianChannel(sigma=float("nan")), "sigma=nan"),
        (lambda: DiscreteChannel(noise=-0.5), r"noise=-0\.5 must be at least 0"),
    ],
)
def test_what_makes_no_sense_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
