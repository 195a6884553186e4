"""Every scenario has the sizes of its map, starts where it should, and what cannot be is said in a sentence."""

import dataclasses
import functools
import importlib

import jax
import numpy as np
import pytest
from duels import scenario

from marlcomm.envs import Group, Unit, make_env, register_scenario, register_unit
from marlcomm.envs.combat import SCENARIOS, battle
from marlcomm.envs.combat.roster import Roster
from marlcomm.names import COMBAT, TASKS, modules_of_users


@functools.cache
def starts(name, sort=False):
    """A roster, and units and orders [256, U] of its battle at the start."""
    roster = Roster(SCENARIOS[name])
    start = jax.jit(jax.vmap(lambda key: battle.start(roster, key, sort)))
    return roster, *jax.device_get(start(jax.random.split(jax.random.key(0), 256)))


SIZES = {  # agents, enemies, actions, observation, state, limit; maximal reward where NDQ's maps have one
    "3m": (3, 3, 9, 30, 48, 60),
    "8m": (8, 8, 14, 80, 168, 120),
    "25m": (25, 25, 31, 250, 950, 150),
    "5m_vs_6m": (5, 6, 12, 55, 98, 70),
    "8m_vs_9m": (8, 9, 15, 85, 179, 120),
    "10m_vs_11m": (10, 11, 17, 105, 243, 150),
    "27m_vs_30m": (27, 30, 36, 285, 1170, 180),
    "MMM": (10, 10, 16, 160, 290, 150, 1015),
    "MMM2": (10, 12, 18, 176, 322, 180),
    "2s3z": (5, 5, 11, 80, 120, 120),
    "3s5z": (8, 8, 14, 128, 216, 150),
    "3s5z_vs_3s6z": (8, 9, 15, 136, 230, 170),
    "3s_vs_3z": (3, 3, 9, 36, 54, 150),
    "3s_vs_4z": (3, 4, 10, 42, 61, 200),
    "3s_vs_5z": (3, 5, 11, 48, 68, 250, 1000),
    "1c3s5z": (9, 9, 15, 162, 270, 180),
    "2m_vs_1z": (2, 1, 7, 16, 26, 150),
    "corridor": (6, 24, 30, 156, 282, 400),
    "6h_vs_8z": (6, 8, 14, 78, 140, 150),
    "2s_vs_1sc": (2, 1, 7, 17, 27, 300),
    "so_many_baneling": (7, 32, 38, 202, 397, 100),
    "bane_vs_bane": (24, 24, 30, 336, 984, 200),
    "3b_vs_1h1m": (3, 2, 8, 31, 52, 30, 450),
    "1o2r_vs_4r": (3, 4, 10, 43, 68, 50, 440),
    "5z_vs_1ul": (5, 1, 7, 26, 63, 150, 810),
    "1o10b_vs_1r": (11, 1, 7, 73, 148, 50, 355),
}
DRAWN = ("1o2r_vs_4r", "3b_vs_1h1m", "1o10b_vs_1r", "5z_vs_1ul")  # whose places are drawn by chance


def test_every_scenario_is_a_task():
    assert {*SIZES} == {*SCENARIOS} == {*COMBAT}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_those_of_the_map(name):
    env = make_env(name)
    sizes = (env.num_agents, env.roster.num_enemies, env.num_actions, env.observation_size, env.state_size, env.horizon)
    wanted, most = SIZES[name][:6], SIZES[name][6:]
    assert sizes == wanted
    assert most in ((), (env.max_reward,))
    assert len(env.feature_names()) == len({*env.feature_names()}) == env.observation_size
    assert len(env.state_names()) == len({*env.state_names()}) == env.state_size


def test_ndqs_maps_under_the_standard_settings():
    env = make_env("3b_vs_1h1m", settings="smac")
    assert env.observation_size == 31 + 2 * 1 + 2 * 1  # health of two enemies and two allies
    assert (env.sight_range, env.shoot_range) == (9.0, 6.0)
    env = make_env("MMM", settings="ndq")
    assert (env.observation_size, env.sight_range, env.shoot_range) == (141, 2.0, 6.0)
    env = make_env("3b_vs_1h1m")  # the one map of which another range is published
    assert (env.sight_range, env.shoot_range) == (2.0, 2.0)
    assert make_env("3b_vs_1h1m", shoot_range=6).shoot_range == 6.0


@pytest.mark.parametrize(
    "name", [*DRAWN, *(pytest.param(name, marks=pytest.mark.slow) for name in SIZES if name not in DRAWN)]
)
def test_units_start_on_the_map_on_ground_of_their_own(name):
    roster, units, orders = starts(name)
    x, y = np.asarray(units.x), np.asarray(units.y)
    ground = np.array([not unit.flying for unit in roster.units])
    assert roster.terrain.open[x.astype(int), y.astype(int)][:, ground].all()
    places = np.stack([x, y], -1)[:, ground]
    apart = np.hypot(*(places[:, None] - places[:, :, None]).transpose(3, 0, 1, 2)) + np.eye(ground.sum())
    assert (apart > 1e-3).all()
    assert np.asarray(orders.go)[:, roster.num_allies :].all() == bool(SCENARIOS[name].march)
    assert not np.asarray(orders.go)[:, : roster.num_allies].any()
    for kind in {*roster.names[: roster.num_allies]}:  # sorted from left to right
        rows = [i for i, other in enumerate(roster.names[: roster.num_allies]) if other == kind]
        assert (np.diff(x[:, rows]) >= 0).all()


def test_the_overlords_of_ndq_hover_over_the_enemy():
    _, units, _ = starts("1o2r_vs_4r")
    x, y = np.asarray(units.x), np.asarray(units.y)
    corners = {(round(float(a), 2), round(float(b), 2)) for a, b in zip(x[:, 0], y[:, 0], strict=True)}
    assert corners == {(3.5, 2.0), (3.5, 28.86), (28.5, 28.0), (28.5, 2.0)}
    assert np.hypot(x[:, 3:] - x[:, :1], y[:, 3:] - y[:, :1]).max() < 2.0
    assert np.hypot(x[:, 1] - x[:, 2], y[:, 1] - y[:, 2]).max() < 3.0


def test_enemies_can_be_numbered_from_left_to_right():
    place = [starts("3m", sort)[1].x[0, 3:] for sort in (False, True)]
    assert not (np.diff(place[0]) >= 0).all()
    assert (np.sort(place[0]) == place[1]).all()


ROOM = {
    "terrain": ("........", "........", "....+...", "....+...", "........"),
    "places": {"left": ((2.5, 2.5, 2.5, 2.5),), "right": ((6.5, 2.5, 6.5, 2.5),)},
}
WRONG = [
    ({"allies": (Group("mariner", 1, "left"),)}, "no unit is called 'mariner'. Did you mean 'marine'"),
    ({"allies": (Group("marine", 900, "left"),)}, "901 units on the ground need 507 cells, and the map holds 38"),
    ({"allies": (Group("marine", 0, "left"),)}, "count of 'marine' in allies=0 must be a whole number, at least 1"),
    ({"allies": ()}, "allies must have at least one group"),
    ({"allies": (Group("marine", 1, "lef"),)}, "no place is called 'lef'. Did you mean 'left'"),
    ({"places": {"left": ((2, 2, 2, 2),), "right": ((9, 1, 9, 1),)}}, "place 'right' has (9, 1, 9, 1)"),
    (
        {"places": {"left": ((4.5, 2, 4.5, 2),), "right": ((1, 1, 1, 1),)}},
        "place 'left' at (4.5, 2, 4.5, 2) is in a wall",
    ),
    (
        {"march": "wall", "places": ROOM["places"] | {"wall": ((4.5, 2, 4.5, 2),)}},
        "place 'wall' at (4.5, 2, 4.5, 2) is in a wall",
    ),
    ({"name": "a\nb"}, r"name='a\nb' must be a string of words"),
    ({"name": "sc2:mine"}, "name='sc2:mine' must be a string of words"),
    ({"march": "there"}, "no place is called 'there'"),
    ({"terrain": "stirp"}, "terrain='stirp' is not known. Did you mean 'strip'"),
    ({"terrain": ("...", "..")}, "row 1 of terrain must be text as long as row 0"),
    ({"terrain": ("..x",)}, "row 0 of terrain has 'x'"),
    ({"overrides": {"marine": {"helth": 3}}}, "a unit has no 'helth'. Did you mean 'health'"),
    ({"overrides": {"marine": {"period": 0.0}}}, "unit 'marine': period=0.0 must be above 0"),
    ({"ally_types": ("zealot",)}, "ally_types lacks 'marine'"),
    (
        {"overrides": {"marine": {"bonus": {"armoured": 9.0}}}},
        "bonus has 'armoured', which no unit can be. Did you mean",
    ),
    ({"overrides": {"marine": {"heal_cost": -1.0}}}, "unit 'marine': heal_cost=-1.0 must be at least 0"),
    ({"medics_alone": "loose"}, "medics_alone='loose' is not known"),
    ({"settings": "nqd"}, "settings='nqd' is not known"),
    ({"shoot_range": 0.0}, "shoot_range=0.0 must be above 0"),
    ({"allies": Group("marine", 1, "left")}, "is of type Group; it must be tuple[Group, ...]"),
    ({"enemies": ("zealot",)}, "enemies=('zealot',) is of type tuple; it must be tuple[Group, ...]"),
    ({"allies": (Group(3, 1, "left"),)}, "allies: unit=3 is of type int; it must be str"),
    ({"allies": (Group("marine", 1, None),)}, "allies: place=None is of type NoneType; it must be str"),
    ({"allies": (Group("overlord", 60, "left"),)}, "60 units in the air need 135 cells, and the map holds 40"),
    ({"ally_types": "marine"}, "ally_types='marine' is of type str; it must be tuple[str, ...]"),
    ({"ally_types": ("marine", "zealott")}, "ally_types has 'zealott'. Did you mean 'zealot'"),
    ({"name": 3}, "name=3 is of type int; it must be str"),
    ({"terrain": 5}, "terrain=5 is of type int"),
    ({"march": ["left"]}, "march=['left'] is of type list; it must be str"),
    ({"places": (("left", (2, 2, 2, 2)),)}, "it must be Mapping[str, tuple[Rect, ...]]"),
    ({"places": {"left": (2, 2, 2, 2)}}, "place 'left' must be a tuple of rectangles, not (2, 2, 2, 2)"),
    ({"places": {"left": (("2", 2, 2, 2),)}}, "place 'left' must be a tuple of rectangles, not (('2', 2, 2, 2),)"),
    ({"places": ROOM["places"] | {"spare": ((0, 0, 99, 1),)}}, "place 'spare' has (0, 0, 99, 1)"),
    ({"overrides": {"marine": 3.0}}, "overrides of 'marine' must be a dict of fields, not 3.0"),
    ({"overrides": {"marine": {3: 3.0}}}, "a unit has no 3."),
    ({"overrides": {"marine": {"health": "45"}}}, "unit 'marine': health='45' is of type str; it must be float"),
    ({"overrides": {"marine": {"attributes": None}}}, "attributes=None is of type NoneType"),
    ({"overrides": {"marine": {"flying": "yes"}}}, "flying='yes' is of type str; it must be bool"),
    ({"overrides": {"marine": {"bonus": ["light"]}}}, "it must be Mapping[Attribute, float]"),
    ({"overrides": {"marine": {"bonus": {"light": "x"}}}}, "bonus of 'light'='x' must be a finite number"),
    ({"overrides": {"marine": {"speed": np.inf}}}, "speed=inf must be finite"),
    ({"overrides": {"marine": {"sight": -3.0}}}, "sight=-3.0 must be at least 0"),
    ({"overrides": {"marine": {"separation": -1.0}}}, "separation=-1.0 must be at least 0"),
    ({"overrides": {"marine": {"cooldown_scale": 0.0}}}, "cooldown_scale=0.0 must be above 0"),
    ({"overrides": {"marine": {"shield_scale": -1.0}}}, "shield_scale=-1.0 must be above 0"),
    ({"overrides": {"marine": {"jitter": (0.2, -0.2)}}}, "jitter=(0.2, -0.2) must be the least and the most"),
    ({"overrides": {"marine": {"energy": 9.0}}}, "energy=9.0 must be at most energy_max=0.0"),
    ({"overrides": {"marine": {"heals": 9.0}}}, "it heals, so cannot attack: damage=6 must be 0"),
    ({"allies": (Group("overlord", 2, "left"),)}, "none of the allies can hit any of the enemies"),
    ({"limit": 0}, "limit=0 must be a whole number, at least 1"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG)
def test_what_cannot_be_is_said_in_a_sentence(changes, words):
    right = dataclasses.replace(scenario([("marine", 1)], [("zealot", 1)]), **ROOM)
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        register_scenario(dataclasses.replace(right, **changes))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "test" not in SCENARIOS


def test_names_that_are_taken_and_things_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="'3m' exists already"):
        register_scenario(dataclasses.replace(SCENARIOS["3m"]))
    with pytest.raises(ValueError, match=r"must be a marlcomm\.envs\.Scenario"):
        register_scenario("3m")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="'marine' exists already"):
        register_unit("marine", Unit(health=3))
    with pytest.raises(ValueError, match="health=0 must be above 0"):
        register_unit("ghost", Unit(health=0))


def test_other_processes_know_which_module_registers_a_battle(tmp_path, monkeypatch):
    monkeypatch.setattr(TASKS, "_things", {**TASKS._things})
    monkeypatch.setattr(TASKS, "_groups", {**TASKS._groups})
    monkeypatch.setitem(SCENARIOS, "of_a_module", SCENARIOS["3m"])
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_battles.py").write_text(
        "import dataclasses\nimport marlcomm as mc\nfrom marlcomm.envs.combat.scenarios import SCENARIOS\n"
        "mc.register_scenario(dataclasses.replace(SCENARIOS['3m'], name='of_a_module'))\n"
    )
    assert "my_battles" not in modules_of_users()
    importlib.import_module("my_battles")
    assert "my_battles" in modules_of_users()
    assert make_env("of_a_module").horizon == make_env("3m").horizon
