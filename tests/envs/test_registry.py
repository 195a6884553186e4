"""Tasks by name, and errors that help."""

import copy

import pytest

from marlcomm.envs import FullObservation, MatrixGame, TimeLimit, env_names, env_options, make_env, register_env
from marlcomm.envs import registry as registry_module
from marlcomm.envs.small.hallway import Hallway
from marlcomm.names import COMBAT


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(registry_module, "TASKS", copy.copy(registry_module.TASKS))


def test_all_tasks_are_there():
    papers = {"hallway", "matrix_game", "maze", "navigation", "predator_prey", "search", "sensor"}
    grid_worlds = {"find_goal", "red_blue_doors"}
    others = {"reference", "sensor_grid", "speaker_listener", "switch_riddle", "traffic_junction", "whisper"}
    adapted = {"jaxmarl", "lbf", "rware"}
    assert set(env_names()) == papers | grid_worlds | others | adapted | {*COMBAT}


def test_options_reach_the_task():
    env = make_env("hallway", lengths=[2, 6, 10], reward_win=1)
    assert isinstance(env, Hallway)
    assert env.lengths == (2, 6, 10)
    assert env_options("hallway") == {
        "lengths": (4, 4),
        "groups": None,
        "reward_win": 10.0,
        "start_delay": 0,
        "extra_steps": None,
    }


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("halway", {}, "Did you mean 'hallway'. There are: .*find_goal, hallway, jaxmarl"),
        (
            "hallway",
            {"length": (4, 4)},
            "no option 'length'. Did you mean 'lengths'. There are: lengths, groups",
        ),
        ("hallway", {"lengths": "44"}, "lengths='44' is of type str; it must be Sequence"),
        ("hallway", {"lengths": (4, 4.5)}, "is of type tuple; it must be Sequence"),
        ("hallway", {"reward_win": True}, "reward_win=True is of type bool; it must be float"),
        ("lbf", {"num_agents": 2.5}, "num_agents=2.5 is of type float; it must be int"),
        ("lbf", {"grid_size": 5, "num_food": 4}, "grid_size=5 is too small"),
        ("rware", {"shelf_columns": 4}, "shelf_columns=4 must be odd"),
        ("jaxmarl", {}, "needs the option 'env'"),
    ],
)
def test_errors_name_what_is_right(name, options, message):
    with pytest.raises(ValueError, match=message):
        make_env(name, **options)


def test_registering():
    register_env("long hallway", lambda length=6: Hallway((length, length)))
    assert make_env("long hallway", length=8).horizon == 18
    with pytest.raises(ValueError, match="'long hallway' exists already"):
        register_env("long hallway", Hallway)
    register_env("long hallway", Hallway, replace=True)
    assert make_env("long hallway").horizon == 14
    with pytest.raises(ValueError, match="must be a string"):
        register_env("", Hallway)
    with pytest.raises(TypeError, match="must be callable"):
        register_env("other", Hallway())  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("env", "text"),
    [
        (make_env("hallway"), "hallway(lengths=(4, 4))"),
        (make_env("hallway", lengths=(6, 6), start_delay=3), "hallway(lengths=(6, 6), start_delay=3)"),
        (make_env("matrix_game"), "matrix_game()"),
        (Hallway((2, 3), reward_win=1), "Hallway(lengths=(2, 3), reward_win=1.0)"),
        (TimeLimit(make_env("hallway"), 3), "TimeLimit(env=hallway(lengths=(4, 4)), steps=3)"),
        (FullObservation(Hallway((2, 3))), "FullObservation(env=Hallway(lengths=(2, 3)))"),
    ],
)
def test_a_task_is_written_as_what_makes_it(env, text):
    assert repr(env) == text


def test_long_options_are_cut():
    rewards = [[[float(row + column) for column in range(40)] for row in range(40)]] * 2
    assert len(repr(make_env("matrix_game", table=rewards))) < 200
    assert len(repr(MatrixGame(rewards))) < 200


def test_a_class_is_registered_where_it_stands():
    @register_env("mine")
    class Mine(MatrixGame):
        pass

    assert isinstance(make_env("mine"), Mine)
    with pytest.raises(TypeError, match="must be callable"):
        register_env("other", 3)
