"""What NDQ's overlord says of its corner on 1o2r_vs_4r, and how often the team wins in each of the four.

The overlord hovers over the enemy in one of four corners; a team that knows its place wins in all of them only if each
has a message of its own. Messages are noisy: two means that are less than a few deviations of the noise apart are one
message. Reads runs that are trained:

    marlcomm train ndq 1o2r_vs_4r --seeds 3 --steps 400_000 --out RUN --set task.obs_own_pos=true
    python -m experiments.combat_corners RUN
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from experiments.common import markdown_table, percent
from marlcomm.analysis import RecordedEpisodes, record_episodes
from marlcomm.envs.combat import Combat
from marlcomm.messages import GaussianChannel
from marlcomm.training.checkpoint import CheckpointError
from marlcomm.training.run_lock import RunFolderError
from marlcomm.training.saved import SavedRun, load_run
from marlcomm.validation import UsageError

MAP = "1o2r_vs_4r"
CORNERS = ("southwest", "northwest", "southeast", "northeast")
OVERLORD, ROACH = 0, 1
FIRST_STEPS = 10  # in which roaches choose their way
MOST_COLUMNS = 3
AROUND = ((-20, -10), (-20, 5), (5, -10), (5, 5))  # points from a corner's message to its number: no two in one place


class ByCorner(NamedTuple):
    """One team, by the overlord's corner.

    Attributes:
      won: [4] share of the episodes.
      said: [4, D] mean of what the overlord says to the first roach in the first steps.
      noise: standard deviation of the noise around it.
    """

    won: np.ndarray
    said: np.ndarray
    noise: float

    @property
    def apart(self) -> float:
        """Distance of the two corners whose messages are nearest."""
        return min(float(np.linalg.norm(one - other)) for one, other in itertools.combinations(self.said, 2))


def team_by_corner(run: SavedRun, member: int, episodes: int) -> ByCorner:
    """Plays with one team of a run. Raises UsageError where it plays another map, or sends no Gaussian messages."""
    env, channel = run.algorithm.env.unwrapped, run.algorithm.learner.agent.channel
    if not isinstance(env, Combat) or env.scenario.name != MAP:
        raise UsageError(f"{run.path} was not trained on {MAP}, whose overlord this is about")
    if not isinstance(channel, GaussianChannel):
        raise UsageError(f"{run.path} has no Gaussian messages, as NDQ's: only their means are known to be apart")
    return by_corner(record_episodes(run, episodes, member=member))


def by_corner(recorded: RecordedEpisodes) -> ByCorner:
    """Wins and words of a team on 1o2r_vs_4r whose messages are samples around a mean."""
    corner = corner_of(
        *(np.asarray(each)[:, 0, OVERLORD] for each in (recorded.states.units.x, recorded.states.units.y))
    )
    said = np.asarray(recorded.mean)[:, :FIRST_STEPS, OVERLORD, ROACH].mean(1)  # [B, D]
    won = np.asarray(recorded.episodes.won)
    there = [corner == which for which in range(len(CORNERS))]
    means = (np.stack([each[these].mean(0) for these in there]) for each in (won, said))
    return ByCorner(*means, noise=recorded.noise)


def corner_of(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[...] which of `CORNERS` places on the map of 32 by 32 cells are nearest to."""
    return 2 * (x > 16) + (y > 16)


def plot_words(teams: Mapping[str, ByCorner]) -> Figure:
    """For each team the four mean messages, along the two directions in which they differ most."""
    columns = min(len(teams), MOST_COLUMNS)
    lines = -(-len(teams) // columns)
    figure = Figure(figsize=(max(3 * columns, 5.5), 3 * lines + 0.4), layout="constrained")  # so that the title fits
    places = {title: _along_two_directions(team.said) for title, team in teams.items()}
    edge = 2.5 + max(float(np.abs(place).max()) for place in places.values())
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, (title, team) in zip(panels, teams.items(), strict=False):
        for number, (name, place, won) in enumerate(zip(CORNERS, places[title], team.won, strict=True)):
            axes.add_patch(Circle(tuple(place), team.noise, color=f"C{number}", alpha=0.25, linewidth=0))
            axes.plot(*place, "o", color=f"C{number}", markersize=4, label=name)
            style: dict[str, Any] = {"color": f"C{number}", "fontsize": 8, "textcoords": "offset points"}
            axes.annotate(f"{won:.0%}", place, xytext=AROUND[number], **style)
        axes.set(title=f"{title}: {team.won.mean():.0%} won", aspect="equal", xlim=(-edge, edge), ylim=(-edge, edge))
        axes.title.set_fontsize(9)
    for axes in panels[len(teams) :]:
        axes.axis("off")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    figure.suptitle(
        "What the overlord says in each corner; circles: one deviation of the noise; numbers: wins there", fontsize=9
    )
    return figure


def _along_two_directions(said: np.ndarray) -> np.ndarray:
    """[4, 2] messages [4, D] along their first two principal directions."""
    centered = said - said.mean(0)
    found = np.zeros((len(said), 2))
    directions = np.linalg.svd(centered)[2][:2]
    found[:, : len(directions)] = centered @ directions.T
    return found


def teams_of(paths: Sequence[Path], episodes: int) -> dict[str, ByCorner]:
    """Every team of some run folders."""
    teams = {}
    for path in paths:
        run = load_run(path)
        for member, seed in enumerate(run.population.seeds):
            title = f"{path}, seed {seed}"
            print(title, file=sys.stderr)
            teams[title] = team_by_corner(run, member, episodes)
    return teams


def main() -> None:
    """Prints the table, and draws what is said."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of trained runs")
    parser.add_argument("--episodes", type=int, default=1000, help="of each member (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=Path("results/combat_corners.png"), help="picture (default: %(default)s)"
    )
    given = parser.parse_args()
    try:
        teams = teams_of(given.runs, given.episodes)
    except (UsageError, RunFolderError, CheckpointError) as error:
        parser.error(str(error))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    plot_words(teams).savefig(given.out, dpi=150)
    rows = [[title, *map(percent, [team.won.mean(), *team.won]), f"{team.apart:.1f}"] for title, team in teams.items()]
    print(markdown_table(("team", "won", *CORNERS, "nearest two apart"), rows))
    print(f"picture: {given.out}")


if __name__ == "__main__":
    main()
