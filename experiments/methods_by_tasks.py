"""Every way of talking on five tasks: one mixer, one learner, one budget a task; only the channel differs.

The mixer and learner are QMIX's; `gaussian` is NDQ with its losses, `silent` plain QMIX. On sensor, `random` messages
(drawn from all that are said, so without information) must not be worth more than silence, 12.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import marlcomm as mc
from experiments.common import curves_as_json, markdown_table, percent, plain_return, result_row, start
from experiments.table2_search import SETTINGS as SEARCH_SETTINGS
from marlcomm.algorithms import Algorithm
from marlcomm.training import evaluate

CHANNELS = ("silent", "shared", "gaussian", "attention", "mean", "gated", "memory", "discrete")

# With one update for 16 episodes of 20 steps, every channel, the oracle too, was still at "always drive" (27 % without
# a collision) after 500,000 steps, which are 1,560 updates.
TRAFFIC_SETTINGS = {"updates_per_step": 4, "num_envs": 8, "batch_episodes": 16, "discount": 0.95}


@dataclass(frozen=True)
class Task:
    """A task, its share of the experiment's environment steps (`--steps`, of each seed), and what counts."""

    name: str
    share: float
    measure: str = "won"
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


TASKS = {
    "sensor": Task("sensor", 0.25, "return"),
    "hallway 4x4": Task("hallway", 1.0),
    "hallway, delays to 6": Task("hallway", 1.0, options={"start_delay": 6}),
    "search": Task("search", 0.25, "return", settings=SEARCH_SETTINGS),
    "traffic junction easy": Task("traffic_junction", 0.5, options={"difficulty": "easy"}, settings=TRAFFIC_SETTINGS),
}
HEAD = ("channel", "mean ± 95 % interval", "every seed", "bits a step", "with random messages, every seed")


def main() -> None:
    """Trains, prints."""
    experiment = start("methods_by_tasks", __doc__, steps=500_000, quick_steps=40_000, seeds=5)
    tables, numbers = [], {}
    for label, task in TASKS.items():
        steps = int(task.share * experiment.steps)
        rows, found = [], {}
        for channel in CHANNELS:
            folder = f"{channel}-{label}".replace(",", "").replace(" ", "-")
            run = experiment.train(folder, algorithm_of(channel, task), steps=steps)
            tested = evaluate(run.saved, episodes=experiment.episodes)
            noise = evaluate(run.saved, edits=["random"], episodes=experiment.episodes)[task.measure]
            rows.append(_row(channel, task, tested, noise))
            found[channel] = {"tested": tested, "random": noise, "curves": curves_as_json(run)}
        tables += [f"**{label}**, {steps:,} steps a seed: {task.measure}.", markdown_table(HEAD, rows)]
        numbers[label] = found
    experiment.report("Every channel on five tasks", tables, numbers)


def algorithm_of(channel: str, task: Task) -> Algorithm:
    """QMIX on the task with this channel, or NDQ for its own."""
    env = mc.make_env(task.name, **task.options)
    if channel == "gaussian":
        return mc.make_algorithm("ndq", env, **task.settings)
    return mc.make_algorithm("qmix", env, channel=channel, **task.settings)


def _row(channel: str, task: Task, tested: Mapping[str, np.ndarray], noise: np.ndarray) -> list[str]:
    form = percent if task.measure == "won" else plain_return
    _, _, mean, every = result_row("", "", tested[task.measure], form)
    bits = f"{tested['bits_per_step'].mean():.1f}"
    return [channel, mean, every, bits, " ".join(form(float(value)) for value in noise)]


if __name__ == "__main__":
    main()
