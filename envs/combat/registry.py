"""Scenarios as tasks with names."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from marlcomm.envs.combat.roster import Roster
from marlcomm.envs.combat.scenarios import SCENARIOS
from marlcomm.envs.combat.task import Combat
from marlcomm.envs.combat.types import Group, Scenario
from marlcomm.names import TASKS
from marlcomm.validation import UsageError

_TASKS: dict[str, type[Combat]] = {}  # of scenarios, by name: each is made once


def register_scenario(scenario: Scenario, *, replace: bool = False) -> None:
    """Lets `make_env(scenario.name)`, and the command line, play a battle of your own.

    Args:
      scenario: the battle; kinds of units of your own are registered before it, with `register_unit`.
      replace: allows a name that is taken.

    Raises:
      UsageError: the name is not of words, or taken and `replace` is False; or the scenario cannot be: it names a
        unit, a place or a terrain that there is not, has more units than the map holds, lets them start in a wall, or
        has no ally that can hit an enemy.
    """
    if not isinstance(scenario, Scenario):
        raise UsageError(f"register_scenario: {scenario!r} must be a marlcomm.envs.Scenario.")
    roster = Roster(scenario)  # finds what cannot be
    if not roster.ally.can_hit.any():
        raise UsageError(f"scenario {scenario.name!r}: none of the allies can hit any of the enemies.")
    user = sys._getframe(1).f_globals.get("__name__", __name__)  # as `collections.namedtuple` finds it
    TASKS.add(scenario.name, _make_task(scenario, user), replace=replace)
    SCENARIOS[scenario.name] = scenario


def task_of(scenario: Scenario) -> type[Combat]:
    """The task of a scenario: a class, whose arguments are the options of `make_env`."""
    known = _TASKS.get(scenario.name)
    if known is None or known.scenario is not scenario:
        known = _TASKS[scenario.name] = _make_task(scenario)
    return known


def _make_task(scenario: Scenario, module: str = __name__) -> type[Combat]:
    """The class, whose first line says who fights; its module is that which registers it in other processes, too."""
    sides = f"{_listed(scenario.allies)} against {_listed(scenario.enemies)}"
    text = f"Battle of {sides}, up to {scenario.limit} steps.\n\nSource: {scenario.source or 'ours'}."
    return type(scenario.name, (Combat,), {"scenario": scenario, "__doc__": text, "__module__": module})


def _listed(groups: Sequence[Group]) -> str:
    """Such as "2 marauder + 7 marine + 1 medivac"."""
    counts: dict[str, int] = {}
    for group in groups:
        counts[group.unit] = counts.get(group.unit, 0) + group.count
    return " + ".join(f"{count} {unit}" for unit, count in counts.items())
