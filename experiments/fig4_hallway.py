"""Fig. 4 of the NDQ paper: hallway 4x4. (b) learning curves; (c) episodes won against the share that is cut.

References: an agent with memory can win always without messages (a shared clock); the best memoryless silent team
wins 25 %.
"""

from __future__ import annotations

import marlcomm as mc
from experiments.common import RESULT_HEAD, curves_as_json, cut_table, markdown_table, percent, result_row, start
from marlcomm.analysis import cut_curve, cut_label, plot_curves, plot_cut_curve
from marlcomm.training import evaluate

CLAIMS = {"ndq": "100", "qmix": "below ndq (no number)"}


def main() -> None:
    """Trains, draws, prints."""
    experiment = start("fig4_hallway", __doc__, steps=2_000_000, quick_steps=40_000)
    env = mc.make_env("hallway")
    runs = {name: experiment.train(f"{name}-hallway", mc.make_algorithm(name, env)) for name in ("ndq", "qmix")}
    tested = {name: evaluate(run.saved, episodes=experiment.episodes) for name, run in runs.items()}
    curves = {
        kind: cut_curve(runs["ndq"].saved, kind=kind, episodes=experiment.episodes) for kind in ("cut", "rank_cut")
    }

    figure = plot_curves({name: run.metrics for name, run in runs.items()}, panels=["test_won"])
    experiment.save_figure("b_learning_curves", figure)
    labelled = {cut_label("ndq", kind): curve for kind, curve in curves.items()}
    references = {"qmix": float(tested["qmix"]["won"].mean())}
    experiment.save_figure("c_won_over_cut", plot_cut_curve(labelled, measure="won", references=references))

    rows = [result_row(name, CLAIMS[name], found["won"], percent) for name, found in tested.items()]
    experiment.report(
        "Fig. 4: hallway 4x4",
        [
            "(b) Episodes won after training, %, nothing cut.",
            markdown_table(RESULT_HEAD, rows),
            "(c) Episodes won, %: ndq, cut by dimension at a threshold calibrated for each seed. "
            "The paper: 100 % at a cut of 80 %.",
            cut_table(curves["cut"], "won", percent),
            "(c) ndq, cut by the released rank at every step.",
            cut_table(curves["rank_cut"], "won", percent),
        ],
        {
            "curves": {name: curves_as_json(run) for name, run in runs.items()},
            "final": tested,
            "cuts": curves,
        },
    )


if __name__ == "__main__":
    main()
