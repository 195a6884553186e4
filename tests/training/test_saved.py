"""Runs read back where what they were trained with is not known."""

from __future__ import annotations

import json

import pytest

import marlcomm as mc
from marlcomm.cli import main
from marlcomm.training import RunFolderError

CONFIG = {"algorithm": "qmix", "task": "sensor", "task_options": {}, "settings": {}, "members": [{"seed": 0}]}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"task": "guess"}, "guess"),
        ({"algorithm": "signs"}, "signs"),
        ({"settings": {"channel": "whispers"}}, "whispers"),
        ({"settings": {"training_edit": "hush:2"}}, "hush"),
    ],
)
def test_a_run_with_own_parts_says_how_they_are_imported(tmp_path, capsys, changes, name):
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    with pytest.raises(RunFolderError, match=f"'{name}', which is not registered here: add --import MODULE"):
        mc.load_run(tmp_path)
    assert main(["evaluate", str(tmp_path)]) == 2
    assert "--import MODULE" in capsys.readouterr().err


@pytest.mark.parametrize("settings", [{"hiden": 8}, {"training_edit": "drop:9"}, {"hiden": 8, "mixer": "none"}])
def test_another_mistake_on_record_is_told_as_it_is(tmp_path, settings):
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, "settings": settings}))
    with pytest.raises(ValueError, match=r"hiden|outside") as raised:
        mc.load_run(tmp_path)
    assert "--import" not in str(raised.value)
