"""Run folders refuse what would lose or mix results."""

from __future__ import annotations

import json

import numpy as np
import pytest

from marlcomm.training.record import RunFolder, RunFolderError, plain, stack_metrics, versions

CONFIG = {"algorithm": "ndq", "steps": 100, "settings": {"beta": 0.1}}


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(RunFolderError, match="exists already"):
        RunFolder(tmp_path).create(CONFIG)
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match=r"file/run"):
        RunFolder(tmp_path / "file" / "run").create(CONFIG)


def test_the_same_configuration_passes_and_another_is_shown(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(CONFIG)
    assert folder.check_same(CONFIG) == []
    with pytest.raises(RunFolderError, match="steps: 100 in the run, 200 now"):
        folder.check_same({**CONFIG, "steps": 200})
    with pytest.raises(RunFolderError, match=r"this one:\n  settings.beta: 0.1 in the run, 0.2 now$"):
        folder.check_same({**CONFIG, "settings": {"beta": 0.2}})


def test_other_package_versions_are_a_warning(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(CONFIG)
    recorded = folder.config()
    assert recorded["versions"] == versions()
    recorded["versions"]["jax"] = "0.0.1"
    folder.write_json("config.json", recorded)
    assert "jax was 0.0.1" in folder.check_same(CONFIG)[0]


def test_no_run_and_a_damaged_run_are_errors(tmp_path):
    with pytest.raises(RunFolderError, match="not a run folder"):
        RunFolder(tmp_path).config()
    (tmp_path / "config.json").write_text('{"half')
    with pytest.raises(RunFolderError, match="cannot be read"):
        RunFolder(tmp_path).config()


def test_a_torn_line_is_left_out_and_later_lines_are_dropped_on_resume(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(CONFIG)
    for chunk in (1, 2, 3):
        folder.append_metrics([{"chunk": chunk, "loss": 0.5}])
    with (folder.member(0) / "metrics.jsonl").open("a") as file:
        file.write('{"chunk": 4, "lo')
    assert [row["chunk"] for row in folder.read_metrics(1)[0]] == [1, 2, 3]
    assert [row["chunk"] for row in folder.rewind_metrics(1, 2)[0][0]] == [1, 2]
    lines = (folder.member(0) / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["chunk"] for line in lines] == [1, 2]


def test_metrics_stack_over_time_and_members():
    table = stack_metrics([[{"x": 1.0}, {"x": 2.0, "y": 5}], [{"x": 3.0}, {"x": None}]])
    np.testing.assert_array_equal(table["x"], [[1, 3], [2, np.nan]])
    np.testing.assert_array_equal(table["y"], [[np.nan, np.nan], [5, np.nan]])


def test_numbers_are_written_as_json_can_hold_them():
    assert plain(np.float32(0.1)) == 0.1
    assert plain(np.float32("nan")) is None
    assert plain(np.int32(3)) == 3
    assert plain(np.bool_(True)) is True
