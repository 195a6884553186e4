"""The table of methods by tasks: trained in parts, read back whole, and what fails is shown."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from experiments import methods_by_tasks
from experiments.methods_by_tasks import HEAD, METHODS, TASKS, algorithm_of, main
from marlcomm.names import ALGORITHMS, CHANNELS, MIXERS
from marlcomm.names import TASKS as KNOWN_TASKS


def is_there(method: str) -> bool:
    """Whether this version has the method."""
    name, settings = METHODS[method]
    parts = settings.get("channel", "silent") in CHANNELS and settings.get("mixer", "sum") in MIXERS
    return name in ALGORITHMS and parts


@pytest.mark.parametrize("method", [method for method in METHODS if is_there(method)])
def test_every_method_can_be_made_on_every_task(method: str):
    for task in TASKS.values():
        if task.name in KNOWN_TASKS:
            assert algorithm_of(method, task).settings is not None


def call(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> tuple[list[list[str]], dict]:
    """The rows of the tables that a call prints, and its numbers."""
    scale = ("--steps", "40", "--seeds", "2", "--episodes", "8")
    places = ("--runs", str(folder / "runs"), "--out", str(folder / "out"))
    monkeypatch.setattr(sys, "argv", ["methods_by_tasks", *scale, *places, *arguments])
    main()
    lines = (folder / "out" / "tables.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("| ")]
    return rows, json.loads((folder / "out" / "numbers.json").read_text())


@pytest.mark.slow
def test_parts_are_trained_apart_and_read_back_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(methods_by_tasks.METHODS, "not there", methods_by_tasks.Method("not_there", {}))
    rows, _ = call(monkeypatch, tmp_path, "--tasks", "sensor", "--methods", "silent", "not there")
    silent, missing = rows[2:]
    assert rows[0] == list(HEAD)
    assert [silent[0], silent[3]] == ["silent", "0.0"]
    assert "No algorithm is called 'not_there'" in missing[1]

    def no_training(*_: object, **__: object) -> None:
        raise AssertionError("what is finished is read back, and what is not must not be trained")

    monkeypatch.setattr("experiments.common.train", no_training)
    rows, numbers = call(monkeypatch, tmp_path, "--read", "--tasks", "sensor", "search", "--methods", "silent", "mean")
    assert rows[2] == silent
    assert [row[0] for row in rows] == [HEAD[0], ":--", "silent", "mean"] * 2
    assert all("not finished" in row[1] for row in (rows[3], rows[6], rows[7]))
    assert numbers["sensor"]["silent"]["problem"] == ""
    assert len(numbers["sensor"]["silent"]["tested"]["return"]) == 2


def test_words_that_do_not_exist_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with pytest.raises(SystemExit):
        call(monkeypatch, tmp_path, "--tasks", "nonsense")
