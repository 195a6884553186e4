"""MAIC on a hallway of three: which loss teaches which module, and that it takes its published settings."""

import pytest
from who_teaches import SMALL, taught_by

from marlcomm.algorithms import maic
from marlcomm.envs.registry import make_env

CHANNEL = {"channel.latent": 2, "channel.width": 8, "channel.query_size": 3}
TEMPORAL_DIFFERENCE, MODEL, ENTROPY = "temporal_difference", "teammate_model", "attention_entropy"
TAUGHT_BY = {
    "teammate_model": {TEMPORAL_DIFFERENCE, MODEL},
    "posterior": {MODEL},
    "message": {TEMPORAL_DIFFERENCE},
    "query_head": {TEMPORAL_DIFFERENCE, ENTROPY},
    "key_head": {TEMPORAL_DIFFERENCE, ENTROPY},
    "input_layer": {TEMPORAL_DIFFERENCE, MODEL},
    "recurrent": {TEMPORAL_DIFFERENCE, MODEL},
    "head": {TEMPORAL_DIFFERENCE},
    "mixer": {TEMPORAL_DIFFERENCE},
    "target": set(),
}


@pytest.mark.parametrize("at_receiver", [False, True])
def test_who_teaches_whom(at_receiver):
    algorithm = maic(make_env("hallway", lengths=(1, 2, 2)), **SMALL, **CHANNEL, **{"channel.at_receiver": at_receiver})
    found = taught_by(algorithm, (MODEL, ENTROPY))
    assert found.keys() == TAUGHT_BY.keys(), "every parameter belongs to one of these modules"
    for module, parameters in found.items():
        for name, reached in parameters.items():
            in_a_softmax = module == "key_head" and "bias" in name  # moves all scores alike, which teaches nothing
            assert reached == (set() if in_a_softmax else TAUGHT_BY[module]), f"{module}{name}"


def test_published_settings():
    channel = maic(make_env("hallway"), paper=True).learner.agent.channel
    assert channel.at_receiver
    assert (channel.latent, channel.width, channel.query_size) == (8, 64, 32)
    assert (channel.variance_floor, channel.prune) == (0.002, 0.25)
