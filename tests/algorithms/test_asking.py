"""VBC, TMC and CACOM on a hallway of three: which loss teaches which module."""

import pytest
from who_teaches import SMALL, taught_by

from marlcomm.algorithms import cacom, tmc, vbc
from marlcomm.envs.registry import make_env

TEMPORAL_DIFFERENCE = "temporal_difference"
AGENT = {name: {TEMPORAL_DIFFERENCE} for name in ("input_layer", "recurrent", "head", "mixer")} | {"target": set()}
OF_VALUES = {"channel.hidden": 8}
OF_REPLIES = {"channel.request": 2, "channel.reply": 3, "channel.slots": 2, "channel.width": 4}
READ = {TEMPORAL_DIFFERENCE, "teammate_values"}
REPLIES = {name: READ for name in ("request_head", "knowledge", "key_head", "query_head", "value_head", "reply_head")}
CASES = {
    "vbc": (vbc, OF_VALUES, {"encoder": {TEMPORAL_DIFFERENCE, "variance"}, "input_layer": {"variance"}}),
    "tmc": (tmc, OF_VALUES, {"encoder": {TEMPORAL_DIFFERENCE, "smoothness", "robustness"}, "head": {"robustness"}}),
    "cacom": (
        cacom,
        OF_REPLIES,
        REPLIES
        | {"gate_key": {"reply_gate"}, "gate_query": {"reply_gate"}, "gate_head": {"reply_gate"}}
        | {"listener": {TEMPORAL_DIFFERENCE}, "predictor": {"teammate_values"}, "input_layer": {"teammate_values"}},
    ),
}
ALSO_BELOW = {"vbc": {"variance"}, "tmc": {"smoothness", "robustness"}, "cacom": {"teammate_values"}}


@pytest.mark.parametrize("name", CASES)
def test_who_teaches_whom(name):
    make, settings, of_channel = CASES[name]
    algorithm = make(make_env("hallway", lengths=(1, 2, 2)), **SMALL, **settings)
    own = tuple(algorithm.learner.agent.channel.losses())
    found = taught_by(algorithm, own)
    expected = {module: set(AGENT.get(module, ())) | set(of_channel.get(module, ())) for module in found}
    for below in ("input_layer", "recurrent"):
        expected[below] |= ALSO_BELOW[name]
    assert found.keys() >= AGENT.keys() | of_channel.keys()
    for module, parameters in found.items():
        taught = set().union(*parameters.values())
        assert taught == expected[module], module
        assert all(reached <= expected[module] for reached in parameters.values()), module
