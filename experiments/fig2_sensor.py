"""Fig. 2 of the NDQ paper: sensor. (b) learning curves; (c) return against the share of the messages that is cut.

Exact references, per step: 15 with full information, 12.5 the best without messages, 10 with sensor 0 off.
"""

from __future__ import annotations

import marlcomm as mc
from experiments.common import (
    RESULT_HEAD,
    curves_as_json,
    cut_table,
    markdown_table,
    plain_return,
    result_row,
    start,
)
from marlcomm.analysis import cut_curve, cut_label, plot_curves, plot_cut_curve
from marlcomm.training import evaluate

REFERENCES = {"full information": 15.0, "best silent team": 12.5, "sensor 0 off": 10.0}
CLAIMS = {"ndq": "15 (optimal)", "qmix": "12.5"}


def main() -> None:
    """Trains, draws, prints."""
    experiment = start("fig2_sensor", __doc__, steps=500_000, quick_steps=20_000)
    env = mc.make_env("sensor")
    names = ("ndq", "qmix")
    runs = {name: experiment.train(f"{name}-sensor", mc.make_algorithm(name, env)) for name in names}
    tested = {name: evaluate(run.saved, episodes=experiment.episodes) for name, run in runs.items()}
    curves = {
        kind: cut_curve(runs["ndq"].saved, kind=kind, episodes=experiment.episodes) for kind in ("cut", "rank_cut")
    }

    figure = plot_curves(
        {name: run.metrics for name, run in runs.items()}, panels=["test_return"], references=REFERENCES
    )
    experiment.save_figure("b_learning_curves", figure)
    labelled = {cut_label("ndq", kind): curve for kind, curve in curves.items()}
    experiment.save_figure("c_return_over_cut", plot_cut_curve(labelled, references=REFERENCES))

    rows = [result_row(name, CLAIMS.get(name, "–"), found["return"], plain_return) for name, found in tested.items()]
    experiment.report(
        "Fig. 2: sensor",
        [
            "(b) Return after training, nothing cut.",
            markdown_table(RESULT_HEAD, rows),
            "(c) ndq, cut by dimension at a threshold calibrated for each seed. The paper: still optimal at 80 %.",
            cut_table(curves["cut"], "team_return", plain_return),
            "(c) ndq, cut by the released rank at every step.",
            cut_table(curves["rank_cut"], "team_return", plain_return),
        ],
        {
            "curves": {name: curves_as_json(run) for name, run in runs.items()},
            "final": tested,
            "cuts": curves,
        },
    )


if __name__ == "__main__":
    main()
