"""Fig. 7 of the RGMComm paper: what passes through tanh, softmax or nothing before labels are found by it; in the maze.

The paper, which does not name the task: tanh is best, above independent Q-learning, and near centralized Q-learning.
Exact references: .672 with full information, .461 without messages. Agents see the step. All five learn by the value
learner with the same settings; labels are on QMIX, whose joint critic says what they are found by (`rgmcomm_qmix`).
"""

from __future__ import annotations

import marlcomm as mc
from experiments.common import MIDDLE_HEAD, curves_as_json, markdown_table, middle_cells, start
from experiments.fig8_maze import CLUSTERING
from marlcomm.algorithms import Algorithm
from marlcomm.analysis import plot_curves
from marlcomm.envs import Centralized, Environment
from marlcomm.training import evaluate

# Episodes are three steps long: one update for 16 of them, PyMARL's pace, would take millions of steps.
SETTINGS = {"updates_per_step": 4, "learning_rate": 1e-3, "exploration_steps": 50_000}
CLAIMS = {
    "tanh": "near centralized",
    "softmax": "below tanh",
    "none": "below tanh",
    "independent": "below tanh",
    "centralized": "best",
}
REFERENCES = {"full information": 0.671875, "best silent team": 0.4609375}


def main() -> None:
    """Trains, draws, prints."""
    experiment = start("fig7_activation", __doc__, steps=200_000, quick_steps=10_000, full_steps=1_000_000, seeds=5)
    env = mc.make_env("maze", clock=True)
    rows, curves, numbers = [], {}, {}
    for name, claim in CLAIMS.items():
        run = experiment.train(f"maze-activation-{name}", algorithm_of(name, env))
        tested = evaluate(run.saved, episodes=experiment.episodes)["return"]
        rows.append([name, claim, *middle_cells(tested, "{:.3f}".format)])
        curves[name] = run.metrics
        numbers[name] = {"return": tested, "curves": curves_as_json(run)}
    experiment.save_figure("activation", plot_curves(curves, panels=["test_return"], references=REFERENCES))
    table = markdown_table(("activation, or learner", "the paper says", *MIDDLE_HEAD), rows)
    experiment.report("Fig. 7: the activation that labels are found by", [table], numbers)


def algorithm_of(name: str, env: Environment) -> Algorithm:
    """What the row called `name` trains."""
    if name == "independent":
        return mc.make_algorithm("iql", env, **SETTINGS)
    if name == "centralized":
        return mc.make_algorithm("iql", Centralized(env), **SETTINGS)
    return mc.make_algorithm("rgmcomm_qmix", env, vocab_size=4, activation=name, **CLUSTERING, **SETTINGS)


if __name__ == "__main__":
    main()
