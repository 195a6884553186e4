"""The comparison with JaxMARL, with scripts that stand in for its own. Speeds are not tested."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import against_jaxmarl, jaxmarl_baselines
from benchmarks.cases import CASES, tiny
from benchmarks.turns import Worker, WorkerError

HERE = Path(__file__).parent
SCRIPT = """
import hydra, wandb
import jax, jax.numpy as jnp
from typing import NamedTuple
from omegaconf import OmegaConf

class State(NamedTuple):
    step: jax.Array

def env_from_config(config):
    return "an environment", config["ENV_NAME"]

def make_train(config, env):
    assert env == "an environment" and config["LR"] == 0.002
    updates = config["TOTAL_TIMESTEPS"] // config["NUM_STEPS"] // config["NUM_ENVS"]

    def train(key):
        def update(state, number):
            return State(state.step + (number >= config["FILLED"])), None
        state, _ = jax.lax.scan(update, State(jnp.int32(0)), jnp.arange(updates))
        return {"runner_state": (state, key)}
    return train

@hydra.main(version_base=None)
def main(config):
    wandb.init(config)
    OmegaConf.save(config)
"""


@pytest.fixture
def baselines(tmp_path):
    for script, config in jaxmarl_baselines.CONFIGS.items():
        for name, text in ((script, SCRIPT), (config, 'ENV_NAME: "spread"\nNUM_ENVS: 4\nLR: 2e-3\n')):
            path = tmp_path / "baselines" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return tmp_path


@pytest.fixture
def no_logging(monkeypatch):
    for name in jaxmarl_baselines.LOGGING:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in jaxmarl_baselines.LOGGING:
        sys.modules.pop(name, None)


def test_a_script_is_run_for_what_two_lengths_differ_in(baselines, no_logging, monkeypatch):
    monkeypatch.setattr(jnp.linalg, "qr", jnp.linalg.qr)  # is put back
    filled = 2
    case = argparse.Namespace(
        script=jaxmarl_baselines.QMIX, theirs={"NUM_STEPS": 3, "FILLED": filled}, until_learning=filled + 1
    )
    baseline = jaxmarl_baselines.Baseline(case, 2, str(baselines), chunk=5)
    baseline.compile()
    baseline.warm_up()
    assert baseline.first_update() == 2  # one of each member
    baseline.time_one_chunk()
    found = baseline.measured()
    assert (found.library, found.members, len(found.compile_seconds)) == ("JaxMARL", 2, 1)
    steps, updates = found.env_steps_per_second[0], found.updates_per_second[0]
    assert steps / updates == pytest.approx(3 * 4)  # of a collection, to each update


def test_the_folder_is_found_or_said_to_be_wrong(baselines, tmp_path):
    assert jaxmarl_baselines.baselines_folder(baselines) == baselines / "baselines"
    assert jaxmarl_baselines.baselines_folder(baselines / "baselines") == baselines / "baselines"
    with pytest.raises(FileNotFoundError, match=r"QLearning/qmix_rnn.py: give the folder `baselines`"):
        jaxmarl_baselines.baselines_folder(tmp_path / "nothing")


def test_orthogonal_matrices_are_those_of_qr_but_for_signs():
    matrix = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    q, r = jaxmarl_baselines.gram_schmidt(jnp.asarray(matrix))
    right, _ = np.linalg.qr(matrix)
    np.testing.assert_allclose(np.abs(q), np.abs(right), atol=1e-5)
    np.testing.assert_allclose(q @ r, matrix, atol=1e-5)


class Held:
    """What a worker makes and keeps."""

    def __init__(self, start):
        self.number = start


def make(_, start):
    return Held(start)


def add(held, more):
    held.number += more
    return held.number, os.getpid(), os.environ["OF_A_WORKER"]


def fail(held):
    raise KeyError(f"no {held.number}")


def wait(held, seconds):
    time.sleep(seconds)


def test_a_worker_keeps_what_it_made_and_says_what_went_wrong():
    worker = Worker({"OF_A_WORKER": "yes"}, [str(HERE)])
    worker.call(make, 3, limit=60)
    assert worker.call(add, 4) == (7, worker._process.pid, "yes")
    assert worker.call(add, 1)[0] == 8
    with pytest.raises(WorkerError, match=r"fail: KeyError: 'no 8'"):
        worker.call(fail)
    with pytest.raises(WorkerError, match="its process ended"):
        worker.call(add, 1)
    late = Worker({}, [str(HERE)])
    late.call(make, 0, limit=60)
    with pytest.raises(WorkerError, match=r"wait gave nothing within 0 s"):
        late.call(wait, 60, limit=0.2)


def test_tables_hold_ours_to_the_others_turn_by_turn():
    def row(library, members, steps, updates):
        return {"library": library, "members": members, "compile_seconds": [2.0], "env_steps_per_second": steps,
                "updates_per_second": updates}  # fmt: skip

    lines = against_jaxmarl.speed_table(
        [
            row("marlcomm", 1, [100.0, 200.0], [10.0, 20.0]),
            row("JaxMARL", 1, [50.0, 50.0], [5.0, 40.0]),
            row("marlcomm", 8, [400.0, 400.0], [1.0, 1.0]),
            {"library": "JaxMARL", "members": 8, "failed": "it waits for ever"},
        ]
    )
    assert "| 3.00 (2.00 .. 4.00) | 1.25 (0.50 .. 2.00) |" in lines[3]
    assert lines[4].endswith("| 2.0 | 3.00 |")  # eight members take three times as long as one: 8 x 150 / 400
    assert "it waits for ever" in lines[5]


@pytest.mark.parametrize("name", CASES)
def test_tiny_cases_are_made_of_settings_that_there_are(name):
    import marlcomm as mc

    for case in (CASES[name], tiny(CASES[name])):
        algorithm = mc.make_algorithm(case.algorithm, mc.make_env("navigation", **case.task_options), **case.ours)
        assert algorithm.env.num_agents == 3
        assert algorithm.env.observation_size == 14, "all that the peers' view has, but for silence"


@pytest.mark.slow
def test_the_whole_script_for_an_accelerator_runs_in_tiny_sizes(tmp_path):
    root = HERE.parent.parent
    found = subprocess.run(
        [root / "benchmarks" / "gpu.sh", "--tiny"], env=os.environ | {"OUT": str(tmp_path)}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    assert {path.stem for path in tmp_path.glob("*.json")} == {"environments", "qmix", "ndq", "parts"}
