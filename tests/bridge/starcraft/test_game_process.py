"""A game starts on a port of its own, and leaves nothing behind, however it or its worker ends."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from marlcomm.bridge.simulator import SimulatorFault
from marlcomm.bridge.starcraft.installation import Installation
from marlcomm.bridge.starcraft.process import GameProcess, reserve_port
from marlcomm.bridge.starcraft.simulator import StarCraft
from marlcomm.bridge.starcraft.stand_in.installing import install


@pytest.fixture
def game(tmp_path, monkeypatch):
    """game(script): an installation whose binary is that shell script; what it writes goes under tmp_path."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def make(script):
        folder = install(tmp_path / "game")
        there = Installation(folder)
        there.version().binary.write_text(f"#!/bin/sh\n{script}\n")
        return there

    return make


def left_behind(folder):
    return [path for path in Path(folder).iterdir() if path.name.startswith("sc2-")]


def test_a_game_that_ends_at_once_is_quoted(game, tmp_path):
    there = game("echo loading; echo no license >&2; exit 7")
    with pytest.raises(SimulatorFault, match="code 7: no license") as caught:
        GameProcess(there, there.version(), 30.0)
    assert caught.value.cause == "launch"
    assert left_behind(tmp_path) == []


def test_a_game_that_cannot_be_started_leaves_no_folder(game, tmp_path):
    there = game("")
    there.version().binary.write_bytes(b"\x00 no program")
    with pytest.raises(SimulatorFault, match="does not start"):
        GameProcess(there, there.version(), 30.0)
    assert left_behind(tmp_path) == []


def test_games_that_start_at_the_same_time_have_ports_of_their_own():
    taken = [reserve_port() for _ in range(400)]  # of 28,000: without reservations two would be the same
    assert len({port for port, _ in taken}) == len(taken)
    for port, reserved in taken:
        with socket.socket() as one:
            one.bind(("127.0.0.1", port))
        reserved.close()


def test_a_game_that_never_answers_is_ended(game, tmp_path):
    there = game(f"echo $$ > {tmp_path}/pid; exec sleep 100")
    with pytest.raises(SimulatorFault, match=r"0\.5 seconds"):
        GameProcess(there, there.version(), 0.5)
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
    assert left_behind(tmp_path) == []


WORKER = """
import sys
from marlcomm.bridge.starcraft.installation import Installation
from marlcomm.bridge.starcraft.process import GameProcess
there = Installation(sys.argv[1])
GameProcess(there, there.version(), 60.0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's death signal")
def test_a_game_dies_with_a_worker_that_is_killed(game, tmp_path):
    there = game(f"echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec sleep 100")
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(there.folder)])
    while not (tmp_path / "pid").exists() and worker.poll() is None:
        time.sleep(0.02)
    pid = int((tmp_path / "pid").read_text())
    assert psutil.pid_exists(pid)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    until = time.monotonic() + 10
    with contextlib.suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < until
            time.sleep(0.02)


@pytest.mark.slow
def test_the_stand_in_is_launched_faulted_and_launched_again(tmp_path):
    faults = tmp_path / "faults"
    faults.write_text("crash@step:4\n")
    folder = install(tmp_path / "game", faults)

    def play():
        game = StarCraft("3m", sc2_path=str(folder), launch_seconds=120)
        try:
            observed = game.reset(3)
            assert game.version == "stand-in, not StarCraft II"
            for _ in range(8):
                observed = game.step(np.where(observed.alive, 1, 0).astype(np.int32)).observed
        finally:
            game.close()

    with pytest.raises(SimulatorFault, match="step") as caught:
        play()
    assert caught.value.cause == "disconnected"
    play()
    assert faults.read_text() == ""


@pytest.mark.slow
@pytest.mark.skipif("SC2PATH" not in os.environ, reason="needs StarCraft II itself, and SC2PATH to say where it is")
@pytest.mark.parametrize("name", ["3m", "MMM"])
def test_the_real_game_plays_an_episode(name):
    game = StarCraft(name)
    rng, observed, total = np.random.default_rng(0), game.reset(0), 0.0
    for episode in range(2):
        while True:
            mask = np.asarray(observed.action_mask)
            outcome = game.step((rng.random(mask.shape) * mask).argmax(1).astype(np.int32))
            observed, total = outcome.observed, total + outcome.reward
            assert np.isfinite(observed.agents_view).all()
            assert np.isfinite(observed.global_state).all()
            assert np.asarray(observed.action_mask).any(1).all()
            if outcome.terminated or outcome.truncated:
                break
        observed = game.reset(episode)
        assert observed.alive.all()
    assert 0 < total < 2 * 20.5
    game.close()
