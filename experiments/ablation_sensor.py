"""How often ndq solves sensor: published settings against our defaults, and what optimism and exploration do.

A seed is good if its return comes within 0.5 of the optimum, 15 (the next best fixed point is 12.5). The released code
got there on 4 of 9 seeds.
"""

from __future__ import annotations

import numpy as np

import marlcomm as mc
from experiments.common import FinishedRun, markdown_table, plain_return, start
from marlcomm.analysis import plot_curves
from marlcomm.training import evaluate

GOOD = 14.5
OPTIMISM = (1.0, 0.5, 0.3, 0.1)
EPSILON_STEPS = (50_000, 100_000)


def main() -> None:
    """Trains, draws, prints."""
    experiment = start("ablation_sensor", __doc__, steps=500_000, quick_steps=10_000)
    env = mc.make_env("sensor")
    published = mc.make_algorithm("ndq", env, paper=True)
    runs = {
        "published (paper=True)": experiment.train("ndq-sensor-paper", published),
        "our defaults": experiment.train("ndq-sensor", mc.make_algorithm("ndq", env)),
    }
    optimism, epsilon_steps = (OPTIMISM[::2], EPSILON_STEPS) if experiment.quick else (OPTIMISM, EPSILON_STEPS)
    grid = experiment.train(
        "ndq-sensor-paper-grid", published, {"optimism": list(optimism), "epsilon_steps": list(epsilon_steps)}
    )
    rows, numbers = [], []
    for label, run in runs.items():
        found = evaluate(run.saved, episodes=experiment.episodes)["return"]
        rows.append(_row(label, found))
        numbers.append({"label": label, "return": found})
    found = evaluate(grid.saved, episodes=experiment.episodes)["return"]
    for label, members in _cells(grid).items():
        rows.append(_row(f"published, but {label}", found[members]))
        numbers.append({"label": label, "return": found[members]})
    figure = plot_curves(
        {name: run.metrics for name, run in runs.items()},
        panels=["test_return"],
        references={"full information": 15.0, "best silent team": 12.5, "sensor 0 off": 10.0},
    )
    experiment.save_figure("learning_curves", figure)
    head = ("ndq on sensor", f"seeds ≥ {GOOD}", "mean return", "every seed")
    experiment.report("Sensor: published settings against ours", [markdown_table(head, rows)], {"rows": numbers})


def _cells(grid: FinishedRun) -> dict[str, list[int]]:
    """Label -> members that differ by their seeds only."""
    cells: dict[str, list[int]] = {}
    for member, changes in enumerate(grid.saved.population.changes):
        label = ", ".join(f"{name}={value:g}" for name, value in changes.items())
        cells.setdefault(label, []).append(member)
    return cells


def _row(label: str, found: np.ndarray) -> list[str]:
    every = " ".join(plain_return(float(value)) for value in found)
    return [label, f"{int((found >= GOOD).sum())} of {len(found)}", plain_return(float(found.mean())), every]


if __name__ == "__main__":
    main()
