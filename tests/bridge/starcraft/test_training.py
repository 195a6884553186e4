"""A team learns through processes of the stand-in, some of which fail: what was lost is said, and nothing stays."""

import psutil
import pytest

import marlcomm as mc
from marlcomm.bridge.starcraft.stand_in.installing import install

FAULTS = ("crash@step:40", "drop@observation:130", "garbage@action:70", "ended@step:200", "crash@create_game:1")


@pytest.mark.slow
def test_a_team_learns_and_every_fault_is_counted_once(tmp_path, monkeypatch):
    faults = tmp_path / "faults"
    faults.write_text("".join(f"{each}\n" for each in FAULTS))
    monkeypatch.setenv("SC2PATH", str(install(tmp_path / "game", faults)))
    env = mc.make_env("sc2:3m", workers=2, seconds=20.0)
    algorithm = mc.make_algorithm("iql", env, hidden=8, num_envs=4)
    result = mc.train(algorithm, steps=2000, out=tmp_path / "run", evaluations=1, evaluation_episodes=4, progress=False)
    about = result.summary["simulators"]
    assert faults.read_text() == ""
    assert sum(about["restarts_by_cause"].values()) == about["restarts"] == len(FAULTS)
    assert about["lost_episodes"].keys() <= {"disconnected", "bad answer", "ended"}
    assert sum(about["lost_episodes"].values()) <= len(FAULTS)
    member = result.summary["members"][0]
    assert member["healthy"]
    assert 0 <= member["return"] <= 20
    env.close()
    assert sum(about["lost_episodes"].values()) >= 1  # a crash in the middle of an episode
    left = [each for each in psutil.process_iter(["cmdline"]) if str(faults) in (each.info["cmdline"] or ())]
    assert left == []  # also of those whose worker was killed, which are nobody's children
