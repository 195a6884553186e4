"""Workers start in any interpreter, say why they cannot, and end with the learner."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from pools import play, recipe_of

from marlcomm.bridge.launch import describe
from marlcomm.validation import UsageError

LEARNER = """
import sys, time
sys.path.insert(0, {here!r})
from pools import all_idle, recipe_of
from marlcomm.bridge.launch import describe
from marlcomm.bridge.pool import WorkerPool
if __name__ == "__main__":
    recipe = recipe_of("Parent")
    pool = WorkerPool(recipe, describe(recipe, 60.0), 2)
    slots = all_idle(pool)
    pool.begin(slots, slots)
    while len(pool.wait(0.1)) == 0:
        pass
    print(*pool.processes(), pool._workplace.folder, flush=True)
    time.sleep(600)
"""


def test_sizes_are_those_of_the_simulator(spec):
    assert (spec.num_agents, spec.num_actions, spec.observation_size, spec.state_size, spec.horizon) == (2, 3, 4, 8, 4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hints:Nowhere", "has no attribute 'Nowhere'"),
        ("nowhere_at_all:make", "No module named 'nowhere_at_all'"),
        ("hints:Endless", "has no horizon"),
        ("hints:nothing", "NoneType has no num_agents.*must have"),
    ],
)
def test_who_cannot_start_says_why(name, message):
    with pytest.raises(UsageError, match=message):
        describe(replace(recipe_of(""), name=name), 60.0)


def test_who_never_starts_is_not_waited_for():
    with pytest.raises(UsageError, match=r"'hints:Asleep' did not start within start_seconds=0\.5"):
        describe(recipe_of("Asleep"), 0.5)


def test_an_interpreter_that_is_none_is_named():
    with pytest.raises(UsageError, match="python='/no/such/python'"):
        describe(replace(recipe_of("Hints"), python="/no/such/python"), 60.0)


def test_another_interpreter_needs_numpy_alone(make_pool, spec, tmp_path):
    """One that finds nothing of what is installed here but numpy, and this package nowhere."""
    packages = Path(numpy.__file__).parents[1]
    for name in ("numpy", "numpy.libs"):
        if (packages / name).exists():
            (tmp_path / name).symlink_to(packages / name)
    python = tmp_path / "python"
    here = Path(__file__).parent
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}:{here} exec {sys.executable} -S "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    recipe = replace(recipe_of("Hints"), python=str(python))
    assert describe(recipe, 60.0) == spec
    pool = make_pool(recipe, 1)
    play(pool, 2)
    assert pool.account.delivered == 2


def alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_nothing_outlives_the_learner(number):
    script = LEARNER.format(here=str(Path(__file__).parent))
    learner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert learner.stdout is not None
    *workers, folder = learner.stdout.readline().split()
    children = [Path(f"/proc/{each}/task/{each}/children").read_text().split() for each in workers]
    everybody = [*workers, *(child for each in children for child in each)]
    assert len(everybody) >= 3  # what simulators started, too
    os.kill(learner.pid, number)
    learner.wait(10)
    until = time.monotonic() + 10
    while time.monotonic() < until and (any(map(alive, everybody)) or Path(folder).exists()):
        time.sleep(0.05)
    assert not [each for each in everybody if alive(each)]
    assert not Path(folder).exists()
