"""A checkpoint is whole, or it does not count."""

from __future__ import annotations

import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.training.checkpoint import CheckpointError, Checkpoints, digest

STATE = {"a": jnp.arange(6.0).reshape(2, 3), "b": (jnp.array([True, False]), jnp.int32(7))}


def later(state):
    return {"a": state["a"] + 1, "b": state["b"]}


def damage(folder) -> None:
    """Flips the bytes of every large file of arrays."""
    for path in folder.rglob("*"):
        if path.is_file() and "/state/" in str(path) and "/d/" in str(path):
            path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))


def test_what_is_saved_comes_back_bit_by_bit(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(3, STATE, {"elapsed": 1.5})
    number, state, facts = Checkpoints(tmp_path / "c").restore(STATE)
    assert (number, facts["elapsed"]) == (3, 1.5)
    assert digest(state) == digest(STATE)
    assert state["b"][0].dtype == np.bool_


def test_a_damaged_checkpoint_is_passed_over_for_an_older_one(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(1, STATE, {})
    checkpoints.save(2, later(STATE), {})
    damage(tmp_path / "c" / "2")
    number, state, facts = Checkpoints(tmp_path / "c").restore(STATE)
    assert number == 1
    assert digest(state) == digest(STATE)
    assert "checkpoint 2" in facts["skipped"][0]


def test_only_damaged_checkpoints_is_an_error_that_says_so(tmp_path):
    Checkpoints(tmp_path / "c").save(1, STATE, {})
    damage(tmp_path / "c" / "1")
    with pytest.raises(CheckpointError, match="checkpoint 1"):
        Checkpoints(tmp_path / "c").restore(STATE)


def test_a_half_written_checkpoint_is_never_seen(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(1, STATE, {})
    shutil.copytree(tmp_path / "c" / "1", tmp_path / "c" / "2.orbax-checkpoint-tmp-0")
    number, _, _ = Checkpoints(tmp_path / "c").restore(STATE)
    assert number == 1


def test_no_checkpoint_and_other_shapes_are_errors(tmp_path):
    with pytest.raises(CheckpointError, match="no whole checkpoint"):
        Checkpoints(tmp_path / "c").restore(STATE)
    Checkpoints(tmp_path / "c").save(1, STATE, {})
    with pytest.raises(CheckpointError):
        Checkpoints(tmp_path / "c").restore({**STATE, "a": jnp.zeros((9, 9))})


def test_the_newest_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c", keep=2)
    for number in range(4):
        checkpoints.save(number, STATE, {})
    kept = sorted(path.name for path in (tmp_path / "c").iterdir() if path.name.isdigit())
    assert kept == ["2", "3"]


def test_digest_sees_every_bit_and_every_name():
    assert digest(STATE) != digest(later(STATE))
    assert digest({"a": jnp.zeros(2)}) != digest({"b": jnp.zeros(2)})
    assert digest(jnp.float32(0.0)) != digest(jnp.float32(-0.0))
