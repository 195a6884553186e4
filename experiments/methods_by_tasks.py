"""Every way of talking on the tasks of the field: one budget of environment steps a task, all that is said counted.

Rows up to `discrete` differ in the channel only (QMIX's mixer and learner; `gaussian` is NDQ with its losses, `silent`
plain QMIX). Below stand methods with losses or learners of their own. On sensor, `random` messages (drawn from all
that are said, so without information) must not be worth more than silence, 12.5.

In parts, by several processes, each (method, task) a run folder that goes on where it stopped:

    python -m experiments.methods_by_tasks --tasks sensor search --methods silent mean
    python -m experiments.methods_by_tasks --tasks sensor search --methods maic masia
    python -m experiments.methods_by_tasks --read   # the tables, of what is finished
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

import marlcomm as mc
from experiments.common import (
    MIDDLE_HEAD,
    Experiment,
    FinishedRun,
    NotTrained,
    curves_as_json,
    markdown_table,
    middle_cells,
    percent,
    plain_return,
    start,
)
from experiments.table2_search import SETTINGS as SEARCH_SETTINGS
from marlcomm.algorithms import Algorithm
from marlcomm.algorithms.registry import learner_of
from marlcomm.envs.small.traffic_junction import TrafficJunction
from marlcomm.training import evaluate
from marlcomm.training.record import RunFolder
from marlcomm.validation import UsageError

TRAFFIC_SETTINGS = TrafficJunction.training_settings["value"]
# Chance seldom eats: without lambda-returns the oracle, too, was at .01 after 5,000 updates (RESULTS.md).
FORAGING_SETTINGS = {"updates_per_step": 12, "td_lambda": 0.8, "target_interval": 0, "discount": 0.99}


@dataclass(frozen=True)
class Task:
    """A task, its share of the experiment's environment steps (`--steps`, of each seed), and what counts.

    Attributes:
      name: of the task; options: its own.
      share: of `--steps`.
      measure: "won" or "return".
      settings: of the value learner; others: of those that learn on-policy or with a critic of actions.
      most_episodes: of a test, where more would not fit into memory: what is said takes most of it.
    """

    name: str
    share: float
    measure: str = "won"
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)
    most_episodes: int = 100_000


TASKS = {
    "sensor": Task("sensor", 0.25, "return"),
    "hallway-4x4": Task("hallway", 1.0),
    "hallway-delays-to-6": Task("hallway", 1.0, options={"start_delay": 6}),
    "search": Task("search", 0.25, "return", settings=SEARCH_SETTINGS, others={"discount": 0.9}),
    "traffic-junction-easy": Task("traffic_junction", 0.5, options={"difficulty": "easy"}),
    # a step of training costs half a second for five seeds; with --full ten times as many
    "traffic-junction-medium": Task(
        "traffic_junction",
        0.1,
        options={"difficulty": "medium"},
        settings={"replay_episodes": 500},  # with 5,000, seven gigabytes for five seeds
        most_episodes=1000,
    ),
    # Foraging-8x8-2p-2f-coop, sight 1: both must stand at the food, and see each other only from the next cell
    "lbf-sight-1": Task(
        "lbf", 1.0, "return", options={"sight": 1, "time_limit": 50}, settings={**TRAFFIC_SETTINGS, **FORAGING_SETTINGS}
    ),
    # both smaller than published, where minutes do not suffice: random play of 10 x 10 cells opens both doors in order
    # in 1 of 2,500 episodes of 20 steps
    "red-blue-doors": Task("red_blue_doors", 1.0, "return", options={"size": 6, "view": 3, "steps": 20}),
    "find-goal": Task("find_goal", 1.0, "return", options={"size": 9, "view": 3, "steps": 10}),
}


class Method(NamedTuple):
    """An algorithm with some of its settings."""

    algorithm: str
    settings: Mapping[str, Any]


def _on_qmix(channel: str) -> Method:
    return Method("qmix", {"channel": channel})


METHODS = {
    "silent": _on_qmix("silent"),
    "shared": _on_qmix("shared"),
    "gaussian": Method("ndq", {}),
    **{name: _on_qmix(name) for name in ("attention", "mean", "gated", "memory", "discrete")},
    "cluster": Method("rgmcomm_qmix", {}),
    **{name: Method(name, {}) for name in ("maic", "masia", "vbc", "tmc", "cacom")},
    "magic-on-qmix": _on_qmix("graph_attention"),
    "dicg-on-qmix": _on_qmix("graph_convolution"),
    "qplex": Method("qplex", {}),
    "qtran": Method("qtran", {}),
    "gaussian-with-qplex": Method("ndq", {"mixer": "qplex"}),
    "gaussian-with-qtran": Method("ndq", {"mixer": "qtran"}),
    **{name: Method(name, {}) for name in ("mappo", "commnet", "magic", "ga_comm", "dicg")},
    **{name: Method(name, {}) for name in ("maddpg", "rgmcomm", "dop", "rgmcomm_dop")},
}


@dataclass(frozen=True)
class Cell:
    """What one method came to on one task.

    Attributes:
      problem: why there are no numbers; empty where there are.
      tested: name -> [P], of evaluation.
      random: [P], what counts, with random messages.
      summary: of the run.
      curves: of training.
    """

    problem: str = ""
    tested: Mapping[str, np.ndarray] = field(default_factory=dict)
    random: np.ndarray = field(default_factory=lambda: np.zeros(0))
    summary: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)


HEAD = ("method", *MIDDLE_HEAD, "bits a step", "with random messages, every seed", "updates", "seconds")


def main() -> None:
    """Trains what is asked for, prints."""
    experiment = start(
        "methods_by_tasks",
        __doc__,
        steps=500_000,
        quick_steps=40_000,
        full_steps=5_000_000,
        seeds=5,
        choices={"tasks": TASKS, "methods": METHODS},
    )
    tables, numbers = [], {}
    for label in experiment.chosen["tasks"]:
        cells = {name: cell_of(experiment, name, label) for name in experiment.chosen["methods"]}
        task, steps = TASKS[label], _steps(experiment, label)
        rows = [_row(name, task.measure, cell) for name, cell in cells.items()]
        tables += [f"**{label}**, {steps:,} steps a seed: {task.measure}.", markdown_table(HEAD, rows)]
        numbers[label] = cells
    experiment.report("Every method by task", tables, numbers)


def cell_of(experiment: Experiment, method: str, label: str) -> Cell:
    """Trains a method on a task, or reads it back, and tests it; what goes wrong is what the cell says."""
    try:
        run = experiment.train(f"{method}-{label}", algorithm_of(method, TASKS[label]), steps=_steps(experiment, label))
        return _tested(run, TASKS[label].measure, min(experiment.episodes, TASKS[label].most_episodes))
    except (Exception, SystemExit) as error:  # a cell that fails is shown, and the others go on
        return Cell(problem_of(error, f"{method}-{label}"))


def problem_of(error: BaseException, label: str) -> str:
    """What a table says of a cell that failed, in a line; all of it goes to the standard error."""
    said = str(error) if isinstance(error, UsageError | NotTrained) else f"{type(error).__name__}: {error}"
    print(f"[{label}] {said}", file=sys.stderr)
    return said.partition("\n")[0].removesuffix(" There are:")


def algorithm_of(method: str, task: Task) -> Algorithm:
    """The method on the task. Raises UsageError where there is no such method or task."""
    name, settings = METHODS[method]
    shared = task.settings if learner_of(name) == "value" else task.others
    return mc.make_algorithm(name, mc.make_env(task.name, **task.options), **{**shared, **settings})


def _steps(experiment: Experiment, label: str) -> int:
    return int(TASKS[label].share * experiment.steps)


def _tested(run: FinishedRun, measure: str, episodes: int) -> Cell:
    """Evaluates a run, or reads back what was found; it is kept with the run."""

    def measured() -> dict[str, Any]:
        return {
            "tested": evaluate(run.saved, episodes=episodes),
            "random": evaluate(run.saved, edits=["random"], episodes=episodes)[measure],
        }

    found = run.kept(f"tested-{measure}-{episodes}-episodes", {"measure": measure, "episodes": episodes}, measured)
    return Cell(
        tested={name: np.array(values, float) for name, values in found["tested"].items()},
        random=np.array(found["random"], float),
        summary=RunFolder(run.saved.path).read_json("summary.json"),
        curves=curves_as_json(run),
    )


def _row(method: str, measure: str, cell: Cell) -> list[str]:
    if cell.problem:
        return [method, cell.problem, *["–"] * (len(HEAD) - 2)]
    form = percent if measure == "won" else plain_return
    noise = " ".join(form(float(value)) for value in cell.random)
    frozen = sum(not member["healthy"] for member in cell.summary["members"])
    label = method + (f" ({frozen} frozen)" if frozen else "")
    updates = max(member["updates"] for member in cell.summary["members"])
    bits = f"{cell.tested['bits_per_step'].mean():.1f}"
    seconds = f"{cell.summary['wall_seconds']:.0f}"
    return [label, *middle_cells(cell.tested[measure], form), bits, noise, f"{updates:,}", seconds]


if __name__ == "__main__":
    main()
