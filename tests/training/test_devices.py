"""Populations and devices: how many there are changes no bit, and a run goes on on another number of them."""

from __future__ import annotations

import json
import subprocess
import sys

import jax
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.training.population import Population
from marlcomm.training.recorder import Recorder


def digests(result: mc.TrainResult) -> list[str]:
    return [member["digest"] for member in result.summary["members"]]


@pytest.fixture
def two_devices(monkeypatch):
    devices = jax.devices()[:2]
    if len(devices) < 2:
        pytest.skip("needs two devices")
    monkeypatch.setattr(jax, "devices", lambda *_: devices)


@pytest.fixture
def train(sensor, two_devices):
    def run(seeds, out=None, **more):
        options = {"steps": 600, "evaluations": 3, "evaluation_episodes": 8, "progress": False, **more}
        return mc.train(sensor, seeds=seeds, out=out, checkpoint_seconds=0.0, **options)

    return run


def test_three_members_on_two_devices_are_those_of_four_and_nobody_sees_the_copy(train, tmp_path):
    three, four = train(3, tmp_path / "three"), train(4)
    assert digests(three) == digests(four)[:3]
    assert three.state.env_steps.shape == (3,)
    assert all(values.shape[1] == 3 for values in three.metrics.values())
    for name, values in three.metrics.items():
        np.testing.assert_array_equal(values, four.metrics[name][:, :3], err_msg=name)
    assert mc.load_run(tmp_path / "three").population == Population((0, 1, 2), ({},) * 3)
    assert len(mc.evaluate(three, episodes=8)["return"]) == 3


def test_a_member_is_the_same_alone_and_among_others(train):
    assert digests(train([1])) == digests(train(3))[1:2]


@pytest.mark.slow
def test_a_run_goes_on_on_one_device_to_the_bits_of_two(train, tmp_path, monkeypatch):
    straight = train(3)
    record = Recorder.record

    def interrupted(self, *arguments, **named):
        record(self, *arguments, **named)
        if self.chunk == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "record", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(3, tmp_path / "run")
    alone = jax.devices()[:1]
    monkeypatch.setattr(jax, "devices", lambda *_: alone)
    resumed = train(3, tmp_path / "run", resume=True)
    assert digests(resumed) == digests(straight)
    for name, values in straight.metrics.items():  # reported numbers are summed in another order
        np.testing.assert_allclose(resumed.metrics[name], values, rtol=1e-6, atol=1e-6, err_msg=name)


ON_FOUR_DEVICES = """
import json, sys
import jax
jax.config.update("jax_num_cpu_devices", 4)
import marlcomm as mc
from marlcomm.training.loop import train_population
from marlcomm.training.population import Population

name, task, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
algorithm, devices = mc.make_algorithm(name, mc.make_env(task), **settings), jax.devices()
for count in (4, 3, 1):
    jax.devices = lambda *_: devices[:count]
    population = Population(tuple(range(7)), ({},) * 7)
    found = train_population(
        algorithm, population, steps=300, evaluations=1, evaluation_episodes=4, progress=False
    )
    print(json.dumps([member["digest"] for member in found.summary["members"]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "task", "settings"),
    [
        ("ndq", "sensor", {"hidden": 8, "num_envs": 4, "batch_episodes": 4, "replay_episodes": 16}),
        ("mappo", "sensor", {}),
        ("maddpg", "speaker_listener", {"hidden": 8, "num_envs": 2}),
    ],
    ids=["value", "on_policy", "actor_critic"],
)
def test_members_are_the_same_to_the_bit_side_by_side_or_in_turn(name, task, settings):
    command = [sys.executable, "-c", ON_FOUR_DEVICES, name, task, json.dumps(settings)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    four, three, one = (json.loads(line) for line in said[-3:])
    assert three == four
    assert one == four
    assert len(set(four)) == 7
