"""MASIA on a hallway of three: which loss teaches which module, and that it takes its published settings."""

import pytest
from who_teaches import SMALL, taught_by

from marlcomm.algorithms import masia
from marlcomm.envs.registry import make_env

CHANNEL = {"channel.latent": 3, "channel.width": 8, "channel.query_size": 3}
TEMPORAL_DIFFERENCE, RECONSTRUCTION, PREDICTION = "temporal_difference", "reconstruction", "prediction"
EVERY = {TEMPORAL_DIFFERENCE, RECONSTRUCTION, PREDICTION}
AGGREGATES = ("query_head", "key_head", "value_head", "mix", "recurrent", "representation_head")
TAUGHT_BY = {
    **dict.fromkeys(AGGREGATES, EVERY),
    "gate_head": {TEMPORAL_DIFFERENCE},
    "decoder": {RECONSTRUCTION},
    "transition": {PREDICTION},
    "input_layer": {TEMPORAL_DIFFERENCE},
    "head": {TEMPORAL_DIFFERENCE},
    "mixer": {TEMPORAL_DIFFERENCE},
    "target": set(),
}


@pytest.mark.parametrize("pooled", [True, False])
def test_who_teaches_whom(pooled):
    """Losses of the channel teach no other part of the agent: neither its memory nor its values."""
    settings = {"pooled": pooled, "remembers": True, "predicts": True}
    algorithm = masia(make_env("hallway", lengths=(1, 2, 2)), **SMALL, **CHANNEL, **settings)
    found = taught_by(algorithm, (RECONSTRUCTION, PREDICTION))
    assert found.keys() == TAUGHT_BY.keys() | {"agent.recurrent"}, "every parameter belongs to one of these modules"
    for module, parameters in found.items():
        wanted = TAUGHT_BY.get(module, {TEMPORAL_DIFFERENCE})
        for name, reached in parameters.items():
            in_a_softmax = module == "key_head" and "bias" in name  # moves all scores alike, which teaches nothing
            assert reached == (set() if in_a_softmax else wanted), f"{module}{name}"


def test_published_settings():
    algorithm = masia(make_env("hallway"), paper=True)
    channel = algorithm.learner.agent.channel
    assert (channel.latent, channel.width, channel.query_size, channel.dims) == (8, 32, 16, 0)
    assert not channel.pooled
    assert channel.remembers
    assert channel.losses().keys() == {RECONSTRUCTION, PREDICTION}
    assert masia(make_env("hallway")).learner.agent.channel.losses().keys() == {RECONSTRUCTION}
