"""A channel around another is one channel with it: sizes, flags, state, losses and what passes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from talkers import KEY, Advice, OnChange, Plain, Restless, Team, assert_same

from marlcomm.messages import ChannelWrapper, ClusterChannel, GaussianChannel, MeanChannel, check_channel
from marlcomm.validation import UsageError


class Louder(ChannelWrapper):
    """What is said is twice as large."""

    factor: float = 2.0

    def talk(self, inputs, memory, key, transmit):
        def change(messages):
            return messages._replace(content=self.factor * messages.content)

        return self.channel.talk(inputs, memory, key, transmit.through(change))


INNER = {
    "plain": Plain(),
    "reads memory": Plain(reads_memory=True),
    "after the memory": Advice(after_memory=True),
    "carries a state": OnChange(),
    "in training": Restless(),
    "delay": Plain(delay=2),
    "state and delay": OnChange(delay=1, bandwidth=1),
    "graph": Plain(graph="within_reach:1"),
    "graph of numbers": Plain(graph=np.eye(3, k=1, dtype=bool)),
}


@pytest.mark.parametrize("name", INNER)
def test_one_that_passes_everything_on_is_as_the_inner_one(name):
    wrapped, plain = Team(ChannelWrapper(INNER[name])), Team(INNER[name])
    params = wrapped.params["params"]
    plain.params = {"params": {**params, "channel": params["channel"]["channel"]}}
    assert_same(wrapped.unroll(), plain.run_unroll(plain.inputs, plain.alive, KEY))
    assert wrapped.agent.channel.step_by_step == plain.agent.channel.step_by_step


@pytest.mark.parametrize("name", INNER)
def test_step_by_step_is_all_at_once(name):
    team = Team(Louder(INNER[name]))
    scores, messages, _ = team.unroll()
    stepped, said, _ = team.steps()
    np.testing.assert_allclose(scores, stepped, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(messages.content, said.content, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["reads memory", "after the memory", "state and delay"])
def test_the_contract(name):
    check_channel(Louder(INNER[name]))


def test_sizes_go_down_and_flags_up():
    sizes = {"num_agents": 3, "num_actions": 4, "input_size": 2, "state_size": 5}
    channel = ChannelWrapper(ChannelWrapper(MeanChannel(reads_memory=True, delay=2, bandwidth=4)))
    filled = channel.clone(**sizes, graph="within_reach:1")
    for each in (filled, filled.channel, filled.channel.channel):
        assert {name: getattr(each, name) for name in sizes} == sizes
        assert each.reads_memory
    assert (filled.delay, filled.bandwidth, len(filled.graph)) == (2, 4, 3)
    assert filled.channel.channel.delay == 0, "delayed once"
    assert filled.clone(delay=0, bandwidth=None).delay == 0
    assert ChannelWrapper(MeanChannel(delay=2), delay=1).delay == 1
    assert ChannelWrapper(MeanChannel(), after_memory=True).channel.after_memory
    assert ChannelWrapper(MeanChannel(num_agents=3)).num_agents == 3
    assert filled.clone(num_agents=2, graph=None).channel.channel.num_agents == 2
    assert hash(channel) == hash(ChannelWrapper(ChannelWrapper(MeanChannel(reads_memory=True, delay=2, bandwidth=4))))


def test_a_graph_may_be_an_array():
    graph = np.eye(3, k=1, dtype=bool)
    wrapped = ChannelWrapper(MeanChannel(graph=np.ones((3, 3), bool)), graph=graph)
    np.testing.assert_array_equal(wrapped.graph, graph)
    np.testing.assert_array_equal(wrapped.clone(num_agents=3, graph=~graph).graph, ~graph)


def test_what_the_inner_one_brings():
    assert set(ChannelWrapper(GaussianChannel()).losses()) == set(GaussianChannel().losses())
    assert ChannelWrapper(ClusterChannel()).learns_apart
    assert not ChannelWrapper(MeanChannel()).learns_apart
    assert ChannelWrapper(ClusterChannel()).exceptions() == ClusterChannel().exceptions()
    state = ChannelWrapper(OnChange(num_agents=3)).initial_state(2, 3)
    assert jax.tree.map(jnp.shape, state) == jax.tree.map(jnp.shape, OnChange(num_agents=3).initial_state(2, 3))


def test_what_is_no_channel():
    with pytest.raises(UsageError, match=r"channel='mean' of Louder must be a channel"):
        Louder("mean")
