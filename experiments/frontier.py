"""Return against bits a step: every channel with its numbers quantized, and the weight of bits swept.

Every channel on QMIX (`gaussian` is NDQ; the losses of each come with it), numbers rounded by a dithered quantizer,
seeds times weights of the loss `bits` as one population, priced in the second half of training; and edits on the
trained teams. On sensor and hallway, 0 is the exact best silent team and 1 the exact best fully informed one; on
traffic junction, the share of episodes won.

In parts, by several processes, each (channel, task) a run folder that goes on where it stopped:

    python -m experiments.frontier --tasks sensor --channels gaussian mean
    python -m experiments.frontier --tasks hallway-delays-to-6 --channels gaussian mean
    python -m experiments.frontier --read   # tables and pictures, of what is finished
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Literal

import numpy as np

import marlcomm as mc
from experiments.common import (
    MIDDLE_HEAD,
    Experiment,
    FinishedRun,
    interquartile_mean,
    markdown_table,
    middle_cells,
    percent,
    start,
)
from experiments.methods_by_tasks import METHODS, TASKS, algorithm_of, problem_of
from marlcomm.algorithms import Algorithm
from marlcomm.analysis import Frontier, frontier, plot_frontier

SHARES = {"sensor": 0.2, "hallway-delays-to-6": 1.0, "traffic-junction-easy": 0.8}  # of `--steps`
OLDER = ("silent", "gaussian", "mean", "attention", "gated", "memory", "shared", "discrete")
CHANNELS = (*OLDER, "maic", "masia", "vbc", "tmc", "cacom", "magic-on-qmix", "dicg-on-qmix")
ON_LONGER_TASKS = ("silent", "gaussian", "mean", "attention", "discrete")  # where a channel takes minutes
SYMBOLS = ("silent", "discrete")  # have no numbers to quantize: one population of seeds
STEP = 1.0  # of the quantizer
OWN = {"gaussian": {"channel.sigma": 0.0}}  # the dither is its noise: Gaussian noise would have to be paid for
PRICED_FROM = 0.5  # share of the steps after which bits cost: who pays from the first step falls silent
WEIGHTS = (0.0, 0.001, 0.01, 0.03, 0.1)
FEWER = {"traffic-junction-easy": (0.0, 0.001, 0.01)}  # where a member takes minutes
MEASURES: dict[str, Literal["return", "won"]] = {
    "sensor": "return",
    "hallway-delays-to-6": "return",
    "traffic-junction-easy": "won",  # the best return of a silent team is not known
}
EDITS = ("quantize:4", "cut:0.8", "budget:1")
HEAD = ("channel", "weight of bits", "edit", "bits a step", *MIDDLE_HEAD, "on the front")


def main() -> None:
    """Trains what is asked for, draws, prints."""
    experiment = start(
        "frontier",
        __doc__,
        steps=300_000,
        quick_steps=10_000,
        seeds=5,
        episodes=2000,
        choices={"tasks": SHARES, "channels": CHANNELS},
    )
    tables, numbers = [], {}
    for task in experiment.chosen["tasks"]:
        channels = [name for name in experiment.chosen["channels"] if task == "sensor" or name in ON_LONGER_TASKS]
        cells = {name: measured(experiment, name, task) for name in channels}
        found = [each for each in cells.values() if isinstance(each, Frontier)]
        tables.append(f"**{task}**, {_steps(experiment, task):,} steps a seed.")
        tables += [f"{name}: {problem}" for name, problem in cells.items() if isinstance(problem, str)]
        if not found:
            continue
        every = joined(found)
        middle, seeds = over_seeds(every)
        tables += [f"{every.axis}, in percent.", markdown_table(HEAD, _rows(middle, seeds))]
        numbers[task] = {"entries": every.as_json(), "over_seeds": middle.as_json()}
        experiment.save_figure(f"frontier-{task}", plot_frontier(middle, title=f"{task}, interquartile means"))
    experiment.report("Return against bits", tables, numbers)


def algorithm_on(channel: str, task: str, steps: int) -> tuple[Algorithm, dict[str, Sequence[float]]]:
    """The algorithm of a channel for a training of `steps`, and the hyper-parameters that are swept."""
    algorithm = algorithm_of(channel, TASKS[task])
    if channel in SYMBOLS:
        return algorithm, {}
    name, settings = METHODS[channel]
    env = mc.make_env(TASKS[task].name, **TASKS[task].options)
    settings = {**TASKS[task].settings, **settings, "quantization_step": STEP, **OWN.get(channel, {})}
    settings["losses.bits.start"] = int(PRICED_FROM * steps)
    return mc.make_algorithm(name, env, **settings), {"weights.bits": FEWER.get(task, WEIGHTS)}


def joined(found: Sequence[Frontier]) -> Frontier:
    """Several frontiers of one task as one."""
    arrays = [field.name for field in fields(Frontier) if isinstance(getattr(found[0], field.name), np.ndarray)]
    return replace(found[0], **{name: np.concatenate([getattr(each, name) for each in found]) for name in arrays})


def over_seeds(every: Frontier) -> tuple[Frontier, list[np.ndarray]]:
    """Interquartile means over the seeds of each channel, weight and edit, so that no lucky seed makes the front.

    Returns:
      a frontier with one entry for each, of which the name is the weight; and what it is worth for each seed.
    """
    weight = [name.partition("=")[2] or "–" for name in every.name]
    groups = list(dict.fromkeys(zip(every.run.tolist(), weight, every.edit.tolist(), strict=True)))
    names = np.array(list(zip(every.run, weight, every.edit, strict=True)))
    of_group = [np.flatnonzero((names == group).all(1)) for group in groups]
    middles = {
        name: np.array([interquartile_mean(getattr(every, name)[members]).mean for members in of_group])
        for name in ("bits_per_step", "team_return", "won")
    }
    run, weight, edit = (np.array(column) for column in zip(*groups, strict=True))
    middle = replace(every, run=run, member=np.arange(len(groups)), name=weight, edit=edit, **middles)
    return middle, [every.worth[members] for members in of_group]


def measured(experiment: Experiment, channel: str, task: str) -> Frontier | str:
    """Trains a channel on a task, or reads it back, and measures it; what goes wrong, in words."""
    try:
        steps = _steps(experiment, task)
        algorithm, hparams = algorithm_on(channel, task, steps)
        run = experiment.train(f"frontier-{channel}-{task}", algorithm, hparams, steps)
        return _frontier_of(experiment, channel, task, run)
    except (Exception, SystemExit) as error:  # a cell that fails is shown, and the others go on
        return problem_of(error, f"{channel}-{task}")


def _frontier_of(experiment: Experiment, channel: str, task: str, run: FinishedRun) -> Frontier:
    """The frontier of one run, or what was found of it before by the same measure; it is kept with the run."""
    edits, measure = () if channel == "silent" else EDITS, MEASURES[task]
    decides = {"edits": edits, "measure": measure, "best_returns": run.saved.algorithm.env.best_returns()}

    def found() -> Frontier:
        return frontier({channel: run.saved}, edits=edits, measure=measure, episodes=experiment.episodes)

    return _read(run.kept(f"frontier-{experiment.episodes}-episodes", decides, found))


def _read(written: dict[str, Any]) -> Frontier:
    """A frontier from JSON, in which None stands for NaN."""

    def back(value: Any) -> Any:
        if isinstance(value, list):
            return np.array([np.nan if item is None else item for item in value])
        return np.nan if value is None else value

    return Frontier(**{name: back(value) for name, value in written.items()})


def _rows(middle: Frontier, seeds: Sequence[np.ndarray]) -> list[list[str]]:
    best = middle.best
    return [
        [
            str(middle.run[entry]),
            str(middle.name[entry]),
            str(middle.edit[entry]) or "–",
            f"{middle.bits_per_step[entry]:.2f}",
            *middle_cells(seeds[entry], percent),
            "yes" if best[entry] else "",
        ]
        for entry in range(len(seeds))
        if best[entry] or not middle.edit[entry]
    ]


def _steps(experiment: Experiment, task: str) -> int:
    return int(SHARES[task] * experiment.steps)


if __name__ == "__main__":
    main()
