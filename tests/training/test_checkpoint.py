"""A checkpoint is whole, or it does not count."""

from __future__ import annotations

import errno
import hashlib
import shutil
import subprocess
import sys
import threading

import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.training import orbax_folder
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


SAVES = """
import re, sys
import numpy as np
from pathlib import Path
from marlcomm.training.checkpoint import Checkpoints

def most():  # of this program: maxrss begins with what the parent had
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

checkpoints = Checkpoints(Path(sys.argv[1]))
checkpoints.prove()
state = {"replay": np.random.default_rng(0).random(2**26, np.float32)}
before = most()
checkpoints.save(1, state, {})
print((most() - before) / 2**28)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_saving_takes_no_more_memory_than_the_plan_counts(tmp_path):
    """As much again as what is saved, which can hardly be compressed here."""
    told = subprocess.run(
        [sys.executable, "-c", SAVES, str(tmp_path / "c")], capture_output=True, text=True, check=True
    )
    assert 0.5 < float(told.stdout) < 1.2


def test_digest_sees_every_bit_and_every_name():
    assert digest(STATE) != digest(later(STATE))
    assert digest({"a": jnp.zeros(2)}) != digest({"b": jnp.zeros(2)})
    assert digest(jnp.float32(0.0)) != digest(jnp.float32(-0.0))


@pytest.mark.parametrize("name", ["x[1]", "a*b", "q?", "back\\slash", "sp ace%20#~ü"])
def test_a_path_that_others_take_for_a_pattern_works(tmp_path, name):
    (tmp_path / "axb" / "c" / "1" / "state" / "ocdbt.process_0").mkdir(parents=True)  # what a*b would also find
    Checkpoints(tmp_path / name / "c").save(1, STATE, {})
    number, state, _ = Checkpoints(tmp_path / name / "c").restore(STATE)
    assert (number, digest(state)) == (1, digest(STATE))


def test_what_cannot_be_read_back_is_no_checkpoint_and_older_ones_stay(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path / "c", keep=1)
    checkpoints.save(1, STATE, {})
    whole = orbax_folder.write

    def write_without_its_table(folder, state, facts):
        whole(folder, state, facts)
        (folder / "state" / "manifest.ocdbt").unlink()

    monkeypatch.setattr(orbax_folder, "write", write_without_its_table)
    with pytest.raises(OSError, match="read back"):
        checkpoints.save(2, later(STATE), {})
    with pytest.raises(OSError, match="read back"):
        checkpoints.prove()
    assert checkpoints.numbers() == [1]
    assert digest(checkpoints.restore(STATE)[1]) == digest(STATE)


def test_a_damaged_checkpoint_is_set_aside_and_its_number_written_again(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(1, STATE, {})
    checkpoints.save(2, STATE, {})
    damage(tmp_path / "c" / "2")
    _, _, facts = checkpoints.restore(STATE, lambda path: path.rename(tmp_path / "aside"))
    assert str(tmp_path / "aside") in facts["skipped"][0]
    checkpoints.save(2, later(STATE), {})
    assert checkpoints.restore(STATE)[0] == 2


def test_damaged_facts_are_found_with_and_without_checksums_of_files(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(1, STATE, {"elapsed": 1.5})
    checkpoints.save(2, STATE, {"elapsed": 1.5})
    facts = tmp_path / "c" / "2" / "facts" / "metadata"
    facts.write_text(facts.read_text().replace("elapsed", "elapsee"))
    number, _, found = checkpoints.restore(STATE)
    assert (number, found["elapsed"]) == (1, 1.5)
    assert "facts" in found["skipped"][0]
    (tmp_path / "c" / "2" / "files.json").unlink()  # as older versions wrote it
    facts.write_text(facts.read_text().replace("digest", "digesu"))
    assert checkpoints.restore(STATE)[0] == 1


def test_reading_while_another_saves_always_finds_a_whole_state(tmp_path):
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(0, STATE, {})
    writing = threading.Thread(target=lambda: [checkpoints.save(number, STATE, {}) for number in range(1, 12)])
    writing.start()
    read = 0
    while writing.is_alive():
        assert digest(Checkpoints(tmp_path / "c").restore(STATE)[1]) == digest(STATE)
        read += 1
    writing.join()
    assert read > 1
    assert checkpoints.numbers() == [11, 10]


def test_a_full_disk_is_said_once_and_nothing_else_is_printed(tmp_path, capfd, caplog):
    resource = pytest.importorskip("resource")
    large = {f"x{i}": np.random.default_rng(i).random((50, 1000)) for i in range(8)}
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save(1, STATE, {})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="too large") as raised:
            checkpoints.save(2, large, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.errno == errno.EFBIG
    assert capfd.readouterr().err == ""
    assert not caplog.records
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["1"]  # nothing half takes up room
    assert checkpoints.restore(STATE)[0] == 1


def test_one_that_was_dropped_while_it_was_read_is_no_damage(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path / "c", keep=1)
    checkpoints.save(1, STATE, {})
    whole = orbax_folder.read

    def read_too_late(folder, abstract):
        if folder.name == "1":
            checkpoints.save(2, later(STATE), {})
        return whole(folder, abstract)

    monkeypatch.setattr(orbax_folder, "read", read_too_late)
    number, _, facts = Checkpoints(tmp_path / "c").restore(STATE, lambda path: pytest.fail("moved away"))
    assert (number, facts["skipped"]) == (2, [])


@pytest.mark.parametrize(
    "array",
    [np.float32(3), np.array([True, False]), np.zeros((0, 3), np.int32), jnp.ones(3, jnp.bfloat16), np.eye(3)[:, ::2]],
)
def test_digest_is_of_the_name_the_type_the_shape_and_the_bytes(array):
    numbers = np.ascontiguousarray(array)
    expected = hashlib.sha256(f"['a']{numbers.dtype}{numbers.shape}".encode() + numbers.tobytes())
    assert digest({"a": array}) == expected.hexdigest()[:16]
