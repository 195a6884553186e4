"""Fig. 7, 8 and 10 of the NDQ paper: learning curves on six StarCraft maps, and what is left when messages are cut.

The paper: NDQ above TarMAC+QMIX above QMIX on all maps, most on 1o2r_vs_4r, 3b_vs_1h1m and 1o10b_vs_1r, and TarMAC
alone at the bottom; with 80 % of the messages cut NDQ wins as often, TarMAC+QMIX much less; with all cut, NDQ falls.
The released rank also cuts what an agent tells itself, the threshold does not: with all cut, the two differ.
`tarmac_qmix-weakened` is TarMAC+QMIX as NDQ's authors compared themselves with it. Once with the settings of Table 1,
once with the one setting that all maps have by default and that learns faster. With `--views position` agents also see
where on the map they are.

In parts, by several processes, each (method, map, views, settings) a run folder that goes on where it stopped:

    python -m experiments.combat_curves --maps 1o2r_vs_4r --views ndq --settings tuned
    python -m experiments.combat_curves --maps 3b_vs_1h1m --methods ndq qmix
    python -m experiments.combat_curves --read   # tables and pictures, of what is finished
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import marlcomm as mc
from experiments.combat_maps import MAPS, Found, env_of, label_of, report_maps, steps_on
from experiments.common import (
    MIDDLE_HEAD,
    Experiment,
    FinishedRun,
    curves_as_json,
    middle_cells,
    percent,
)
from experiments.learning_and_cuts import KINDS, CutKind
from experiments.methods_by_tasks import Method, problem_of
from marlcomm.algorithms import Algorithm
from marlcomm.analysis import cut_curve, plot_curves
from marlcomm.training.record import RunFolder

METHODS = {
    "ndq": Method("ndq", {}),
    "tarmac_qmix": Method("tarmac_qmix", {}),
    "tarmac_qmix-weakened": Method("tarmac_qmix", {"ndq_baseline": True}),
    "tarmac": Method("tarmac", {}),
    "qmix": Method("qmix", {}),
}
CUT = ("ndq", "tarmac_qmix", "tarmac_qmix-weakened")  # whose messages the paper cuts
CUTS = (0.0, 0.8, 1.0)
SETTINGS = ("published", "tuned")
HEAD = ("method", "settings", "cut", *MIDDLE_HEAD, "really cut", "bits a step", "seconds")


@dataclass(frozen=True)
class Cell:
    """What one method came to on one map.

    Attributes:
      problem: why there are no numbers; empty where there are.
      cuts: how messages are cut -> a `CutCurve` as JSON has it; of silent methods, and others', nothing is cut.
      summary: of the run.
      curves: of training.
      metrics: name -> [time, P].
    """

    problem: str = ""
    cuts: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, np.ndarray] = field(default_factory=dict)


def main() -> None:
    """Trains what is asked for, draws, prints."""
    choices = {"methods": METHODS, "settings": SETTINGS}
    title = "NDQ's StarCraft maps: learning, and messages cut"
    report_maps("combat_curves", title, __doc__, HEAD, choices, methods_on)


def methods_on(experiment: Experiment, name: str, views: str) -> Found:
    """Every method on a map, with a picture of each of the settings."""
    rows, numbers = [], {}
    for settings in experiment.chosen["settings"]:
        cells = {method: cell_of(experiment, method, name, settings, views) for method in experiment.chosen["methods"]}
        rows += [row for method, cell in cells.items() for row in _rows(method, settings, cell)]
        numbers[settings] = {
            method: {"problem": cell.problem, "cuts": cell.cuts, "curves": cell.curves}
            for method, cell in cells.items()
        }
        if drawn := {method: cell.metrics for method, cell in cells.items() if not cell.problem}:
            experiment.save_figure(label_of(name, settings, views=views), plot_curves(drawn, panels=["test_won"]))
    return Found(rows, numbers)


def algorithm_of(method: str, name: str, settings: str, views: str = "ndq") -> Algorithm:
    """A method on a map."""
    algorithm, own = METHODS[method]
    chosen: dict[str, Any] = dict(own)
    if settings == "published":
        chosen |= {"paper": True}
        chosen |= {"beta": MAPS[name].beta, "message_dims": 3} if algorithm == "ndq" else {}
    return mc.make_algorithm(algorithm, env_of(name, views=views), **chosen)


def cell_of(experiment: Experiment, method: str, name: str, settings: str, views: str) -> Cell:
    """Trains a method on a map, or reads it back, and tests it; what goes wrong is what the cell says."""
    label = label_of(method, name, settings, views=views)
    try:
        run = experiment.train(label, algorithm_of(method, name, settings, views), steps=steps_on(experiment, name))
        summary = RunFolder(run.saved.path).read_json("summary.json")
        return Cell("", cuts_of(experiment, run, method), summary, curves_as_json(run), run.metrics)
    except (Exception, SystemExit) as error:  # a cell that fails is shown, and the others go on
        return Cell(problem_of(error, label))


def cuts_of(experiment: Experiment, run: FinishedRun, method: str) -> Mapping[str, Any]:
    """The cut curves of a run, or what was found of them before; they are kept with the run."""
    episodes = experiment.episodes
    cut: Mapping[CutKind, Any] = dict.fromkeys(KINDS, CUTS) if method in CUT else {"cut": CUTS[:1]}

    def found() -> Mapping[str, Any]:
        return {kind: cut_curve(run.saved, at, kind=kind, episodes=episodes) for kind, at in cut.items()}

    return run.kept(f"cuts-{episodes}-episodes", {"cut": cut, "episodes": episodes}, found)


def _rows(method: str, settings: str, cell: Cell) -> list[list[str]]:
    """One row where nothing is cut, and one for each share and way: the rank also cuts what is said to oneself."""
    if cell.problem:
        return [[method, settings, "–", cell.problem, *["–"] * (len(HEAD) - 4)]]
    seconds, rows = f"{cell.summary['wall_seconds']:.0f}", []
    for kind, by in KINDS.items():
        curve = cell.cuts.get(kind, {"fraction": []})
        for number, share in enumerate(curve["fraction"]):
            if kind != "cut" and share == 0.0:  # whichever way: the same
                continue
            how = f"{share:.0%} {by}" if share else "nothing"
            sent, bits = (
                float(np.mean(np.array(curve[key][number], float))) for key in ("sent_fraction", "bits_per_step")
            )
            really = percent(1 - sent) if np.isfinite(sent) and bits > 0 else "–"  # of silence, nothing
            won = np.array(curve["won"][number], float)
            rows.append([method, settings, how, *middle_cells(won, percent), really, f"{bits:.1f}", seconds])
    return rows


if __name__ == "__main__":
    main()
