"""NDQ's six StarCraft maps, the settings under which experiments train on them, and a table for each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import marlcomm as mc
from experiments.common import Experiment, markdown_table, start
from marlcomm.envs import Environment


@dataclass(frozen=True)
class Map:
    """A map of the NDQ paper.

    Attributes:
      beta: weight of succinctness in Table 1.
      share: of an experiment's environment steps; less where a step costs most.
    """

    beta: float = 1e-5
    share: float = 1.0


MAPS = {
    "3b_vs_1h1m": Map(),
    "3s_vs_5z": Map(),
    "1o2r_vs_4r": Map(),
    "5z_vs_1ul": Map(beta=1e-3),
    "MMM": Map(share=0.5),
    "1o10b_vs_1r": Map(share=0.5),
}
SIGHT = 2  # cells, in the paper; 9 is SMAC's

# What agents see: as NDQ has it, or also where on the map they are, without which nobody can say where the enemy is.
VIEWS: Mapping[str, Mapping[str, Any]] = {"ndq": {}, "position": {"obs_own_pos": True}}


def env_of(name: str, sight: float = SIGHT, views: str = "ndq") -> Environment[Any]:
    """The map with NDQ's settings, another range of sight, and what `VIEWS` adds."""
    return mc.make_env(name, settings="ndq", sight_range=sight, **VIEWS[views])


def label_of(*parts: str, views: str) -> str:
    """The name of a run; NDQ's views go without saying."""
    return "-".join([*parts, *([] if views == "ndq" else [views])])


def steps_on(experiment: Experiment, name: str) -> int:
    """Environment steps of a seed on a map."""
    return int(MAPS[name].share * experiment.steps)


class Found(NamedTuple):
    """What an experiment came to on one map with one sort of views: of a table, below it, and as numbers."""

    rows: Sequence[Sequence[str]]
    numbers: Mapping[str, Any]
    sentences: Sequence[str] = ()


def report_maps(
    name: str,
    title: str,
    description: str | None,
    head: Sequence[str],
    choices: Mapping[str, Iterable[str]],
    find: Callable[[Experiment, str, str], Found],
) -> None:
    """An experiment on the maps: reads the command line, and reports what was found on each.

    Args:
      name, title, description: of the experiment; see `common.start`.
      head: of its tables.
      choices: what can be asked for beside maps and views.
      find: trains or reads back what is asked for, on a map with a sort of `VIEWS`.
    """
    experiment = start(
        name,
        description,
        steps=2_000_000,
        quick_steps=20_000,
        full_steps=20_000_000,
        seeds=3,
        episodes=2000,
        choices={"maps": MAPS, **choices, "views": VIEWS},
    )
    tables, numbers = [], {}
    for each, views in itertools.product(experiment.chosen["maps"], experiment.chosen["views"]):
        found = find(experiment, each, views)
        numbers[f"{each}, {views}"] = found.numbers
        steps = steps_on(experiment, each)
        tables += [
            f"**{each}**, views: {views}; {steps:,} steps a seed: won, in percent.",
            markdown_table(head, found.rows),
            *found.sentences,
        ]
    experiment.report(title, tables, numbers)
