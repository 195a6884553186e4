"""The packages smac, smacv2, smaclite: what they hide is a fault; where they are missing it is said what to type."""

import sys

import numpy as np
import pytest

from marlcomm.bridge.simulator import SimulatorFault
from marlcomm.bridge.starcraft import packages, smac, smacv2
from marlcomm.validation import UsageError

MAPS = """
class SMACMap: pass
table = {"2m": {"n_agents": 2, "n_enemies": 1, "limit": 3}}
def get_smac_map_registry(): return table
"""
ENV = """
from absl import flags
from types import SimpleNamespace
import numpy as np
if "sc2_timeout" not in flags.FLAGS:
    flags.DEFINE_integer("sc2_timeout", 360, "")
    flags.FLAGS(["here"])
class StarCraft2Env:
    script = []  # what the next steps do: "restart", "win", "scale", or nothing
    def __init__(self, map_name="8m", seed=None, continuing_episode=False, obs_all_health=True, step_mul=8):
        self.seed, self.given = seed, (map_name, continuing_episode, obs_all_health)
        self.n_enemies, self.reward_death_value, self.reward_win, self.max_reward = 1, 10, 200, 210
        self.enemies, self.force_restarts, self.ended = {}, 0, 0
    def get_env_info(self):
        return {"n_agents": 2, "n_actions": 7, "obs_shape": 4, "state_shape": 5, "episode_limit": 3}
    def reset(self):
        self.steps = 0
        self.enemies = {0: SimpleNamespace(health_max=50, shield_max=0)}
        if not self.ended:
            self.max_reward += 50
        return self.get_obs(), self.get_state()
    def step(self, actions):
        assert all(type(action) is int for action in actions)
        self.steps += 1
        what = self.script.pop(0) if self.script else ""
        if what == "restart":
            self.force_restarts += 1
            return 0, True, {}
        if what == "scale":
            self.max_reward = 310
        self.ended += self.steps >= 3 or what == "win"
        info = {"battle_won": what == "win", "dead_allies": 0, "dead_enemies": 0}
        late = self.steps >= 3 and what != "win"
        if late and self.given[1]:
            info["episode_limit"] = True
        return 1.5, late or what == "win", info
    def get_obs(self):
        sight, shoot = self.unit_sight_range(0), self.unit_shoot_range(0)
        return [np.full(4, sight), np.full(4, shoot)]
    def get_state(self): return np.zeros(5, np.float32)
    def get_avail_actions(self): return [[0, 1, 1, 1, 1, 1, 0], [1, 0, 0, 0, 0, 0, 0]]
    def close(self): pass
"""


def write(folder, **files):
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for inner in folder.rglob("*/"):
        (inner / "__init__.py").touch()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of smac's form, whose battles last three steps."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "smac"]:
        monkeypatch.delitem(sys.modules, name)
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "smac"]:
        del sys.modules[name]


@pytest.fixture
def battles(package):
    write(package, smac__env__starcraft2__maps__smac_maps=MAPS, smac__env__starcraft2__env=ENV)
    (package / "smac" / "env" / "__init__.py").write_text("from .starcraft2.env import StarCraft2Env\n")
    from smac.env import StarCraft2Env

    return StarCraft2Env


ACTIONS = np.array([1, 0], np.int32)


def test_an_episode_is_cut_at_its_limit_and_won_before_it(battles):
    game = smac.make("2m")
    assert (game.spec.num_agents, game.spec.num_actions, game.spec.horizon) == (2, 7, 3)
    seen = game.reset(11)
    assert seen.alive.tolist() == [True, False]
    assert seen.agents_view[:, 0].tolist() == [9.0, 6.0]
    outcomes = [game.step(ACTIONS) for _ in range(3)]
    assert [(each.terminated, each.truncated) for each in outcomes] == [(False, False), (False, False), (False, True)]
    assert not outcomes[-1].won
    battles.script[:] = ["", "", "win"]
    game.reset(12)
    *_, last = (game.step(ACTIONS) for _ in range(3))
    assert last.terminated
    assert last.won
    game.close()


def test_an_episode_may_be_left_before_any_has_ended(battles):
    game = smac.make("2m")
    for _ in range(3):  # where the package would start a game more, and scale rewards otherwise
        assert game.reset(0).agents_view[:, 0].tolist() == [9.0, 6.0]
        outcome = game.step(ACTIONS)
        assert not outcome.terminated
        assert not outcome.truncated


def test_ndqs_settings_are_known_by_name(battles):
    seen = smac.make("2m", settings="ndq", shoot_range=2).reset(0)
    assert seen.agents_view[:, 0].tolist() == [2.0, 2.0]
    assert smac.make("5z_vs_1ul").reset(0).agents_view[:, 0].tolist() == [2.0, 6.0]


@pytest.mark.parametrize(("what", "cause"), [("restart", "restart"), ("scale", "reward scale")])
def test_what_the_package_hides_is_a_fault(battles, what, cause):
    game = smac.make("2m")
    game.reset(0)
    battles.script[:] = ["", what]
    game.step(ACTIONS)
    with pytest.raises(SimulatorFault) as caught:
        game.step(ACTIONS)
    assert caught.value.cause == cause


def test_the_version_of_the_game_reaches_the_package(battles, monkeypatch):
    asked = []

    class Versions(battles):
        def __init__(self, map_name, seed=None, continuing_episode=False, game_version=None):
            super().__init__(map_name, seed, continuing_episode)
            asked.append(game_version)

    monkeypatch.setattr(sys.modules["smac.env"], "StarCraft2Env", Versions)
    smac.make("2m")
    smac.make("2m", game_version="4.10")
    assert asked == [None, "4.10"]
    with pytest.raises(UsageError, match="game_version"):
        smac.make("2m", game_version=4.1)


def test_what_is_misspelled_gets_the_nearest(battles):
    with pytest.raises(UsageError, match="'step_mul'"):
        smac.make("2m", step_mull=4)
    for option in ("seed", "map_name", "self"):
        with pytest.raises(UsageError, match=f"no option '{option}'"):
            smac.make("2m", **{option: 4})
    with pytest.raises(UsageError, match="'5z_vs_1ul'"):
        smac.make("5z_vs_1u")
    with pytest.raises(UsageError, match="sc2:3b_vs_1h1m"):
        smac.make("bane_vs_hM")
    with pytest.raises(UsageError, match="'ndq'"):
        smac.make("2m", settings="nqd")


def test_the_optimizer_of_the_same_name_is_told_apart(package):
    write(package, smac__facade="")
    with pytest.raises(ImportError, match=r"SMAC3, an optimizer.*git\+https://github\.com/oxwhirl/smac\.git"):
        smac.make("3m")


def test_smac_without_its_dependencies_is_no_optimizer(package):
    write(package, smac__env__starcraft2__maps__smac_maps=MAPS)
    (package / "smac" / "__init__.py").write_text("import a_missing_dependency\n")
    with pytest.raises(ImportError, match="a_missing_dependency"):
        smac.make("3m")


@pytest.mark.parametrize("name", ["smacv2", "smaclite"])
def test_a_missing_package_is_named_with_what_to_type(name):
    with pytest.raises(ImportError, match=f"package {name} is missing.*{name} @ git"):
        packages.load(name, name)


def test_a_package_made_for_another_protobuf_says_so(package):
    (package / "smac" / "env").mkdir(parents=True)
    (package / "smac" / "__init__.py").touch()
    (package / "smac" / "env" / "__init__.py").write_text("raise TypeError('Descriptors cannot be created directly.')")
    with pytest.raises(ImportError, match=r"Descriptors.*smac_env/bin/python"):
        smac.make("3m")


def test_smacv2s_scenarios_are_the_published_ones():
    given = smacv2.capabilities("zerg_10_vs_11")
    assert (given["n_units"], given["n_enemies"]) == (10, 11)
    team = given["team_gen"]
    assert dict(zip(team["unit_types"], team["weights"], strict=True))["baneling"] == 0.1
    assert team["exception_unit_types"] == ["baneling"]
    assert "exception_unit_types" not in smacv2.capabilities("protoss_5_vs_5")["team_gen"]
    for wrong in ("zerg", "zerg_5_5", "orc_5_vs_5", "zerg_0_vs_5", "zerg_x_vs_5"):
        with pytest.raises(UsageError, match="race_N_vs_M"):
            smacv2.capabilities(wrong)
