"""A run whose learner is killed leaves no process behind, and goes on from its checkpoint as if nothing had been."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import hints
import psutil
import pytest

PROGRAM = "import sys; from marlcomm.cli import main; sys.exit(main(sys.argv[1:]))"
SIZES = ("hidden=4", "num_envs=2", "batch_episodes=4", "replay_episodes=16")
RUN = (
    *("train", "vdn", f"{Path(hints.__file__)}:Hints", "--workers", "2", "--steps", "300"),
    *(word for size in SIZES for word in ("--set", size)),
    *("--evaluations", "1", "--evaluation-episodes", "4", "--checkpoint-seconds", "0", "--out"),
)


def start(folder, *more):
    command = [sys.executable, "-c", PROGRAM, *RUN, str(folder), *more]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def digest(folder):
    return json.loads((folder / "summary.json").read_text())["members"][0]["digest"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    start(folder).communicate()
    return digest(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGKILL, -9, ""), (signal.SIGTERM, 130, "SIGTERM: stopping as soon as")]
)
def test_a_learner_that_is_killed_loses_what_it_played_since_its_checkpoint(whole, tmp_path, number, code, said):
    run = start(tmp_path / "run")
    while not list((tmp_path / "run").glob("checkpoints/[0-9]*")):
        time.sleep(0.05)
    others = psutil.Process(run.pid).children(recursive=True)
    assert len(others) >= 3  # two workers and their keeper
    run.send_signal(number)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == code
    assert said in errors
    _, left = psutil.wait_procs(others, timeout=10)
    assert not left
    assert not (tmp_path / "run" / "summary.json").exists()
    resumed = start(tmp_path / "run", "--resume")
    _, errors = resumed.communicate()
    assert resumed.returncode == 0, errors
    assert digest(tmp_path / "run") == whole
