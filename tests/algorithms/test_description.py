"""What a run is made of is on record: whatever changes, the record changes with it."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys

import numpy as np
import optax
import pytest

import marlcomm as mc
from marlcomm.algorithms.description import describe
from marlcomm.training.record import RunFolder, RunFolderError

TABLE = np.arange(16.0).reshape(2, 4, 2).tolist()


def algorithm(env=None, **settings):
    return mc.make_algorithm("qmix", mc.make_env("sensor") if env is None else env, hidden=8, **settings)


def scaled(factor):
    def loss(unroll, episodes, hparams):
        return factor * unroll.chosen.mean(), {}

    return loss


OTHER_TABLE = np.asarray(TABLE) + np.eye(2)[:, None]
PAIRS = {
    "optimizer": (algorithm(optimizer=optax.adam(1e-3)), algorithm(optimizer=optax.adam(1e-4))),
    "kind of optimizer": (algorithm(optimizer="adam"), algorithm(optimizer="rmsprop")),
    "wrapper": (algorithm(mc.envs.FullObservation(mc.make_env("sensor"))), algorithm()),
    "wrapper's option": [algorithm(mc.envs.TimeLimit(mc.make_env("hallway"), steps)) for steps in (5, 6)],
    "wrapped task": [algorithm(mc.envs.TimeLimit(mc.make_env("hallway", lengths=n), 5)) for n in ((4, 4), (4, 5))],
    "table": (algorithm(mc.envs.MatrixGame(TABLE)), algorithm(mc.envs.MatrixGame(OTHER_TABLE.tolist()))),
    "loss": [algorithm().with_loss("mine", scaled(factor), 1.0) for factor in (1.0, 2.0)],
    "edit": (algorithm(training_edit=mc.parse_edit("drop:0.5")), algorithm(training_edit=mc.parse_edit("drop:0.6"))),
    "edit or none": (algorithm(), algorithm(training_edit=mc.parse_edit("drop:0.6"))),
}


@pytest.mark.parametrize("what", PAIRS)
def test_another_part_is_another_run(what, tmp_path):
    before, now = PAIRS[what]
    folder = RunFolder(tmp_path / "run")
    folder.create(before.describe())
    assert folder.check_same(before.describe()) == []
    with pytest.raises(RunFolderError, match="resolved"):
        folder.check_same(now.describe())


def test_who_plays_a_task_is_not_on_record():
    class Driver:
        episodes_played = 0

    task = mc.envs.MatrixGame(TABLE)
    before = describe(task)
    task.driver = Driver()
    task.driver.episodes_played = 3
    assert describe(task) == before


def test_other_code_is_a_warning(tmp_path):
    def first(unroll, episodes, hparams):
        return unroll.chosen.mean(), {}

    def second(unroll, episodes, hparams):
        return unroll.chosen.sum(), {}

    second.__qualname__ = first.__qualname__
    folder = RunFolder(tmp_path / "run")
    folder.create(algorithm().with_loss("mine", first, 1.0).describe())
    (warning,) = folder.check_same(algorithm().with_loss("mine", second, 1.0).describe())
    assert "first" in warning


SAME = """
import json, optax, numpy as np
from marlcomm.algorithms.description import describe

class Part:
    def __init__(self):
        self.table, self.names, self.itself = np.arange(5.0), {"b", "a"}, self
    def method(self, x):
        return x in {"p", "q", "r"}

found = json.dumps(describe({"part": Part(), "optimizer": optax.adam(1e-3), "f": lambda x: x + 1}))
print(found)
"""


def test_a_description_is_the_same_in_every_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SAME)
    here = runpy.run_path(str(script))["found"]
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    there = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment)
    assert there.stdout.strip() == here, there.stderr
    description, code = json.loads(here)
    assert description["part"]["names"] == ["a", "b"]
    assert list(code) == ["<lambda>", "Part.__init__", "Part.method"]


def test_what_json_holds_stays_as_it_is():
    thing = {"a": [1, 2.5, None, True, "word"], "b": {"c": np.float32(0.5), "d": np.int64(3)}}
    assert describe(thing)[0] == {"a": [1, 2.5, None, True, "word"], "b": {"c": 0.5, "d": 3}}
