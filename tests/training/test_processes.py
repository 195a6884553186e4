"""Processes that train one population together: the numbers of one, one folder, and one end for all."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from jax.experimental import multihost_utils

import marlcomm as mc
from marlcomm.devices import join_processes
from marlcomm.training import processes
from marlcomm.training.processes import ProcessError
from marlcomm.validation import UsageError

SETTINGS = {"hidden": 4, "num_envs": 2, "batch_episodes": 2, "replay_episodes": 8}
WORDS = ["--set", *(f"{name}={value}" for name, value in SETTINGS.items())]
RUN = {"steps": 3000, "seeds": 3, "evaluations": 30, "evaluation_episodes": 4}


def test_one_process_is_the_first_and_agrees_with_itself():
    assert processes.is_first()
    assert processes.agree(True, False).tolist() == [[True, False]]
    assert processes.together(lambda: 3) == 3
    assert processes.value_of_first("here") == "here"


@pytest.fixture
def second_of_two(monkeypatch):
    """This process as the second of two, of which the first says what it is made to say."""
    said = []
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    monkeypatch.setattr(multihost_utils, "process_allgather", lambda own: np.stack([said.pop(0), own]))
    monkeypatch.setattr(multihost_utils, "broadcast_one_to_all", lambda own: said.pop(0))
    return said


def test_what_fails_on_one_process_fails_on_all(second_of_two):
    second_of_two.append([True])
    with pytest.raises(ProcessError, match="process 0"):
        processes.together(lambda: 3)
    second_of_two.append([False])
    with pytest.raises(OSError, match="full"):
        processes.together(lambda: (_ for _ in ()).throw(OSError("full")))
    second_of_two.append([False])
    assert processes.together(lambda: 3) == 3
    assert not second_of_two


def test_arrays_and_values_of_the_first_come_over_to_the_bit(second_of_two):
    first = {"a": np.float32([[-0.0, np.nan]]), "b": np.array(True), "c": np.zeros((0, 2), np.int32)}
    second_of_two.extend(np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in first.values())
    got = processes.of_first(jax.tree.map(np.zeros_like, first))
    for name, array in first.items():
        assert got[name].tobytes() == array.tobytes()
        assert (got[name].shape, got[name].dtype) == (array.shape, array.dtype)
    text = json.dumps({"chunk": 3}).encode()
    second_of_two.extend([np.array([len(text)]).view(np.uint8), np.frombuffer(text, np.uint8)])
    assert processes.value_of_first(None) == {"chunk": 3}


def test_who_waits_for_others_says_so(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *how: asked.append(how))
    join_processes("node1:7654,4,2")
    assert asked == [("node1:7654", 4, 2)]
    assert "node1:7654,4,2" in capsys.readouterr().err
    join_processes("auto", quiet=True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "how", ["", "atuo", "localhost:1", "localhost:1,2", "localhost:1,2,2", "localhost:1,2,²", "localhost,2,0"]
)
def test_how_to_find_the_others_is_checked(how):
    with pytest.raises(UsageError, match="auto, or HOST:PORT,PROCESSES,INDEX"):
        join_processes(how)


@pytest.mark.slow
def test_two_processes_find_the_numbers_of_one_stop_together_and_go_on(tmp_path):
    algorithm = mc.make_algorithm("vdn", mc.make_env("sensor"), **SETTINGS)
    alone = mc.train(algorithm, **RUN, progress=False)
    run = tmp_path / "run"
    both = begin(run, "--checkpoint-seconds", "0")
    while not list(run.glob("checkpoints/[0-9]*")) and both[0].poll() is None:
        time.sleep(0.1)
    both[1].send_signal(signal.SIGTERM)
    said = [process.communicate(timeout=240)[1] for process in both]
    assert [process.returncode for process in both] == [130, 130], said
    assert "interrupted after" in said[0]
    assert "interrupted after" not in said[1]
    again = begin(run, "--resume")
    said = [process.communicate(timeout=240)[1] for process in again]
    assert [process.returncode for process in again] == [0, 0], said
    assert "resumed after" in said[0]
    members = json.loads((run / "summary.json").read_text())["members"]
    assert [member["digest"] for member in members] == [member["digest"] for member in alone.summary["members"]]
    for name, values in mc.analysis.read_metrics(run).items():
        np.testing.assert_allclose(values, alone.metrics[name], rtol=1e-6, err_msg=name)
    refused = begin(run)
    said = [process.communicate(timeout=240)[1] for process in refused]
    assert [process.returncode for process in refused] == [2, 2], said
    assert "exists already" in said[0]


def begin(run, *words):
    """Two processes of one device each, which train together."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    options = [word for name, value in RUN.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    program = [sys.executable, "-c", "from marlcomm.cli import console_script; console_script()"]
    command = [*program, "train", "vdn", "sensor", "--out", str(run), *options, *WORDS, *words]
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "1"}
    return [
        subprocess.Popen(
            [*command, "--distributed", f"localhost:{port},2,{index}"],
            env=environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
