"""One process at a time writes to a run folder."""

from __future__ import annotations

import subprocess
import sys

import pytest

from marlcomm.training import run_lock
from marlcomm.training.record import RunFolder, RunFolderError, free_folder

HOLD = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("run_lock", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
lock = module.RunLock(pathlib.Path(sys.argv[2]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_another_process_is_refused_by_number_until_it_is_gone_even_by_kill(tmp_path):
    command = [sys.executable, "-c", HOLD, run_lock.__file__, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunFolderError, match=rf"process {other.pid}\b"):
            RunFolder(tmp_path).open(resume=True)
        other.kill()
    folder = RunFolder(tmp_path)
    assert not folder.open(resume=True)
    with pytest.raises(RunFolderError, match="in use"):  # also within one process
        RunFolder(tmp_path).open(resume=True)
    folder.close()
    RunFolder(tmp_path).open(resume=True)


def test_each_job_claims_a_folder_of_its_own_and_gives_back_an_empty_one(tmp_path):
    with free_folder(tmp_path, "a") as first:
        with free_folder(tmp_path, "a") as second:
            assert (first.name, second.name) == ("a-1", "a-2")
            (second / "something").touch()
        with free_folder(tmp_path, "a") as third:
            assert third.name == "a-3"
    assert [path.name for path in tmp_path.iterdir()] == ["a-2"]


def test_a_parent_that_is_a_link_to_nowhere_or_a_file_is_said(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(RunFolderError, match=name), free_folder(tmp_path / name, "a"):
            pass
    with free_folder(tmp_path / "new" / "runs", "a") as path:
        assert path.is_dir()


def test_the_lock_goes_even_where_the_name_of_its_holder_cannot_be_taken_away(tmp_path):
    folder = RunFolder(tmp_path)
    folder.open(resume=True)
    (tmp_path / run_lock.PROCESS).unlink()
    (tmp_path / run_lock.PROCESS).mkdir()
    folder.close()
    (tmp_path / run_lock.PROCESS).rmdir()
    again = RunFolder(tmp_path)
    again.open(resume=True)
    assert (tmp_path / run_lock.PROCESS).is_file(), "the lock was free, and says whose it is now"
    again.close()
