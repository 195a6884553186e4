"""Fig. 3 of the NDQ paper: what beta does to the space of messages on sensor.

The paper: at beta 1 nobody talks; at 1e-3 only its agent 3 tells its agent 1 (ours: 2 and 0) one bit; at 1e-5 its
agents 2 and 3 both tell agent 1. Agents 1 and 2 of ours see the same fact, so either may be the one who tells.
"""

from __future__ import annotations

import numpy as np

import marlcomm as mc
from experiments.common import markdown_table, plain_return, start
from marlcomm.analysis import Talk, plot_message_space, record_episodes, talk_table, who_talks

BETAS = {1.0: "nobody", 1e-3: "2→0 (its 3→1)", 1e-5: "1→0 and 2→0 (its 2→1 and 3→1)"}


def describe(view: np.ndarray) -> str:
    """What a sensor's view says about target 2. The view is [left area, right area], -1 where there is no area."""
    if view[0] == -1:
        return "cannot see target 2"
    return "target 2 present" if view[-1 if view[1] != -1 else 0] == 1 else "target 2 absent"


def main() -> None:
    """Trains, draws, prints."""
    experiment = start("fig3_message_space", __doc__, steps=500_000, quick_steps=20_000)
    algorithm = mc.make_algorithm("ndq", mc.make_env("sensor"))
    run = experiment.train("ndq-sensor-betas", algorithm, {"beta": list(BETAS)})
    population = run.saved.population
    rows, tables, numbers = [], [], []
    for beta, claim in BETAS.items():
        members = [m for m in range(len(population)) if population.changes[m]["beta"] == beta]
        best = max(members, key=lambda m: run.final_return[m])
        for member in members:
            recorded = record_episodes(run.saved.policy(member), experiment.episodes)
            talk = who_talks(recorded)
            worth = float(recorded.returns.mean())
            rows.append([f"{beta:g}", str(population.seeds[member]), plain_return(worth), _pairs(talk), claim])
            numbers.append(
                {"beta": beta, "seed": population.seeds[member], "return": worth, "talk": talk, "shown": member == best}
            )
            if member == best:
                title = f"β = {beta:g}, seed {population.seeds[member]}, return {worth:.2f}"
                figure = plot_message_space(recorded, describe=describe, title=title)
                experiment.save_figure(f"beta_{beta:g}", figure)
                tables += [
                    f"β = {beta:g}, seed {population.seeds[member]} (the best of its β, drawn):",
                    talk_table(talk),
                ]
    head = ("β", "seed", "return", "pairs that talk on > 1 % of steps (share)", "the paper says")
    experiment.report(
        "Fig. 3: the space of messages",
        [markdown_table(head, rows), *tables],
        {"members": numbers},
    )


def _pairs(talk: Talk) -> str:
    return ", ".join(f"{i}→{j} ({talk.share[i, j]:.0%})" for i, j in talk.pairs()) or "nobody"


if __name__ == "__main__":
    main()
