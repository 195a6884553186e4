"""A run that is killed at any operation on a file goes on to the same bits and the same metrics."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The library that counts a process's operations on files, and ends it at one of them."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler")
    made = tmp_path_factory.mktemp("library") / "kill_at.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-w", "-o", str(made), str(HERE / "kill_at.c"), "-ldl"]
    if subprocess.run(command).returncode != 0:
        pytest.skip("this C compiler cannot make it")
    return made


def killed(library: Path, place: Path, every: int) -> dict:
    command = [sys.executable, str(HERE / "killed_runs.py"), str(place), str(every)]
    environment = os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


@pytest.mark.parametrize("every", [101, pytest.param(1, marks=pytest.mark.slow)])
def test_a_kill_at_any_operation_on_a_file_changes_no_bit(library, tmp_path, every):
    found = killed(library, tmp_path, every)
    assert found["operations"] > 100
    assert found["kills"] >= found["operations"] // every - 10  # how often buffers are written varies a little
    assert found["wrong"] == []
