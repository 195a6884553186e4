"""What talking is worth on NDQ's six StarCraft maps: teams that never talk beside one that hears everything.

All learn by QMIX, by one budget a map. `open-loop` sees nothing but the time; `memoryless` sees, but remembers nothing;
`recurrent` is plain QMIX; `oracle` hears all that the others see. Where `oracle` wins no more than `recurrent`, the map
says nothing about talking. `scripted` is no learner: a team that knows everything, see `combat_scripts`. Messages can
be worth the less the farther agents see, from 2 cells (NDQ's) to 9 (SMAC's). With `--views position` agents also see
where on the map they are.

In parts, by several processes, each (team, map, views, sight) a run folder that goes on where it stopped:

    python -m experiments.combat_talking --maps 1o2r_vs_4r --views ndq --sights 2
    python -m experiments.combat_talking --maps 3b_vs_1h1m --teams recurrent oracle
    python -m experiments.combat_talking --read   # the tables, of what is finished
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import marlcomm as mc
from experiments.combat_maps import Found, env_of, label_of, report_maps, steps_on
from experiments.combat_scripts import SCRIPTS, win_rate
from experiments.common import (
    MIDDLE_HEAD,
    Experiment,
    curves_as_json,
    interquartile_mean,
    middle_cells,
    percent,
)
from experiments.methods_by_tasks import problem_of
from marlcomm.agents import FeedForwardAgent
from marlcomm.algorithms import Algorithm
from marlcomm.envs import Environment
from marlcomm.envs.steps import Observation, TimeStep
from marlcomm.envs.wrappers import Wrapper
from marlcomm.messages import SilentChannel
from marlcomm.training import evaluate
from marlcomm.training.record import RunFolder

SIGHTS = ("2", "4", "6", "9")
TEAMS = ("scripted", "open-loop", "memoryless", "recurrent", "oracle")
BLIND = ("scripted", "open-loop")  # whom no range of sight changes
HEAD = ("team", "sight", *MIDDLE_HEAD, "seconds")


class TimeOnly(Wrapper[Any]):
    """Agents see nothing but which step it is, one-hot: with an id among their inputs, open-loop play.

    What they may do is still only what their mask allows.
    """

    view_dtype = bool

    def __init__(self, env: Environment[Any]) -> None:
        self.observation_size, self.state_dtype = env.horizon + 1, env.state_dtype
        super().__init__(env)

    def convert(self, step: TimeStep[Observation]) -> TimeStep[Observation]:
        """Replaces `agents_view` [N, O] by [N, horizon + 1]."""
        now = jax.nn.one_hot(step.observation.step_count, self.observation_size)
        view = jnp.broadcast_to(now, (self.num_agents, self.observation_size))
        return step.replace(observation=step.observation._replace(agents_view=view))  # pyright: ignore[reportAttributeAccessIssue]


@dataclass(frozen=True)
class Cell:
    """What one team came to on one map.

    Attributes:
      problem: why there are no numbers; empty where there are.
      won: [P] share of test episodes.
      seconds: that training took.
      curves: of training.
    """

    problem: str = ""
    won: np.ndarray = field(default_factory=lambda: np.zeros(0))
    seconds: float = 0.0
    curves: Mapping[str, Any] = field(default_factory=dict)


def main() -> None:
    """Trains what is asked for, prints."""
    choices = {"teams": TEAMS, "sights": SIGHTS}
    title = "What talking is worth on NDQ's StarCraft maps"
    report_maps("combat_talking", title, __doc__, HEAD, choices, teams_on)


def teams_on(experiment: Experiment, name: str, views: str) -> Found:
    """Every team on a map, by how far it sees."""
    cells = {
        (team, sight): cell_of(experiment, team, name, sight, views)
        for team in experiment.chosen["teams"]
        for sight in (experiment.chosen["sights"] if team not in BLIND else ("–",))
    }
    rows = [_row(team, sight, cell) for (team, sight), cell in cells.items()]
    numbers = {f"{team}, sight {sight}": cell for (team, sight), cell in cells.items()}
    return Found(rows, numbers, [text for sight in experiment.chosen["sights"] if (text := worth(cells, sight))])


def team_of(team: str, name: str, sight: float, views: str = "ndq") -> Algorithm:
    """The learner of a team that is not scripted."""
    env = env_of(name, sight, views)
    if team == "open-loop":
        return mc.make_algorithm("qmix", TimeOnly(env))
    if team == "memoryless":
        silent = SilentChannel(num_agents=env.num_agents, num_actions=env.num_actions)
        return mc.make_algorithm("qmix", env, agent=FeedForwardAgent(silent, env.num_actions))
    return mc.make_algorithm({"recurrent": "qmix", "oracle": "shared_qmix"}[team], env)


def cell_of(experiment: Experiment, team: str, name: str, sight: str, views: str) -> Cell:
    """Trains a team, or reads it back, and tests it; what goes wrong is what the cell says."""
    range_of_sight = float(SIGHTS[0] if team in BLIND else sight)
    try:
        if team == "scripted":
            return Cell(won=np.array([win_rate(env_of(name), SCRIPTS[name], experiment.episodes)]))  # pyright: ignore[reportArgumentType]
        label = label_of(team, name, *([] if team in BLIND else [f"sight-{sight}"]), views=views)
        run = experiment.train(label, team_of(team, name, range_of_sight, views), steps=steps_on(experiment, name))
        episodes, summary = experiment.episodes, RunFolder(run.saved.path).read_json("summary.json")
        tested = run.kept(
            f"tested-won-{episodes}-episodes", {"episodes": episodes}, lambda: evaluate(run.saved, episodes=episodes)
        )
        won = np.array(tested["won"], float)
        return Cell(won=won, seconds=summary["wall_seconds"], curves=curves_as_json(run))
    except (Exception, SystemExit) as error:  # a cell that fails is shown, and the others go on
        return Cell(problem_of(error, f"{team}-{name}-{sight}"))


def worth(cells: Mapping[tuple[str, str], Cell], sight: str) -> str:
    """A sentence: how many points more the oracle wins than the silent teams; empty where either is missing."""
    oracle = cells.get(("oracle", sight))
    silent = {
        team: cell for (team, at), cell in cells.items() if team not in ("scripted", "oracle") and at in (sight, "–")
    }
    if oracle is None or oracle.problem or not silent or any(cell.problem for cell in silent.values()):
        return ""
    best = max(silent, key=lambda team: interquartile_mean(silent[team].won).mean)
    more = interquartile_mean(oracle.won).mean - interquartile_mean(silent[best].won).mean
    return f"Sight {sight}: the oracle wins {100 * more:+.1f} points more than the best silent team, {best}."


def _row(team: str, sight: str, cell: Cell) -> list[str]:
    if cell.problem:
        return [team, sight, cell.problem, *["–"] * (len(HEAD) - 3)]
    return [team, sight, *middle_cells(cell.won, percent), f"{cell.seconds:.0f}" if cell.seconds else "–"]


if __name__ == "__main__":
    main()
