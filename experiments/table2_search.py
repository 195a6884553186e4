"""Table 2 of the NDQ paper: independent search, where messages cannot help. The optimum is 96.0 exactly.

The paper: 96.0 for every method, uncut, and for ndq with all messages cut.
"""

from __future__ import annotations

import marlcomm as mc
from experiments.common import RESULT_HEAD, curves_as_json, markdown_table, plain_return, result_row, start
from marlcomm.analysis import plot_curves
from marlcomm.training import evaluate

# The paper gives none for this task. An episode is 100 steps long: with one update for 16 of them, learning would take
# millions of steps, and the shortest way is the same at any discount. Ten updates for eight episodes: with four, one
# ndq team of ten still had an agent that stood still at the end.
SETTINGS = {"updates_per_step": 10, "num_envs": 8, "batch_episodes": 16, "replay_episodes": 1000, "discount": 0.9}


def main() -> None:
    """Trains, draws, prints."""
    experiment = start("table2_search", __doc__, steps=480_000, quick_steps=48_000)
    env = mc.make_env("search")
    algorithms = {name: mc.make_algorithm(name, env, **SETTINGS) for name in ("ndq", "tarmac_qmix", "qmix")}
    runs = {name: experiment.train(f"{name}-search", algorithm) for name, algorithm in algorithms.items()}
    tested = {
        "ndq, nothing cut": evaluate(runs["ndq"].saved, episodes=experiment.episodes),
        "ndq, 100 % cut": evaluate(runs["ndq"].saved, edits=["silence"], episodes=experiment.episodes),
        "tarmac_qmix, nothing cut": evaluate(runs["tarmac_qmix"].saved, episodes=experiment.episodes),
        "tarmac_qmix, 100 % cut": evaluate(runs["tarmac_qmix"].saved, edits=["silence"], episodes=experiment.episodes),
        "qmix": evaluate(runs["qmix"].saved, episodes=experiment.episodes),
    }
    figure = plot_curves(
        {name: run.metrics for name, run in runs.items()},
        panels=["test_return"],
        references={"optimum": 96.0},
    )
    experiment.save_figure("learning_curves", figure)
    rows = [result_row(name, "96.0", found["return"], plain_return) for name, found in tested.items()]
    experiment.report(
        "Table 2: independent search, return of an episode",
        [markdown_table(RESULT_HEAD, rows)],
        {"curves": {name: curves_as_json(run) for name, run in runs.items()}, "final": tested},
    )


if __name__ == "__main__":
    main()
