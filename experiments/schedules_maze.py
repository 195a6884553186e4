"""When labels are taught, in the maze: with everything else (online, algorithm 2), or first, as released (pipeline).

The released pipeline hands the ideal team's critics on to the team that hears labels (warm), which alone makes it rise
at once; so it stands here with new critics (cold) too. Steps of the ideal team come on top of the pipelines' own.
"""

from __future__ import annotations

import marlcomm as mc
from experiments.common import (
    EVALUATIONS,
    MIDDLE_HEAD,
    TRAINING,
    Experiment,
    FinishedRun,
    curves_as_json,
    finished_run,
    markdown_table,
    middle_cells,
    start,
)
from experiments.fig8_maze import CLUSTERING, SETTINGS, algorithm_of
from marlcomm.analysis import plot_curves
from marlcomm.training import evaluate, train_pipeline

ONLINE, IDEAL = "rgmcomm, 2 labels", "maddpg, everything seen"
PIPELINES = {"pipeline, warm critics": True, "pipeline, cold critics": False}
REFERENCES = {"full information": 0.671875, "best silent team": 0.4609375}


def main() -> None:
    """Trains, draws, prints."""
    experiment = start("schedules_maze", __doc__, steps=30_000, quick_steps=2_000, seeds=5)
    env = mc.make_env("maze", clock=True)
    runs = {"online": experiment.train("maze-online", algorithm_of(ONLINE, env))}
    runs |= {name: pipeline(experiment, warm) for name, warm in PIPELINES.items()}
    rows, numbers = [], {}
    for name, run in runs.items():
        tested = evaluate(run.saved, episodes=experiment.episodes)["return"]
        curves = curves_as_json(run)
        early = [middle_cells(curves["test_return"][which], "{:.3f}".format)[0] for which in (0, EVALUATIONS // 4 - 1)]
        rows.append([name, *early, *middle_cells(tested, "{:.3f}".format)])
        numbers[name] = {"return": tested, "curves": curves}
    figure = plot_curves({n: run.metrics for n, run in runs.items()}, panels=["test_return"], references=REFERENCES)
    experiment.save_figure("schedules", figure)
    head = ("schedule", "after a twentieth of its steps", "after a quarter", *MIDDLE_HEAD)
    experiment.report("When labels are taught", [markdown_table(head, rows)], numbers)


def pipeline(experiment: Experiment, warm: bool) -> FinishedRun:
    """The last stage of the pipeline: the team that hears labels, which no longer change."""
    env = mc.make_env("maze", clock=True)
    team = mc.make_algorithm("rgmcomm", env, vocab_size=2, message_rate=0.0, **CLUSTERING, **SETTINGS)
    folder = experiment.folder_of(f"maze-pipeline-{'warm' if warm else 'cold'}")
    train_pipeline(
        algorithm_of(IDEAL, env),
        team,
        steps=experiment.steps,
        seeds=range(experiment.seed, experiment.seed + experiment.seeds),
        warm=warm,
        out=folder,
        **TRAINING,
    )
    return finished_run(folder / "team", team)


if __name__ == "__main__":
    main()
