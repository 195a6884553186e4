"""VDN on MPE2's own tasks, through the bridge, and on the same tasks in JAX: one learning curve, within the spread.

Steps, views and rewards are the same to rounding (`tests/envs/particle/test_against_mpe2.py`). First positions are
drawn by other generators, and on spread MPE2's views end with zeros: what the others say, who have no words. The state
is another, of MPE2 all views in a row: hence VDN, which sums and reads none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import marlcomm as mc
from experiments.common import (
    Experiment,
    FinishedRun,
    curves_as_json,
    markdown_table,
    plain_return,
    result_row,
    start,
)
from marlcomm.analysis import plot_curves
from marlcomm.bridge.task import BridgeTask

WORKERS = 2
SETTINGS = {"num_envs": 8, "target_interval": 0}  # copied at every 13th update, values on spread run away
FARAMA = {"integration": "farama", "steps": 25}
SPREAD = {"num_agents": 3, "reward": "farama", "num_landmark_neighbors": None, "num_agent_neighbors": None, **FARAMA}
TASKS: Mapping[str, tuple[str, Mapping[str, Any], str]] = {  # in JAX, its options, MPE2's
    "spread": ("navigation", SPREAD, "pettingzoo:mpe2.simple_spread_v3"),
    "reference": ("reference", FARAMA, "pettingzoo:mpe2.simple_reference_v3"),
}


def both(experiment: Experiment, task: str) -> dict[str, FinishedRun]:
    """Trained runs in JAX and through the bridge."""
    name, options, simulator = TASKS[task]
    inside, outside = mc.make_env(name, **options), mc.make_env(simulator, workers=WORKERS)
    assert isinstance(outside, BridgeTask)
    try:
        if (inside.horizon, inside.num_agents) != (outside.horizon, outside.num_agents):
            raise SystemExit(
                f"{task}: here {inside.num_agents} agents take {inside.horizon} steps, there another number."
            )
        sides = {"jax": inside, "mpe2": outside}
        return {side: experiment.train(f"vdn-{task}-{side}", mc.vdn(env, **SETTINGS)) for side, env in sides.items()}
    finally:
        outside.close()


def curve_table(curves: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """A row an evaluation: mean and range over seeds of both, and whether the ranges meet."""
    here, there = (curves[side]["test_return"] for side in ("jax", "mpe2"))
    rows = []
    for steps, one, other in zip(curves["jax"]["env_steps"].max(1), here, there, strict=False):
        meet = one.min() <= other.max() and other.min() <= one.max()
        rows.append([f"{int(steps):,}", _spread(one), _spread(other), "yes" if meet else "no"])
    return markdown_table(("steps", "in JAX: mean (range)", "MPE2: mean (range)", "ranges meet"), rows)


def _spread(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ({values.min():.2f} .. {values.max():.2f})"


def main() -> None:
    """See the module."""
    experiment = start(
        "bridge_curves",
        __doc__,
        steps=150_000,
        quick_steps=4_000,
        seeds=3,
        episodes=640,  # of the last evaluation in training, which is what is shown
        evaluation_episodes=64,  # MPE2 is slow
        choices={"tasks": TASKS},
    )
    tables, numbers = [], {}
    for task in experiment.chosen["tasks"]:
        runs = both(experiment, task)
        curves = numbers[task] = {side: curves_as_json(run) for side, run in runs.items()}
        experiment.save_figure(
            task, plot_curves({side: run.metrics for side, run in runs.items()}, panels=["test_return"])
        )
        last = [result_row(side, "", run.final_return, plain_return) for side, run in runs.items()]
        tables += [f"**{task}**", curve_table(curves)]
        tables += [
            markdown_table(("last evaluation", "mean ± 95 % interval", "every seed"), [[a, *b] for a, _, *b in last])
        ]
    experiment.report("MPE2 through the bridge, and the same tasks in JAX", tables, numbers)


if __name__ == "__main__":
    main()
