"""`smacv2:`, the package of SMACv2 (oxwhirl/smacv2): teams and places that are drawn anew in each episode."""

from __future__ import annotations

from typing import Any

from marlcomm.bridge.starcraft.packages import check_options, load
from marlcomm.bridge.starcraft.smac import SMACSimulator, set_patience, version_of
from marlcomm.validation import UsageError

UNITS = {  # race -> kinds with their weights, and the kind of which no team consists alone
    "protoss": ({"stalker": 0.45, "zealot": 0.45, "colossus": 0.1}, ""),
    "terran": ({"marine": 0.45, "marauder": 0.45, "medivac": 0.1}, "medivac"),
    "zerg": ({"zergling": 0.45, "baneling": 0.1, "hydralisk": 0.45}, "baneling"),
}
PUBLISHED = {  # arguments of the published experiments, where they are not the defaults
    "conic_fov": False,
    "use_unit_ranges": True,
    "min_attack_range": 2,
    "obs_own_pos": True,
}


def make(name: str, *, game_version: str | None = None, seconds: float = 30.0, **options: Any) -> SMACSimulator:
    """A scenario of SMACv2.

    Args:
      name: race_N_vs_M, such as "zerg_5_vs_5", as the paper names them.
      game_version: such as "4.10"; by default the newest that there is.
      seconds: that the game has for an answer.
      **options: of SMACv2's `StarCraft2Env`; `capability_config` stands in place of the whole published one.

    Raises:
      MissingPackage: the package is missing; the message says what to type.
      UsageError: the name or an option is not known.
    """
    capability = options.pop("capability_config", None) or capabilities(name)
    wrapper = load("smacv2", "smacv2.env.starcraft2.wrapper").StarCraftCapabilityEnvWrapper
    check_options(load("smacv2", "smacv2.env").StarCraft2Env.__init__, options, "The package smacv2")
    set_patience(seconds)
    chosen = {"map_name": f"10gen_{name.partition('_')[0]}", "continuing_episode": True, **PUBLISHED, **options}
    chosen |= version_of(game_version)
    # the scale is that of the first team that is drawn, as the package has it
    return SMACSimulator(lambda seed: wrapper(capability_config=capability, seed=seed, **chosen), same_scale=False)


def capabilities(name: str) -> dict[str, Any]:
    """The published distribution of a scenario's teams and places. Raises UsageError where the name is none."""
    race, _, sizes = name.partition("_")
    allies, versus, enemies = sizes.partition("_vs_")
    if race not in UNITS or not (versus and allies.isdigit() and enemies.isdigit() and int(allies) and int(enemies)):
        raise UsageError(f"SMACv2 has no scenario {name!r}; it must be race_N_vs_M, such as zerg_5_vs_5, with a race "
                         f"of {', '.join(UNITS)}.")  # fmt: skip
    weights, never_alone = UNITS[race]
    team: dict[str, Any] = {
        "dist_type": "weighted_teams",
        "unit_types": [*weights],
        "weights": [*weights.values()],
        "observe": True,
    }
    team |= {"exception_unit_types": [never_alone]} if never_alone else {}
    places = {"dist_type": "surrounded_and_reflect", "p": 0.5, "map_x": 32, "map_y": 32}
    return {"n_units": int(allies), "n_enemies": int(enemies), "team_gen": team, "start_positions": places}
