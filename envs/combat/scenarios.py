"""Battles by name: the six maps of NDQ, and the standard maps of SMAC whose units there are.

Spawns, orders, terrain and changed numbers are those of the map files (triggers, objects, regions and game data),
limits those of the wrappers' map tables. Where several units appear at one point, the game spreads them; here they
stand side by side around it.
"""

from __future__ import annotations

from collections.abc import Sequence

from marlcomm.envs.combat.types import Group, Rect, Scenario
from marlcomm.validation import UsageError, nearest

SMAC = "oxwhirl/smac, SMAC_Maps"
NDQ = "TonghanWang/NDQ, sc2_maps"


def point(x: float, y: float) -> tuple[Rect, ...]:
    """A place that is one point."""
    return ((x, y, x, y),)


LEFT, RIGHT = point(9, 16), point(23, 16)  # Team 1, Team 2
CORNERS: tuple[Rect, ...] = tuple(each for xy in ((3.5, 2), (3.5, 28.86), (28.5, 28), (28.5, 2)) for each in point(*xy))


def _facing(
    name: str, allies: Sequence[tuple[str, int]], enemies: Sequence[tuple[str, int]], limit: int, **more: object
) -> Scenario:
    """Two sides on a strip: the enemies march to where the allies started."""
    return Scenario(
        name=name,
        allies=tuple(Group(unit, count, "left") for unit, count in allies),
        enemies=tuple(Group(unit, count, "right") for unit, count in enemies),
        places={"left": LEFT, "right": RIGHT},
        march="left",
        limit=limit,
        **{"source": SMAC, **more},  # pyright: ignore[reportArgumentType]
    )


def _marines(name: str, allies: int, enemies: int, limit: int) -> Scenario:
    return _facing(name, [("marine", allies)], [("marine", enemies)], limit)


def _protoss(name: str, allies: Sequence[tuple[str, int]], enemies: Sequence[tuple[str, int]], limit: int) -> Scenario:
    kinds = tuple(unit for unit, _ in allies)
    # the wrapper counts the enemies' kinds from the zealot on, but for maps with a colossus
    enemy_types = kinds if "colossus" in kinds else kinds[::-1]
    return _facing(name, allies, enemies, limit, ally_types=kinds, enemy_types=enemy_types)


def _medics(name: str, marines: int, marauders: int, limit: int) -> Scenario:
    kinds = ("marauder", "marine", "medivac")
    return _facing(
        name,
        [("marauder", 2), ("marine", 7), ("medivac", 1)],
        [("marine", marines), ("marauder", marauders), ("medivac", 1)],
        limit,
        ally_types=kinds,
        enemy_types=kinds,
        medics_alone="lose",
    )


OVERLORD_UNITS = {
    "roach": {"period": 1.0, "scan": 3.0, "sight": 4.0},
    "reaper": {"range": 3.0, "scan": 3.0, "sight": 4.0},
    "overlord": {"sight": 4.0},
}

STANDARD = (
    _marines("3m", 3, 3, 60),
    _marines("8m", 8, 8, 120),
    _marines("25m", 25, 25, 150),
    _marines("5m_vs_6m", 5, 6, 70),
    _marines("8m_vs_9m", 8, 9, 120),
    _marines("10m_vs_11m", 10, 11, 150),
    _marines("27m_vs_30m", 27, 30, 180),
    _medics("MMM", 7, 2, 150),
    _medics("MMM2", 8, 3, 180),
    _protoss("2s3z", [("stalker", 2), ("zealot", 3)], [("stalker", 2), ("zealot", 3)], 120),
    _protoss("3s5z", [("stalker", 3), ("zealot", 5)], [("stalker", 3), ("zealot", 5)], 150),
    _protoss("3s5z_vs_3s6z", [("stalker", 3), ("zealot", 5)], [("stalker", 3), ("zealot", 6)], 170),
    _protoss(
        "1c3s5z",
        [("colossus", 1), ("stalker", 3), ("zealot", 5)],
        [("colossus", 1), ("stalker", 3), ("zealot", 5)],
        180,
    ),
    _facing("3s_vs_3z", [("stalker", 3)], [("zealot", 3)], 150, terrain="open"),
    _facing("3s_vs_4z", [("stalker", 3)], [("zealot", 4)], 200, terrain="open"),
    _facing("3s_vs_5z", [("stalker", 3)], [("zealot", 5)], 250, terrain="open"),
    Scenario(
        name="2m_vs_1z",
        allies=(Group("marine", 1, "marine 1"), Group("marine", 1, "marine 2")),
        enemies=(Group("zealot", 1, "zealot"),),
        places={
            "marine 1": point(13, 12),
            "marine 2": point(19, 12),
            "zealot": point(16, 19),
            "between": ((13, 12, 19, 12),),
        },
        march="between",
        terrain="octagon",
        limit=150,
        source=SMAC,
    ),
    Scenario(
        name="2s_vs_1sc",
        allies=(Group("stalker", 1, "stalker 1"), Group("stalker", 1, "stalker 2")),
        enemies=(Group("spine_crawler", 1, "spine crawler"),),
        places={
            "stalker 1": point(11.12, 10.34),
            "stalker 2": point(16.98, 10.37),
            "spine crawler": point(13.92, 20.04),
        },
        terrain="bell",
        limit=300,
        source=SMAC,
    ),
    Scenario(
        name="6h_vs_8z",
        allies=(Group("hydralisk", 6, "hydralisks"),),
        enemies=(Group("zealot", 8, "zealots"),),
        places={"hydralisks": point(14.6, 9.49), "zealots": point(14.41, 16.76)},
        march="hydralisks",
        terrain="pit",
        limit=150,
        source=SMAC,
    ),
    Scenario(
        name="corridor",
        allies=(Group("zealot", 6, "zealots"),),
        enemies=(Group("zergling", 24, "zerglings"),),
        places={"zealots": point(19.04, 19.12), "zerglings": point(27.91, 28.24), "attack": point(4.47, 4.33)},
        march="attack",
        terrain="two_rooms",
        limit=400,
        source=SMAC,
    ),
    Scenario(
        name="so_many_baneling",
        allies=(Group("zealot", 7, "zealots"),),
        enemies=(Group("baneling", 32, "banelings"),),
        places={"zealots": point(11.47, 12.02), "banelings": point(27.91, 28.24), "attack": point(4.47, 4.33)},
        march="attack",
        terrain="stairs",
        limit=100,
        source=SMAC,
    ),
    Scenario(
        name="bane_vs_bane",
        allies=(Group("baneling", 4, "banelings 1"), Group("zergling", 20, "zerglings 1")),
        enemies=(Group("zergling", 20, "zerglings 2"), Group("baneling", 4, "banelings 2")),
        places={
            "banelings 1": point(16, 8),
            "zerglings 1": point(16, 11),
            "zerglings 2": point(16, 21),
            "banelings 2": point(16, 24),
        },
        march="banelings 1",
        terrain="octagon",
        ally_types=("baneling", "zergling"),
        enemy_types=("baneling", "zergling"),
        limit=200,
        source=SMAC,
    ),
)

OF_NDQ = (  # and 3s_vs_5z and MMM, which are the standard ones
    Scenario(
        name="3b_vs_1h1m",
        allies=tuple(Group("baneling", 1, place) for place in ("bar, left", "bar, right", "stem")),
        enemies=(Group("hydralisk", 1, "top"), Group("medivac", 1, "top")),
        places={
            "bar, left": ((0, 30, 14, 32),),
            "bar, right": ((18, 30, 32, 32),),
            "stem": ((15, 0.5, 17, 30.5),),
            "top": point(16, 31),
        },
        terrain="tee",
        overrides={"hydralisk": {"damage": 30.0, "range": 2.0, "scan": 2.0}, "medivac": {"heals": 7.0}},
        medics_alone="win",
        limit=30,
        settings="ndq",
        shoot_range=2.0,  # of the one command that NDQ's authors give
        source=f"{NDQ}, bane_vs_hM",
    ),
    Scenario(
        name="1o2r_vs_4r",
        allies=(Group("overlord", 1, "corner"), Group("roach", 2, "elsewhere")),
        enemies=(Group("reaper", 4, "corner"),),
        places={
            "corner": CORNERS,
            "elsewhere": ((0, 0, 32, 5), (0, 27, 32, 32), (24.5, 6, 31.5, 26), (0.5, 6, 7.5, 26)),
        },
        terrain="ring",
        overrides=OVERLORD_UNITS,
        ally_types=("roach", "overlord"),
        limit=50,
        settings="ndq",
        source=f"{NDQ}, 1o_2r_vs_4r",
    ),
    Scenario(
        name="1o10b_vs_1r",
        allies=(Group("baneling", 10, "anywhere", apart=True), Group("overlord", 1, "corner")),
        enemies=(Group("roach", 1, "corner"),),
        places={
            "corner": CORNERS,
            "anywhere": ((0, 0, 32, 5), (0, 27, 32, 32), (26, 6, 31, 26), (1, 6, 6, 26), (12, 14, 20, 18)),
        },
        terrain="rocks",
        # the wrapper knows no banelings on this map
        overrides={**OVERLORD_UNITS, "baneling": {"cooldown_scale": 15.0}},
        ally_types=("overlord", "baneling"),
        limit=50,
        settings="ndq",
        source=f"{NDQ}, 1o_10b_vs_1r",
    ),
    Scenario(
        name="5z_vs_1ul",
        allies=(Group("zealot", 3, "here"), Group("zealot", 2, "there")),
        enemies=(Group("ultralisk", 1, "here"),),
        places={
            "here": ((0.99, 7.65, 30.94, 24.28),),
            "there": ((0.99, 7.65, 30.94, 24.28),),
            "attack": LEFT,
        },
        march="attack",
        # the wrapper takes the zealots for stalkers
        overrides={"zealot": {"cooldown_scale": 35.0, "shield_scale": 80.0}},
        limit=150,
        settings="ndq",
        source=f"{NDQ}, 5z_vs_1ul",
    ),
)

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in (*STANDARD, *OF_NDQ)}


def get_scenario(name: str) -> Scenario:
    """The scenario called `name`. Raises UsageError with the nearest name where there is none."""
    if name not in SCENARIOS:
        raise UsageError(f"No scenario is called {name!r}.{nearest(name, tuple(sorted(SCENARIOS)))}")
    return SCENARIOS[name]
