"""Battles of StarCraft II units: SMAC's and NDQ's maps without the game, and scenarios of your own."""

from __future__ import annotations

from typing import Any

from marlcomm.envs.combat.registry import register_scenario, task_of
from marlcomm.envs.combat.scenarios import SCENARIOS, get_scenario
from marlcomm.envs.combat.task import Combat
from marlcomm.envs.combat.types import Group, Scenario, Unit
from marlcomm.envs.combat.units import UNITS, register_unit
from marlcomm.envs.combat.views import ViewOptions, Views

__all__ = [
    "SCENARIOS",
    "UNITS",
    "Combat",
    "Group",
    "Scenario",
    "Unit",
    "ViewOptions",
    "Views",
    "get_scenario",
    "register_scenario",
    "register_unit",
]


def __getattr__(name: str) -> Any:
    """The task of a scenario, by the scenario's name, such as `3m`: so names of tasks can be known before they load."""
    if name in SCENARIOS:
        return task_of(SCENARIOS[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
