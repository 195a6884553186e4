"""Every channel, also quantized, delayed and with a bandwidth, under edits: equal where it must be, and finite."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.messages import (
    AggregationChannel,
    AttentionChannel,
    ClusterChannel,
    DiscreteChannel,
    Drop,
    GatedChannel,
    GaussianChannel,
    GraphAttentionChannel,
    GraphConvolutionChannel,
    IncentiveChannel,
    MeanChannel,
    MemoryChannel,
    Noise,
    Quantize,
    QuantizedChannel,
    RequestReplyChannel,
    SharedChannel,
    Silence,
    SilentChannel,
    TemporalGatedChannel,
    VarianceGatedChannel,
    chain_edits,
)
from marlcomm.messages.channel import as_heard, bits_sent
from marlcomm.messages.edits import OneOf, ReplaceSender
from marlcomm.messages.transmission import Transmission
from marlcomm.names import CHANNELS

AGENTS, INPUTS, HIDDEN, ACTIONS, STATE = 3, 2, 3, 4, 5
SIZES = {"num_agents": AGENTS, "num_actions": ACTIONS, "input_size": INPUTS, "state_size": STATE}
KEY = jax.random.PRNGKey(8)
BETWEEN = ~np.eye(AGENTS, dtype=bool)
SEEN = np.random.default_rng(1).normal(size=(2, 2, AGENTS, INPUTS + HIDDEN)).astype(np.float32)  # steps, batch, ...

SMALL = {
    "silent": SilentChannel(),
    "shared": SharedChannel(),
    "gaussian": GaussianChannel(dims=2, hidden=4),
    "cluster": ClusterChannel(hidden=4),
    "attention": AttentionChannel(signature=2, value=3, hidden=4),
    "mean": MeanChannel(dims=2, hidden=4, rounds=2),
    "gated": GatedChannel(dims=2, hidden=4),
    "memory": MemoryChannel(width=2, hidden=4),
    "discrete": DiscreteChannel(vocab_size=3, hidden=4),
    "incentive": IncentiveChannel(),
    "variance_gated": VarianceGatedChannel(hidden=4),
    "temporal_gated": TemporalGatedChannel(hidden=4),
    "request_reply": RequestReplyChannel(request=2, reply=3, slots=2, width=4),
    "aggregation": AggregationChannel(),
    "graph_attention": GraphAttentionChannel(dims=4, heads=1, scheduler_size=2, scheduler="pairs", rounds=1),
    "graph_convolution": GraphConvolutionChannel(dims=3, hidden=4, rounds=1),
}
EDITS = (None, Drop(1.0), Silence(), chain_edits([Noise(1.0), Quantize(4.0)]))


def test_every_channel_is_here():
    assert set(SMALL) == {name for name in CHANNELS if not name.endswith("test")}


def scores(memory, received=None):
    """A head: what agents think of their actions, having heard this."""
    heard = as_heard(received)
    row = memory if heard.features is None else jnp.concatenate([memory, heard.features], -1)
    kernel = jnp.sin(1.0 + jnp.arange(row.shape[-1] * ACTIONS)).reshape(-1, ACTIONS)
    return row @ kernel + (0.0 if heard.action_values is None else heard.action_values)


def talk(channel, params, seen, state, edit=None, under_way=None):
    """What is heard, the next state, and the account of one step."""
    inputs, memory = jnp.split(seen, [INPUTS], -1)
    transmit = Transmission(
        channel, jnp.ones(seen.shape[:-1], bool), KEY, edit, under_way, state=state,
        action_mask=jnp.ones((*seen.shape[:-1], ACTIONS), bool), scores=partial(scores, memory),
    )  # fmt: skip
    memory = memory if channel.reads_memory or channel.after_memory else None
    heard = as_heard(channel.apply(params, inputs, memory, KEY, transmit, method="talk")[0])
    parts = [x.reshape(*seen.shape[:-1], -1) for x in (heard.features, heard.action_values) if x is not None]
    return jnp.concatenate(parts, -1), heard.state, transmit.account()


def random_params(channel):
    """Larger than at the start of training, so that what is wrong shows."""
    inputs, memory = jnp.split(SEEN[0], [INPUTS], -1)
    state = channel.initial_state(*SEEN.shape[1:3])
    prompt = channel.clone(delay=0)

    def once(module):
        transmit = Transmission(prompt, jnp.ones(SEEN.shape[1:3], bool), KEY, state=state, training=True,
                                action_mask=jnp.ones((*SEEN.shape[1:3], ACTIONS), bool),
                                scores=partial(scores, memory))  # fmt: skip
        return module.talk(inputs, memory if channel.reads_memory or channel.after_memory else None, KEY, transmit)

    rng = np.random.default_rng(2)
    shapes = jax.eval_shape(lambda: prompt.init(KEY, method=once))
    return jax.tree.map(lambda x: jnp.asarray(0.5 * rng.normal(size=x.shape), x.dtype), shapes)


def edited(channel):
    """At the second step of talk, under each of the edits and with each sender replaced by itself: what is heard then
    [edits, B, N, ...], what is heard a step later if it is delayed, and the account."""
    channel = channel.clone(**SIZES)
    params, start = random_params(channel), channel.initial_state(*SEEN.shape[1:3])
    prompt = channel.clone(delay=0)

    def first():
        return talk(prompt, params, SEEN[0], start)[1:]

    def run():
        state, under_way = (None, None) if start is None and not channel.delay else first()
        under_way = under_way if channel.delay else None
        heard, *_, plain = talk(channel, params, SEEN[1], state, None, under_way)

        def under(edit):
            heard, _, sent = talk(channel, params, SEEN[1], state, edit, under_way)
            late = talk(channel, params, SEEN[1], state, None, sent)[0] if channel.delay else heard
            return heard, late, sent

        def replaced(sender):
            edit = ReplaceSender(sender, plain.content, plain.sent)
            heard, _, sent = talk(channel, params, SEEN[1], state, edit, under_way)
            return heard, sent

        by_edit = jax.vmap(lambda which: under(OneOf(which, EDITS)))(jnp.arange(len(EDITS)))
        return (heard, plain), by_edit, jax.vmap(replaced)(jnp.arange(AGENTS))

    compiled = jax.jit(run).lower().compile({"xla_backend_optimization_level": 0})
    return jax.tree.map(np.asarray, compiled())


@pytest.mark.parametrize("options", ["plain", "quantized, delayed, with a bandwidth"])
@pytest.mark.parametrize("name", SMALL)
def test_edits(name, options):
    channel = SMALL[name]
    if options != "plain":
        least = channel.clone(num_agents=AGENTS).entries_of_requests + 2
        channel = QuantizedChannel(channel.clone(delay=1, bandwidth=least), step=0.5)
    (plain, said), (heard, late, sent), replaced = edited(channel)
    bits = np.asarray(bits_sent(sent))
    for x in (heard, late, bits):
        assert np.isfinite(x).all()
    for x in (heard, late):
        np.testing.assert_allclose(x[1], x[2], rtol=1e-4, atol=1e-5, err_msg="all is lost, or nothing is said")
    for found in jax.tree.leaves(jax.tree.map(lambda new, old: new - old * 1.0, replaced, (plain, said))):
        np.testing.assert_allclose(found, 0.0, atol=1e-4, err_msg="replaced by itself")
    assert np.all(bits[2] == 0), "silence costs nothing, not even the mask of a bandwidth"
    if said.sent[:, BETWEEN].any():
        assert np.all(bits[1].sum(-1) > bits[2].sum(-1)), "what is lost is paid for"
        assert options != "plain" or np.any(late[0] != late[2])


def test_a_lost_message_leaves_the_old_one():
    channel = TemporalGatedChannel(hidden=4, change=0.0, **SIZES)
    params = random_params(channel)

    @jax.jit
    def run():
        before, state, _ = talk(channel, params, SEEN[0], channel.initial_state(2, AGENTS))
        (lost, *_), (came, *_) = (talk(channel, params, SEEN[1], state, edit) for edit in (Drop(1.0), None))
        return before, lost, came

    before, lost, came = map(np.asarray, run())
    assert np.any(before)
    np.testing.assert_array_equal(lost, before)
    assert not np.allclose(came, before)
