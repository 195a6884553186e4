"""Fig. 5 of the NDQ paper: one episode on hallway 4x4 from a4 and b3, with every bit that is sent; and as animation.

The paper: both walk left in silence; agent B stops at b1 and sends one bit (5.24); it waits until A, at a1, answers
with one bit; then both step to the goal and win. Uses the run of fig4_hallway if it is there.
"""

from __future__ import annotations

import numpy as np

import marlcomm as mc
from experiments.common import markdown_table, start
from marlcomm.analysis import (
    RecordedEpisodes,
    animate_recorded,
    plot_episode_strip,
    record_episodes,
    talk_table,
    who_talks,
)

START = (4, 3)  # where A and B begin in the paper's figure
CUT = "cut_below:2"  # the paper's threshold, really applied: the receivers act on what is drawn


def main() -> None:
    """Trains, draws, prints."""
    experiment = start("fig5_episode", __doc__, steps=2_000_000, quick_steps=40_000)
    env = mc.make_env("hallway")
    run = experiment.train("ndq-hallway", mc.make_algorithm("ndq", env))
    member = run.saved.best()
    recorded = record_episodes(run.saved.policy(member), experiment.episodes, edits=[CUT])
    episode = choose(recorded)
    experiment.save_figure("episode", plot_episode_strip(recorded, episode, env))
    animate_recorded(recorded, episode, run.saved, experiment.out / "episode.gif")
    rows = _steps(recorded, episode, env.action_names)
    experiment.report(
        f"Fig. 5: an episode (seed {run.saved.population.seeds[member]}, {CUT})",
        [
            f"Return {recorded.returns[episode]:g}; over all {experiment.episodes} episodes with this cut: won "
            f"{recorded.episodes.won.mean():.1%}.",
            markdown_table(("t", "A at", "B at", "A does", "B does", "A → B", "B → A"), rows),
            "Who talks:",
            talk_table(who_talks(recorded), ["A", "B"]),
        ],
        {
            "episode": rows,
            "return": recorded.returns[episode],
            "won": recorded.episodes.won.mean(),
            "talk": who_talks(recorded),
        },
    )


def choose(recorded: RecordedEpisodes) -> int:
    """The first episode won from the paper's start; else any from there, else the first."""
    from_there = (np.asarray(recorded.episodes.agents_view)[:, 0, :, 0] == START).all(1)
    for candidates in (from_there & np.asarray(recorded.episodes.won), from_there):
        if candidates.any():
            return int(np.argmax(candidates))
    return 0


def _steps(recorded: RecordedEpisodes, episode: int, names: tuple[str, ...]) -> list[list[str]]:
    rows = []
    for step in range(int(recorded.lengths[episode])):
        places = np.asarray(recorded.episodes.agents_view)[episode, step, :, 0]
        actions = np.asarray(recorded.episodes.action)[episode, step]
        rows.append(
            [
                str(step),
                *(f"{place:g}" for place in places),
                *(names[action] for action in actions),
                *(_said(recorded, episode, step, pair) for pair in ((0, 1), (1, 0))),
            ]
        )
    return rows


def _said(recorded: RecordedEpisodes, episode: int, step: int, pair: tuple[int, int]) -> str:
    where = (episode, step, *pair)
    words = [
        f"{value:+.2f}" if goes else "·"
        for value, goes in zip(recorded.content[where], recorded.sent[where], strict=True)
    ]
    return " ".join(words) if recorded.sent[where].any() else "–"


if __name__ == "__main__":
    main()
