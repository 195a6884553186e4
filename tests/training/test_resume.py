"""A run that is killed at random moments and resumed ends in the same bits as one that was left alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "marlcomm", "train", "ndq", "hallway", "--seeds", "2", "--steps", "12000"]
SMALL = ["--set", "hidden=16", "num_envs=8", "batch_episodes=8", "replay_episodes=256", "--evaluation-episodes", "16"]
MOMENTS = ["--checkpoint-seconds", "0", "--evaluations", "3", "--quiet"]


def start(out: Path, cache: Path) -> subprocess.Popen:
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache)}
    command = [*COMMAND, *SMALL, *MOMENTS, "--out", str(out), "--resume"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def outcome(out: Path) -> list[dict]:
    members = json.loads((out / "summary.json").read_text())["members"]
    rows = [(out / f"member_{m}" / "metrics.jsonl").read_text() for m in range(len(members))]
    return [*members, *rows]


@pytest.mark.slow
def test_kills_at_random_moments_change_no_bit(tmp_path: Path):
    cache = tmp_path / "cache"
    straight = start(tmp_path / "straight", cache)
    said, _ = straight.communicate(timeout=300)
    assert straight.returncode == 0, said

    chance, kills = random.Random(3), 0
    while True:
        run = start(tmp_path / "killed", cache)
        try:
            said, _ = run.communicate(timeout=chance.uniform(4.0, 16.0) if kills < 4 else 300)
            break
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
            kills += 1
    assert run.returncode == 0, said
    assert kills >= 1
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "straight")
