"""Damage drawn at random over all files of a run: nothing is lost without a word, and only sentences come out."""

from __future__ import annotations

import random
import shutil
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest

from marlcomm.training import CheckpointError, RunFolderError, load_run
from marlcomm.training.checkpoint import digest
from marlcomm.training.metrics_file import stack_metrics
from marlcomm.training.population import make_population
from marlcomm.training.record import RunFolder
from marlcomm.training.recorder import Recorder

CHUNKS = 4
WORDS = (RunFolderError, CheckpointError, ValueError, OSError)


class Listener:
    """In place of a progress report: keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str, style: str = "") -> None:
        self.said.append(text)


def recorder_of(sensor, out, listener):
    return Recorder(sensor, make_population(sensor, 2), {"steps": 100}, out, 0.0, listener)


def state_after(template, chunk):
    """A state that no training gave."""
    return jax.tree.map(lambda x: np.full(x.shape, chunk % 2 if x.dtype == bool else chunk, x.dtype), template)


@pytest.fixture(scope="module")
def template(sensor):
    return make_population(sensor, 2).template(sensor)


@pytest.fixture(scope="module")
def whole(sensor, template, tmp_path_factory):
    """A run of two members and four chunks, the last two of which are saved."""
    out = tmp_path_factory.mktemp("whole") / "run"
    with recorder_of(sensor, out, Listener()) as recorder:
        recorder.open(template, resume=False, tensorboard=False)
        for chunk in range(1, CHUNKS + 1):
            loss = np.array([0.5, 0.25]) + chunk
            recorder.record(state_after(template, chunk), {"loss": loss, "test_return": loss}, save=True)
        recorder.finish(state_after(template, CHUNKS), {"return": np.ones(2)})
    return out


def damage(chance: random.Random, run: Path) -> str:
    """Spoils one file; gives what was done."""
    path = chance.choice(sorted(p for p in run.rglob("*") if p.is_file() and p.stat().st_size))
    content = bytearray(path.read_bytes())
    how = chance.choice(
        ["flip a bit", "cut", "lose", "empty", "fill with zeros", "write over", "lose a line", "double"]
    )
    place = chance.randrange(len(content))
    if how == "flip a bit":
        content[place] ^= 1 << chance.randrange(8)
    elif how == "cut":
        del content[place:]
    elif how == "empty":
        content.clear()
    elif how == "fill with zeros":
        content[place:] = bytes(len(content) - place)
    elif how == "write over":
        content[place : place + 8] = chance.randbytes(8)
    elif how == "lose a line":
        lines = content.splitlines(keepends=True)
        del lines[chance.randrange(len(lines))]
        content = bytearray(b"".join(lines))
    elif how == "double":
        content = content * 2
    path.write_bytes(content)
    if how == "lose":
        path.unlink()
    return f"{how} at {place} of {path.relative_to(run)}"


def table_of(run):
    return {name: values.tolist() for name, values in stack_metrics(RunFolder(run).read_metrics(2)).items()}


def read(run):
    """What a reader finds: parameters and seeds, or a sentence."""
    try:
        saved = load_run(run)
        return digest(saved.params), saved.population.seeds, table_of(run)
    except WORDS as error:
        return error


def go_on(sensor, template, run, listener):
    """What the run that goes on finds: state, chunk and losses, or a sentence; it is saved once more."""
    try:
        with recorder_of(sensor, run, listener) as recorder:
            state = recorder.open(template, resume=True, tensorboard=False)
            found = digest(state), recorder.chunk, recorder.metrics()["loss"]
            recorder.record(state_after(template, recorder.chunk + 1), {"loss": np.zeros(2)}, save=True)
        return found
    except (RunFolderError, CheckpointError) as error:
        return error


DRAWS = [pytest.param(draw, marks=[] if draw < 10 else pytest.mark.slow) for draw in range(110)]


@pytest.mark.parametrize("draw", DRAWS)
def test_nothing_is_lost_without_a_word(sensor, template, whole, tmp_path, draw):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    done = damage(random.Random(draw), run)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = read(run)
    if isinstance(found, Exception):
        assert str(found), done
    else:
        params, seeds, table = found
        newest, older = [digest(state_after(template, chunk).params) for chunk in (CHUNKS, CHUNKS - 1)]
        assert params == newest or (params == older and warned), done
        # a changed number in a line that can be read is found when the run goes on
        assert warned or seeds == (0, 1) or "metrics" in done, done
        assert warned or "flip" in done or "write over" in done or table == table_of(whole), done

    listener = Listener()
    resumed = go_on(sensor, template, run, listener)
    if isinstance(resumed, Exception):
        assert "config.json" in str(resumed), done
        return
    state, chunk, loss = resumed
    said = " ".join(listener.said)
    assert state == digest(state_after(template, chunk)), done
    assert chunk == CHUNKS or "older one is used" in said, done
    expected = np.arange(1, chunk + 1)[:, None] + np.array([0.5, 0.25])
    assert np.array_equal(loss, expected) or "metrics.jsonl" in said, done
