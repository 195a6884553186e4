"""Sweeps: what a file asks for, what is trained together, what is kept, and what is refused."""

from __future__ import annotations

import csv
import os
import re
import signal
import tomllib
from pathlib import Path

import numpy as np
import pytest

import marlcomm as mc
from marlcomm.cli import main
from marlcomm.cli.text import read_literal
from marlcomm.sweeps import jobs, make_plan, plan, read_spec
from marlcomm.sweeps.run import write_table
from marlcomm.training import RunFolderError
from marlcomm.training.recorder import Recorder
from marlcomm.validation import UsageError

TINY = {"hidden": 4, "num_envs": 2, "batch_episodes": 2, "replay_episodes": 8}
SPEC = {"algorithm": "vdn", "task": "sensor", "steps": 60, "evaluations": 1, "evaluation_episodes": 4, "set": TINY}


def settings(**asked):
    return read_spec({"algorithm": "qmix", "task": "hallway", **asked}).settings


def test_every_combination_of_lists_and_every_case_is_a_point():
    found = settings(algorithm=["qmix", "vdn"], grid={"learning_rate": [1e-4, 1e-3], "hidden": [32, 64, 128]})
    assert len(found) == 2 * 2 * 3
    assert len({(point.algorithm, *point.varied.values()) for point in found}) == len(found)
    cases = [{"algorithm": "vdn", "hidden": 32}, {"learning_rate": 1e-3, "task": "sensor"}]
    assert [(point.algorithm, point.task, dict(point.varied)) for point in settings(cases=cases)] == [
        ("vdn", "hallway", {"hidden": 32}),
        ("qmix", "sensor", {"learning_rate": 1e-3}),
    ]


def test_draws_are_decided_by_one_seed_and_lie_in_their_range():
    how = {"draws": 40, "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "hidden": {"choice": [32, 64]}}
    first, again = settings(random=how, seed=3), settings(random=how, seed=3)
    assert first == again
    assert first != settings(random=how, seed=4)
    rates = np.array([point.varied["learning_rate"] for point in first])
    assert ((rates >= 1e-4) & (rates <= 1e-2)).all()
    assert abs(np.log10(rates).mean() + 3) < 0.4  # even on the logarithm
    alone = settings(random={"draws": 40, "learning_rate": how["learning_rate"]}, seed=3)
    assert [point.varied["learning_rate"] for point in alone] == rates.tolist()


def test_points_that_differ_in_traced_numbers_are_one_population(monkeypatch):
    asked = {**SPEC, "seeds": 3, "grid": {"learning_rate": [1e-4, 1e-3], "target_interval": [10, 20]}}
    parts = make_plan(read_spec(asked)).parts
    assert [len(part.members) for part in parts] == [6, 6]
    assert {part.about["settings"]["target_interval"] for part in parts} == {10, 20}
    monkeypatch.setattr(plan, "split_to_fit", lambda *_: [4, 2])
    parts = make_plan(read_spec(asked)).parts
    assert [len(part.members) for part in parts] == [4, 2, 4, 2]
    assert len({part.name for part in parts}) == 4


def test_a_simulator_is_asked_once_and_its_runs_have_names_of_folders(tmp_path, monkeypatch):
    file = tmp_path / "my_game.py"
    file.touch()
    made = []
    monkeypatch.setattr(plan, "make_env", lambda task, **options: made.append((task, options)) or mc.make_env("sensor"))
    found = make_plan(read_spec({**SPEC, "task": f"{file}:make", "grid": {"mixer": ["sum", "monotonic", "none"]}}))
    assert len(found.parts) == 3
    assert made == [(f"{file}:make", {})]
    for part in found.parts:
        assert re.fullmatch(r"0\d-vdn-[\w.-]+_my_game\.py_make", part.name)


def test_a_sweep_is_trained_once_goes_on_and_may_grow(tmp_path, monkeypatch):
    asked = {**SPEC, "seeds": 2, "grid": {"learning_rate": [1e-4, 1e-3]}}
    found = mc.sweep(asked, tmp_path / "sweep", progress=False)
    assert not found.failed
    rows = list(csv.DictReader((tmp_path / "sweep" / "sweep.csv").open()))
    assert [(float(row["learning_rate"]), row["seed"], row["status"]) for row in rows] == [
        (rate, seed, "done") for rate in (1e-4, 1e-3) for seed in ("0", "1")
    ]
    typed = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "sweep" / "sweep.parquet").to_pydict()
    for name, column in typed.items():
        assert ["" if value is None else str(value) for value in column] == [row[name] for row in rows], name
    assert {type(value) for value in typed["learning_rate"] + typed["return"]} == {float}
    assert (tmp_path / "sweep" / "sweep.png").read_bytes().startswith(b"\x89PNG")
    alone = mc.train(
        mc.make_algorithm("vdn", mc.make_env("sensor"), **TINY),
        steps=60,
        seeds=2,
        hparams={"learning_rate": [1e-4, 1e-3]},
        evaluations=1,
        evaluation_episodes=4,
        progress=False,
    )
    assert [row["digest"] for row in rows] == [member["digest"] for member in alone.summary["members"]]
    trained = []
    monkeypatch.setattr(jobs, "train_population", lambda algorithm, population, **_: trained.append(population))
    mc.sweep(asked, tmp_path / "sweep", progress=False)
    assert trained == []
    mc.sweep({**asked, "seeds": 3}, tmp_path / "sweep", progress=False)
    assert [population.seeds for population in trained] == [(2, 2)]
    with pytest.raises(RunFolderError, match="seed 1"):
        mc.sweep({**asked, "seeds": [0, 2]}, tmp_path / "sweep", progress=False)
    with pytest.raises(RunFolderError, match="evaluations: 1 then, 2 now"):
        mc.sweep({**asked, "evaluations": 2}, tmp_path / "sweep", progress=False)


def test_a_part_that_fails_is_told_and_the_others_are_trained(tmp_path, monkeypatch):
    def train(algorithm, population, *, out, **_):
        if "qmix" in str(out):
            raise RuntimeError("no such luck")
        out.mkdir()
        (out / "summary.json").write_text('{"members": [{"return": 1.0}]}')

    monkeypatch.setattr(jobs, "train_population", train)
    found = mc.sweep({**SPEC, "algorithm": ["qmix", "vdn"]}, tmp_path / "sweep", progress=False)
    assert list(found.failed.values()) == ["RuntimeError: no such luck"]
    assert found.table["status"].tolist() == ["RuntimeError: no such luck", "done"]
    assert not mc.sweep({**SPEC, "algorithm": ["vdn"]}, tmp_path / "other", progress=False).failed


def test_an_interruption_leaves_a_table_and_no_further_part_begins(tmp_path, monkeypatch):
    def train(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "train_population", train)
    with pytest.raises(KeyboardInterrupt):
        mc.sweep({**SPEC, "algorithm": ["qmix", "vdn"]}, tmp_path / "sweep", progress=False)
    assert (tmp_path / "sweep" / "sweep.csv").read_text().count("not finished") == 2


def test_an_interrupted_sweep_says_that_the_same_command_goes_on(tmp_path, monkeypatch, capsys):
    """A sweep has no --resume, which a run by itself has."""
    monkeypatch.setattr(Recorder, "is_due", lambda self: os.kill(os.getpid(), signal.SIGTERM) or False)
    with pytest.raises(KeyboardInterrupt):
        mc.sweep({**SPEC, "steps": 3000, "evaluations": 50}, tmp_path / "sweep")
    said = " ".join(capsys.readouterr().err.split())
    assert "steps; saved, go on with the same sweep command, or call" in said
    assert "--resume" not in said


def test_the_files_of_the_how_to_can_be_read():
    page = (Path(__file__).parents[2] / "docs" / "howto" / "sweeps.md").read_text()
    whole, cases = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert len(read_spec(tomllib.loads(whole)).settings) == 2 * 2 * 2 * 2 * 10
    assert len(settings(**tomllib.loads(cases))) == 2


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"algorithm": "qmixx"}, "Did you mean 'qmix'"),
        ({"task": "halway"}, "Did you mean 'hallway'"),
        ({"grd": {}}, "Did you mean 'grid'"),
        ({"grid": {"hidden": []}}, "grid.hidden is empty"),
        ({"grid": {"hidden": 3}}, "must be a list"),
        ({"grid": {"hidden": [32, 32]}}, "listed twice"),
        ({"seeds": [1, 1]}, "listed twice"),
        ({"set": {"hidden": 32}, "grid": {"hidden": [32]}}, "given twice"),
        ({"steps": "many"}, "steps='many'"),
        ({"seed": 3}, "did you mean seeds?"),
        ({"seed": 3, "random": {}}, "did you mean seeds?"),
        ({"random": {"learning_rate": {"low": 1, "high": 2}}}, "random.draws"),
        ({"random": {"draws": 3, "learning_rate": {"low": 2, "high": 1}}}, "low must be below high"),
        ({"random": {"draws": 3, "learning_rate": 1}}, "must be {low, high}"),
    ],
)
def test_what_cannot_be_asked_is_refused(asked, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        settings(**asked)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("algorithm = \n", "line 1"),
        ('algorithm = "vdn"\ntask = "sensor"\n[grid]\nhidden = [4]\nhidden = [8]\n', "line 5"),
        ('algorithm = "vdn"\ntask = "sensor"\n[grid]\nhiden = [4]\n', "Did you mean 'hidden'"),
        ('algorithm = "vdn"\ntask = "sensor"\n[grid]\nhidden = ["wide"]\n', "hidden="),
        ('algorithm = "vdn"\n', "needs 'task'"),
    ],
)
def test_a_wrong_file_is_answered_with_a_sentence(tmp_path, capsys, text, message):
    (tmp_path / "sweep.toml").write_text(text)
    assert main(["sweep", str(tmp_path / "sweep.toml"), "--dry-run", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_lists_stand_in_the_table_as_the_command_line_takes_them(tmp_path):
    tried = [[4, 4], [6, 6], [5]]
    groups = [{"task.lengths": lengths, "task.groups": [0] * len(lengths)} for lengths in tried]
    asked = make_plan(read_spec({**SPEC, "task": "hallway", "cases": groups}))
    write_table(asked, tmp_path, {})
    rows = list(csv.DictReader((tmp_path / "sweep.csv").open()))
    assert [row["task.lengths"] for row in rows] == ["4,4", "6,6", "5,"]
    assert [list(read_literal(row["task.lengths"])) for row in rows] == tried


def test_a_dry_run_prints_the_plan_and_writes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    file = tmp_path / "sweep.toml"
    file.write_text(
        'algorithm = "vdn"\ntask = "hallway"\nseeds = 3\n[grid]\nhidden = [4, 8]\ntask.lengths = [[2, 2]]\n'
    )
    assert main(["sweep", str(file), "--dry-run", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "6 members in 2 runs" in said
    for hidden in (4, 8):
        assert f"task.lengths=2,2 hidden={hidden}" in said
    assert "replay" in said
    assert not (tmp_path / "out").exists()
    assert main(["sweep", str(tmp_path / "nowhere.toml")]) == 2
