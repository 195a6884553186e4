"""Parts of a training step are found for every learner, and add up as they are called. Speeds are not tested."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import parts

TINY = {"hidden": 4, "num_envs": 2, "batch_episodes": 2, "replay_episodes": 4, "batch_steps": 16, "replay_steps": 32,
        "update_interval": 1, "epochs": 2, "joint_hidden": 4}  # fmt: skip
EVERYWHERE = {
    parts.WHOLE,
    parts.PLAYING,
    parts.TAKING_IN,
    parts.FORWARD,
    parts.BOTH,
    parts.OPTIMIZER,
    parts.WHOLE_UPDATE,
}


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("vdn", {parts.DRAWING, parts.MIXER}),
        ("mappo", set()),
        ("maddpg", {parts.DRAWING}),
        pytest.param("rgmcomm", {parts.DRAWING, parts.LIGHT_UPDATE}, marks=pytest.mark.slow),
    ],
)
def test_every_learner_has_its_parts(name, own):
    found = parts.measure(name, "sensor", 2, 1, TINY)
    timed = {part for part in found["milliseconds"] if not part.startswith("loss ")}
    assert timed == EVERYWHERE | own
    assert all(len(taken) == 1 and taken[0] > 0 for taken in found["milliseconds"].values())
    assert found["calls"][parts.PLAYING] == 1
    assert found["calls"][parts.FORWARD] == {"vdn": 1, "mappo": 2, "maddpg": 2, "rgmcomm": 2}[name]
    assert found["cost"]["flops"] > 0
    assert found["instructions"]["fusion"]["places"] > 0
    lines = parts.report(found)
    assert sum(line.startswith("| training step |") and line.endswith("| 100% |") for line in lines) == 1


def test_what_backward_takes_is_the_rest():
    taken = {parts.WHOLE: [10.0], parts.FORWARD: [2.0], "loss 'td', forward": [0.5], parts.BOTH: [4.0]}
    found = {"algorithm": "x", "task": "y", "members": 1, "milliseconds": taken, "calls": dict.fromkeys(taken, 1),
             "cost": {"flops": 2e9, "bytes_accessed": 2.0**20}, "instructions": {}, "heaviest": []}  # fmt: skip
    rows = [line.split(" | ") for line in parts.report(found)]
    backward = next(row for row in rows if row[0].startswith("| backward"))
    assert np.isclose(float(backward[1].split()[0]), 1.5)
    assert backward[-1].startswith("15%")
