"""MAGIC's, GA-Comm's and DICG's channels on QMIX: the loss of receivers teaches what is said, and who hears whom."""

import pytest
from who_teaches import SMALL, taught_by

from marlcomm.algorithms import qmix
from marlcomm.envs.registry import make_env

GRAPHS = {"channel": "graph_attention", "channel.dims": 4, "channel.heads": 2, "channel.scheduler_size": 4}
GA_COMM = {"rounds": 1, "scores": "dot", "scheduler": "sequence", "self_loops": "never", "key_size": 2}
CHANNELS = {
    "magic": (GRAPHS, {"state_encoder", "scheduler", "values_0", "scores_0", "values_1", "scores_1"}),
    "ga_comm": (
        {**GRAPHS, **{f"channel.{name}": value for name, value in GA_COMM.items()}},
        {"state_encoder", "scheduler", "values_0", "scores_0"},
    ),
    "dicg": (
        {"channel": "graph_convolution", "channel.dims": 4, "channel.hidden": 8},
        {"encoder", "query", "convolution_0", "convolution_1"},
    ),
}


@pytest.mark.parametrize("method", CHANNELS)
def test_who_teaches_whom(method):
    settings, layers = CHANNELS[method]
    found = taught_by(qmix(make_env("hallway", lengths=(1, 2, 2)), **SMALL, **settings))
    assert layers <= found.keys()
    for module, parameters in found.items():
        for name, reached in parameters.items():
            in_a_softmax = "['key']['bias']" in name  # moves all scores alike, which teaches nothing
            untaught = module == "target" or in_a_softmax
            assert reached == (set() if untaught else {"temporal_difference"}), f"{module}{name}"
