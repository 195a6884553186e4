"""The game is found, in any of its versions, or it is said how to get what is missing."""

import hashlib

import pytest

from marlcomm.bridge.starcraft import map_files
from marlcomm.bridge.starcraft.installation import STAND_IN_BUILD, Installation
from marlcomm.bridge.starcraft.map_files import MAP_FILES, scenario_name
from marlcomm.bridge.starcraft.simulator import StarCraft
from marlcomm.bridge.starcraft.stand_in.__main__ import main
from marlcomm.bridge.starcraft.stand_in.installing import install
from marlcomm.envs.combat.scenarios import NDQ, SCENARIOS, SMAC
from marlcomm.validation import UsageError


@pytest.fixture
def game(tmp_path):
    for build in (60321, 69232, 75689):
        folder = tmp_path / "Versions" / f"Base{build}"
        folder.mkdir(parents=True)
        (folder / "SC2_x64").write_text("#!/bin/sh\n")
        (folder / "SC2_x64").chmod(0o755)
    (tmp_path / "Versions" / "Base80000").mkdir()  # without a binary
    (tmp_path / "Maps" / "SMAC_Maps").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "build", "data"),
    [
        (None, 75689, ""),
        ("4.10", 75689, "B89B5D6FA7CBF6452E721311BFBC6CB2"),
        ("4.6.2", 69232, "B3E14058F1083913B80C20993AC965DB"),
        ("4.1.2", 60321, "33D9FE28909573253B7FC352CE7AEA40"),  # in the folder of 4.1.1, as its package has it
        ("69232", 69232, ""),
        ("Base60321", 60321, ""),
    ],
)
def test_versions_by_name_by_build_or_the_newest(game, wanted, build, data):
    found = Installation(game).version(wanted)
    assert (found.build, found.data) == (build, data)
    assert found.binary.is_file()


def test_a_version_that_is_not_there_is_listed_beside_those_that_are(game):
    with pytest.raises(UsageError, match=r"4\.7.*4\.1\.2 \(build 60321\), 4\.6\.2 .*4\.10"):
        Installation(game).version("4.7")
    with pytest.raises(UsageError, match="game_version='newest'"):
        Installation(game).version("newest")


def test_a_build_that_stands_for_several_versions_names_them_all(tmp_path):
    binary = tmp_path / "Versions" / "Base67926" / "SC2_x64"
    binary.parent.mkdir(parents=True)
    binary.touch(0o755)
    there = Installation(tmp_path)
    assert there.version().name == "4.6 or 4.6.1 (build 67926)"
    assert there.version("4.6.1").name == "4.6.1 (build 67926)"


def test_a_version_is_no_number_and_a_folder_no_number_either(installation):
    with pytest.raises(UsageError, match=r"3m: game_version=4\.1 "):
        StarCraft("3m", sc2_path=str(installation), game_version=4.1)
    with pytest.raises(UsageError, match="3m: sc2_path=7 "):
        StarCraft("3m", sc2_path=7)
    with pytest.raises(UsageError, match="sc2_path='/nowhere' is no folder"):
        StarCraft("3m", sc2_path="/nowhere")


def test_a_stand_in_is_not_put_where_something_else_is(game, tmp_path):
    file = game / "Maps" / "SMAC_Maps" / "3m.SC2Map"
    file.write_bytes(b"a map")
    with pytest.raises(UsageError, match="holds something else"):
        install(game)
    assert main([str(game)]) == 2
    assert file.read_bytes() == b"a map"
    assert Installation(install(install(tmp_path / "new"))).version().build == STAND_IN_BUILD


def test_a_binary_that_may_not_run_is_named_with_what_to_type(game):
    binary = game / "Versions" / "Base75689" / "SC2_x64"
    binary.chmod(0o644)
    with pytest.raises(UsageError, match=f"chmod [+]x '{binary}'"):
        Installation(game).version()


def test_the_environment_says_where_the_game_is(game, monkeypatch):
    monkeypatch.setenv("SC2PATH", str(game))
    assert Installation().folder == game
    monkeypatch.setenv("SC2PATH", str(game / "nowhere"))
    with pytest.raises(UsageError, match=r"SC2PATH=.*nowhere.* is no folder"):
        Installation()


def test_every_published_map_is_a_battle_that_we_have_and_the_other_way_round():
    published = {name for name, each in SCENARIOS.items() if each.source.startswith((SMAC, NDQ))}
    assert {*MAP_FILES} == published
    assert len({each.sha256 for each in MAP_FILES.values()}) == len(MAP_FILES)
    assert {scenario_name(name) for name in ("bane_vs_hM", "1o_2r_vs_4r", "1o_10b_vs_1r")} == {
        "3b_vs_1h1m",
        "1o2r_vs_4r",
        "1o10b_vs_1r",
    }
    with pytest.raises(UsageError, match="'MMM'"):
        scenario_name("MMM3")


def test_a_map_is_missing_changed_or_as_published(game, monkeypatch):
    here = Installation(game)
    assert "bane_vs_hM.SC2Map from https://github.com/TonghanWang/NDQ" in here.check_map("3b_vs_1h1m")
    with pytest.raises(UsageError, match="SMAC_Maps"):
        here.map_file("3b_vs_1h1m")
    file = game / "Maps" / "SMAC_Maps" / "bane_vs_hM.SC2Map"
    file.write_bytes(b"a map")
    assert here.map_file("3b_vs_1h1m") == file
    assert "not the published file" in here.check_map("3b_vs_1h1m")
    published = MAP_FILES["3b_vs_1h1m"]._replace(sha256=hashlib.sha256(b"a map").hexdigest())
    monkeypatch.setitem(map_files.MAP_FILES, "3b_vs_1h1m", published)
    assert here.check_map("3b_vs_1h1m") == ""
