"""Run folders refuse what would lose or mix results."""

from __future__ import annotations

import json

import numpy as np
import pytest

import marlcomm as mc
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


def test_a_process_that_died_while_it_wrote_its_configuration_is_in_nobodys_way(tmp_path):
    (tmp_path / "config.json.tmp").write_text('{"half')
    for resume in (False, True):
        folder = RunFolder(tmp_path)
        assert not folder.open(resume)
        folder.close()
    RunFolder(tmp_path).create(CONFIG)


def test_a_lost_or_damaged_configuration_is_written_anew_and_said(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(CONFIG)
    (folder.path / "config.json").write_text('{"half')
    (said,) = folder.mend_config(CONFIG)
    assert "set_aside" in said
    assert [path.read_text() for path in (folder.path / "set_aside").iterdir()] == ['{"half']
    assert folder.check_same(CONFIG) == []
    assert folder.mend_config(CONFIG) == []
    (folder.path / "config.json").unlink()
    assert "missing" in folder.mend_config(CONFIG)[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("algorithm", 5), ("settings", "hidden"), ("members", {}), ("members", [{"seed": "0"}]), ("task_options", [])],
)
def test_a_configuration_with_other_types_is_no_configuration(tmp_path, name, value):
    whole = {"algorithm": "a", "task": "t", "task_options": {}, "settings": {}, "members": [{"seed": 0}]}
    folder = RunFolder(tmp_path / "run")
    folder.create({**whole, name: value})
    with pytest.raises(RunFolderError, match=name):
        folder.config(*whole)


def test_a_changed_configuration_and_other_devices_are_said(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create({**CONFIG, "devices": "2 x cpu"})
    (warning,) = folder.check_same({**CONFIG, "devices": "1 x cpu"})
    assert "2 x cpu" in warning
    assert "1 x cpu" in warning
    path = folder.path / "config.json"
    path.write_text(path.read_text().replace("2 x cpu", "3 x cpu"))
    with pytest.warns(UserWarning, match="changed"):
        folder.config()
    with pytest.raises(RunFolderError, match=r"(?s)steps.*changed"):
        folder.check_same({**CONFIG, "steps": 200})


def asked(hidden=64, **settings):
    ndq = mc.make_algorithm("ndq", mc.make_env("sensor"), hidden=hidden, **settings)
    return json.loads(json.dumps(ndq.describe()))


def test_a_default_that_is_stated_is_the_same_run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(asked())
    assert folder.check_same(asked(discount=0.99, beta=1e-3, message_dims=2)) == []
    with pytest.raises(RunFolderError, match=r"resolved.discount: 0.99 in the run, 0.98 now"):
        folder.check_same(asked(discount=0.98))
    folder = RunFolder(tmp_path / "task")
    folder.create(mc.make_algorithm("qmix", mc.make_env("hallway")).describe())
    lengths = mc.envs.env_options("hallway")["lengths"]
    stated = mc.make_algorithm("qmix", mc.make_env("hallway", lengths=lengths))
    assert folder.check_same(stated.describe()) == []


def test_a_record_of_an_older_version_is_compared_as_far_as_it_goes(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(asked())
    older = folder.config()
    for name in ("format", "code", "digest"):
        del older[name]
    resolved = older["resolved"]
    resolved |= {name: "Part( # attributes size = 8 )" for name in ("agent", "mixer")}
    resolved |= {"joint_critic": "None", "training_edit": "None"}
    for name in resolved.keys() & {"loss_terms", "task", "optimizer"}:
        del resolved[name]
    folder.write_json("config.json", older)
    (warning,) = folder.check_same(asked())
    assert "agent" in warning
    assert "older" in warning
    folder.check_same(asked(discount=0.99))
    with pytest.raises(RunFolderError, match=r"settings.message_dims: None in the run, 3 now"):
        folder.check_same(asked(message_dims=3))
    with pytest.raises(RunFolderError, match=r"weights.succinctness: 0.001 in the run, 0.5 now"):
        folder.check_same(asked(beta=0.5))


def test_an_older_ndq_of_another_width_is_read_with_the_encoder_that_it_had(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(asked(hidden=32))
    older = folder.config()
    for name in ("format", "code", "digest"):
        del older[name]
    for name in ("agent", "mixer", "losses", "loss_terms", "task", "optimizer", "optimizer"):
        older["resolved"].pop(name, None)
    folder.write_json("config.json", older)
    assert folder.config()["settings"]["encoder_hidden"] == 64
    folder.check_same(asked(hidden=32, encoder_hidden=64))
    with pytest.raises(RunFolderError, match=r"settings.encoder_hidden: 64 in the run, None now"):
        folder.check_same(asked(hidden=32))


def test_members_are_the_same_by_short_names_and_full_ones(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create({**CONFIG, "members": [{"seed": 0, "cut_share": 0.5}]})
    asked = {**CONFIG, "members": [{"seed": 0, "training_edit.share": 0.5}]}
    assert folder.check_same(asked, {"cut_share": "training_edit.share"}) == []
    with pytest.raises(RunFolderError, match="members"):
        folder.check_same(asked)
