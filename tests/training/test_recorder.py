"""What a run leaves behind where the disk fails: nothing that was saved is lost, and the message says how to go on."""

from __future__ import annotations

import errno
import os
import shlex
import shutil

import jax
import numpy as np
import pytest

from marlcomm.training.checkpoint import Checkpoints, digest
from marlcomm.training.population import make_population
from marlcomm.training.progress import ProgressReport
from marlcomm.training.record import RunFolder
from marlcomm.training.recorder import Recorder


def full_disk(*arguments):
    """In place of what writes."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def states(sensor):
    """Two states that no training gave, of two members."""
    template = make_population(sensor, 2).template(sensor)
    return [jax.tree.map(lambda x, value=value: np.full(x.shape, value, x.dtype), template) for value in (0, 1)]


def recorder_of(sensor, out):
    population = make_population(sensor, 2)
    return Recorder(sensor, population, {"steps": 100}, out, 0.0, ProgressReport(100, 2, shown=False))


@pytest.mark.parametrize("broken", [(RunFolder, "append_metrics"), (Checkpoints, "save")])
def test_a_full_disk_loses_nothing_that_was_saved(sensor, states, tmp_path, monkeypatch, broken):
    rows = {"loss": np.array([0.5, 0.25])}
    with recorder_of(sensor, tmp_path / "run") as recorder:
        recorder.open(states[0], resume=False, tensorboard=False)
        recorder.record(states[0], rows, save=True)
        with monkeypatch.context() as patch:
            patch.setattr(*broken, full_disk)
            with pytest.raises(OSError, match=r"No space left on device.*--resume --out .*run"):
                recorder.record(states[1], rows, save=True)
    with recorder_of(sensor, tmp_path / "run") as again:
        saved = again.open(states[0], resume=True, tensorboard=False)
        assert digest(saved) == digest(states[0])
        np.testing.assert_array_equal(again.metrics()["loss"], [rows["loss"]])
        again.record(states[1], rows, save=True)
        np.testing.assert_array_equal(again.metrics()["chunk"], [[1, 1], [2, 2]])


def test_where_the_folder_or_the_right_to_write_is_gone_nobody_is_told_to_make_room(
    sensor, states, tmp_path, monkeypatch
):
    rows = {"loss": np.array([0.5, 0.25])}
    with recorder_of(sensor, tmp_path / "run") as recorder:
        recorder.open(states[0], resume=False, tensorboard=False)

        def forbidden(*arguments):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, "append_metrics", forbidden)
            with pytest.raises(OSError, match=r"Permission denied(?!.*make room).*--resume"):
                recorder.record(states[0], rows, save=True)
        shutil.rmtree(tmp_path / "run")
        with pytest.raises(OSError, match=r"(?!.*make room).*deleted"):
            recorder.record(states[1], rows, save=True)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_hold_a_checkpoint_is_said_before_anything_is_trained(
    sensor, states, tmp_path, monkeypatch
):
    monkeypatch.setattr(Checkpoints, "prove", full_disk)
    with recorder_of(sensor, tmp_path / "run") as recorder, pytest.raises(OSError, match="make room"):
        recorder.open(states[0], resume=False, tensorboard=False)


def test_how_to_resume_can_be_copied_into_a_shell(sensor, tmp_path):
    path = tmp_path / "my runs & more"
    assert shlex.split(recorder_of(sensor, path).how_to_resume())[-2:] == ["--out", str(path)]
