"""What Fig. 2 and Fig. 4 of the NDQ paper share: learning curves, and what is left when messages are cut."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Literal

import marlcomm as mc
from experiments.common import RESULT_HEAD, Experiment, curves_as_json, cut_table, markdown_table, result_row
from marlcomm.analysis import CutCurve, cut_curve, cut_label, plot_curves, plot_cut_curve
from marlcomm.training import evaluate

Measure = Literal["team_return", "won"]
CutKind = Literal["cut", "rank_cut"]
KINDS: Mapping[CutKind, str] = {
    "cut": "at a threshold calibrated for each seed",
    "rank_cut": "by the released rank at every step",
}


def learning_and_cuts(
    experiment: Experiment,
    title: str,
    task: str,
    claims: Mapping[str, str],
    talking: Mapping[str, str],
    measure: Measure,
    form: Callable[[float], str],
    references: Mapping[str, float],
) -> None:
    """Trains every method, draws (b) the learning curves and (c) the cut curves, and reports all of it.

    Args:
      experiment: where and how much.
      title: of the report.
      task: name of the task; runs are called `<method>-<task>`.
      claims: method -> what the paper says of it uncut.
      talking: method whose messages are cut -> what the paper says of it at 80 %.
      measure: "team_return" or "won".
      form: how a number of that measure is written.
      references: name -> height of a line in both pictures.
    """
    env = mc.make_env(task)
    name = "return" if measure == "team_return" else measure
    runs = {method: experiment.train(f"{method}-{task}", mc.make_algorithm(method, env)) for method in claims}
    tested = {method: evaluate(run.saved, episodes=experiment.episodes) for method, run in runs.items()}
    curves: dict[tuple[str, str], CutCurve] = {
        (method, kind): cut_curve(runs[method].saved, kind=kind, episodes=experiment.episodes)
        for method in talking
        for kind in KINDS
    }
    metrics = {method: run.metrics for method, run in runs.items()}
    experiment.save_figure("b_learning_curves", plot_curves(metrics, panels=[f"test_{name}"], references=references))
    silent = {method: float(tested[method][name].mean()) for method in claims if method not in talking}
    # a line that lies on a reference would only make both labels unreadable
    silent = {
        method: at for method, at in silent.items() if all(abs(at - other) > 0.05 for other in references.values())
    }
    labeled = {cut_label(method, kind): curve for (method, kind), curve in curves.items()}
    figure = plot_cut_curve(labeled, measure=measure, references={**references, **silent})
    experiment.save_figure("c_cut_curves", figure)

    rows = [result_row(method, claims[method], found[name], form) for method, found in tested.items()]
    tables = ["(b) After training, nothing cut.", markdown_table(RESULT_HEAD, rows)]
    for (method, words), curve in zip(itertools.product(talking, KINDS.values()), curves.values(), strict=True):
        tables += [
            f"(c) {method}, cut by dimension {words}. The paper, at 80 %: {talking[method]}.",
            cut_table(curve, measure, form),
        ]
    learned = {method: curves_as_json(run) for method, run in runs.items()}
    cut = {f"{method} {kind}": curve for (method, kind), curve in curves.items()}
    experiment.report(title, tables, {"curves": learned, "final": tested, "cuts": cut})
