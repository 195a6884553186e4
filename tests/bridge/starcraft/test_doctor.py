"""The doctor says what is here, what is wrong, and what to type."""

import json
import sys

from marlcomm.bridge.starcraft import doctor, game
from marlcomm.cli import main


def found(findings):
    return {each.what: each for each in findings}


def test_the_doctor_says_what_is_wrong_without_the_game_and_what_to_type(monkeypatch, tmp_path):
    monkeypatch.setenv("SC2PATH", str(tmp_path / "nowhere"))
    seen = found(doctor.examine())
    assert seen["StarCraft II"].state == "wrong"
    assert "SC2PATH" in seen["StarCraft II"].do
    assert seen["protocol"].state == seen["websockets"].state == seen["python"].state == "good"
    assert "microseconds" in seen["protobuf"].found
    assert "git+https://github.com/oxwhirl/smac.git" in seen["smac"].do
    assert {"free memory", "processors", "temporary files"} <= {*seen}


def test_the_doctor_looks_at_each_map_of_ndq_and_at_another_interpreter(tmp_path):
    binary = tmp_path / "Versions" / "Base75689" / "SC2_x64"
    binary.parent.mkdir(parents=True)
    binary.touch(0o755)
    seen = found(doctor.examine(str(tmp_path), python=sys.executable))
    assert "4.10 (build 75689)" in seen["StarCraft II"].found
    maps = [name for name in seen if name.startswith("map ")]
    assert len(maps) == 6
    assert all(seen[name].state == "absent" for name in (*maps, "other maps"))
    assert sys.executable in seen["python"].found
    assert found(doctor.examine(str(tmp_path), python="/nowhere/python"))["python"].state == "wrong"


def test_the_command_ends_with_a_code_that_says_whether_anything_is_wrong(installation, tmp_path, capsys):
    assert main(["doctor", "--sc2-path", str(tmp_path / "nowhere")]) == 1
    assert "WRONG StarCraft II" in " ".join(capsys.readouterr().out.split())
    code = main(["doctor", "--sc2-path", str(installation), "--json"])
    seen = {each["what"]: each for each in json.loads(capsys.readouterr().out)}
    assert "not StarCraft II" in seen["StarCraft II"]["found"]
    assert code == any(each["state"] == "wrong" for each in seen.values())


def test_the_doctor_plays_a_map_where_it_is_asked_to(play, installation):
    play("3m")  # games are this process's stand-in from here on
    seen = found(doctor.examine(str(installation), play="3m"))
    assert "version stand-in, not StarCraft II" in seen["play 3m"].found
    assert "ms a step" in seen["play 3m"].found
    play("3m", "error@join_game:1")
    seen = found(doctor.examine(str(installation), play="3m"))
    assert seen["play 3m"].state == "wrong"
    assert "join_game" in seen["play 3m"].do
    assert found(doctor.examine(str(installation), play="4m"))["play 4m"].state == "wrong"


def test_what_breaks_while_a_map_is_played_is_a_finding_too(play, installation, monkeypatch):
    play("3m")
    monkeypatch.setattr(game, "_terrain", lambda start: 1 / 0)
    seen = found(doctor.examine(str(installation), play="3m"))["play 3m"]
    assert (seen.found, seen.state) == ("crash", "wrong")
    assert "ZeroDivisionError" in seen.do


def test_an_optimizer_of_the_same_name_is_nothing_wrong(tmp_path, monkeypatch):
    (tmp_path / "smac").mkdir()
    (tmp_path / "smac" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    seen = found(doctor.interpreter())["smac"]
    assert seen.state == "absent"
    assert "optimizer" in seen.found
