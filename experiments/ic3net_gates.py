"""IC3Net's gates: do they open on sensor, where messages are worth 2.5, and shut on search, where they are not?

Nothing pushes a gate shut where talk is free and does no harm. So every team is trained at three prices of an open
gate, the same on both tasks, in deviations of the return: none, and two small ones. Search is small: rooms of 3 x 3, 6
steps, entropy to suit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from matplotlib.ticker import EngFormatter

import marlcomm as mc
from experiments.common import FinishedRun, markdown_table, percent, plain_return, start
from marlcomm.algorithms import Algorithm
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.palette import agent_color
from marlcomm.envs.render.style import plain_frame
from marlcomm.training import evaluate
from marlcomm.training.drivers import Player, driver_of

PRICES = (0.0, 0.05, 0.1)
SMALL = {"message_dims": 8, "hidden": 32}  # small enough for a few minutes on two cores
# share of --steps, options, settings: as many gradient steps on both tasks
TASKS: Mapping[str, tuple[float, Mapping[str, Any], Mapping[str, Any]]] = {
    "sensor": (1.0, {}, {"entropy": 0.8}),
    "search": (3.0, {"size": 3, "steps": 6}, {"entropy": 0.05, "num_envs": 16}),
}
OPTIMA = {"sensor": "15 (12.5 without messages)", "search": "4 (with or without messages)"}
HEAD = ("task", "price of an open gate", "measured", "mean", "every seed")


def main() -> None:
    """Trains, draws, prints."""
    experiment = start("ic3net_gates", __doc__, steps=60_000, quick_steps=3_200, seeds=4)
    rows, numbers, curves = [], {}, {}
    for task, (share, options, settings) in TASKS.items():
        algorithm = mc.make_algorithm("ic3net", mc.make_env(task, **options), **SMALL, **settings)
        steps = int(share * experiment.steps)
        run = experiment.train(f"ic3net-{task}-gates", algorithm, {"talk_price": list(PRICES)}, steps)
        found = measure(run, algorithm, experiment.episodes)
        prices = np.array([changes["talk_price"] for changes in run.saved.population.changes])
        for price in PRICES:
            rows += [_row(task, price, what, values[prices == price]) for what, values in found.items()]
            curves[task, price] = {name: run.metrics[name][:, prices == price] for name in ("env_steps", "gate/open")}
        numbers[task] = {"price": prices, **found}
    experiment.save_figure("gates", draw(curves))
    optima = "; ".join(f"{task}: {best}" for task, best in OPTIMA.items())
    experiment.report(
        "IC3Net's gates on sensor and search",
        [f"Best returns: {optima}.", markdown_table(HEAD, rows)],
        {"final": numbers, "curves": {f"{task} at {price:g}": curve for (task, price), curve in curves.items()}},
    )


def measure(run: FinishedRun, algorithm: Algorithm, episodes: int) -> dict[str, np.ndarray]:
    """What every member's talk is, and is worth: what is measured -> [P]."""
    tested = evaluate(run.saved, episodes=episodes)
    silenced = evaluate(run.saved, edits=["silence"], episodes=episodes)
    return {
        "return": tested["return"],
        "return, all messages cut": silenced["return"],
        "gates open, %": gates_open(run, algorithm, episodes),
        "bits a step": tested["bits_per_step"],
    }


def gates_open(run: FinishedRun, algorithm: Algorithm, episodes: int) -> np.ndarray:
    """[P] share of the steps of agents that are alive at which their gate is open, over greedy episodes."""
    program = driver_of(algorithm).measurer(share_open, algorithm, episodes, run.saved.population, shared=1)
    return np.asarray(program(run.saved.params, jax.random.PRNGKey(0)))


def share_open(player: Player, key: jax.Array) -> jax.Array:
    """[] the same of one team."""
    episodes, decisions, _ = player.play(key)
    lived = episodes.valid[..., None] & episodes.alive[:, :-1]
    return (decisions.auxiliary["gate"] * lived).sum() / lived.sum()


def draw(curves: Mapping[tuple[str, float], Mapping[str, np.ndarray]]) -> Figure:
    """Share of open gates over training: a panel a task, a color a price; every seed thin, their mean thick."""
    figure = Figure(figsize=(4.4 * len(TASKS), 3.4), layout="constrained")
    panels = dict(zip(TASKS, np.ravel(figure.subplots(1, len(TASKS), sharey=True)), strict=True))
    for (task, price), curve in curves.items():
        steps, share = curve["env_steps"].mean(1), 100 * curve["gate/open"]
        color = agent_color(PRICES.index(price))
        panels[task].plot(steps, share, color=color, alpha=0.3, linewidth=0.8)
        panels[task].plot(steps, share.mean(1), color=color, linewidth=2, label=f"price {price:g}")
    for task, axes in panels.items():
        axes.set(title=task, xlabel="environment steps", ylim=(-3, 103), xlim=(0, None))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 50k
        axes.legend(fontsize=8, frameon=False)
        plain_frame(axes)
    panels["sensor"].set_ylabel("gates open, %")
    return figure


def _row(task: str, price: float, what: str, values: np.ndarray) -> list[str]:
    form = percent if what.endswith("%") else plain_return
    return [task, f"{price:g}", what, form(float(values.mean())), " ".join(form(float(value)) for value in values)]


if __name__ == "__main__":
    main()
