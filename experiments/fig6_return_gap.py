"""Fig. 6 of the RGMComm paper: the return gap, the mean cosine distance epsilon, and the bounds, over the labels.

On predator-prey where one of two predators is short-sighted; the ideal team's critic says what actions are worth. The
paper: gap and epsilon shrink with more labels, and the gap is below sqrt(epsilon) n Q_max, with Q_max 721, 739 and 754.
As printed that is no bound (`marlcomm.analysis.theory.return_gap`); the rigorous one is the sum over senders of
sqrt(2 C epsilon) times the largest norm. Both bound the gap of a step, (1 - discount) times the discounted return, of
teams that do the best with what they hear; what a team failed to learn is in the measured gap alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common import MIDDLE_HEAD, draw_middles, markdown_table, middle_cells, start
from experiments.particle_methods import SHORT_SIGHTED, train
from marlcomm.analysis import RecordedEpisodes, SenderGap, measure_gap, record_episodes, sender_gap
from marlcomm.envs.particle import PredatorPrey
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.style import plain_frame
from marlcomm.losses.clustering import action_value_matrix
from marlcomm.training import SavedRun

LABELS = (4, 6, 8)
ROWS, CONTEXTS = 256, 32  # what the sender saw, what all others saw: sampled from the team's own episodes
GAP, PRINTED, RIGOROUS, DISTANCE = "gap of a step", "bound as printed", "rigorous bound", "epsilon"


def main() -> None:
    """Trains, draws, prints."""
    experiment = start(
        "fig6_return_gap", __doc__, steps=150_000, quick_steps=5_000, full_steps=500_000, seeds=5, episodes=1000
    )
    ideal = train(experiment, SHORT_SIGHTED, "ideal").saved
    best = [record_episodes(ideal.policy(member), experiment.episodes) for member in range(experiment.seeds)]
    found = {}
    for labels in LABELS:
        team = train(experiment, SHORT_SIGHTED, f"rgmcomm, {labels} labels").saved
        each = [measure(ideal, team, member, best[member]) for member in range(experiment.seeds)]
        found[labels] = {name: np.array([one[name] for one in each]) for name in each[0]}
    rows = [
        [str(labels), name, *middle_cells(values, "{:.3g}".format)]
        for labels, of in found.items()
        for name, values in of.items()
    ]
    experiment.save_figure("return_gap", draw(found))
    table = markdown_table(("labels", "measured", *MIDDLE_HEAD), rows)
    experiment.report("Fig. 6: the return gap and its bounds", [table], {"final": found})


def measure(ideal: SavedRun, team: SavedRun, member: int, best: RecordedEpisodes) -> dict[str, float]:
    """One seed: what is lost, and the bounds of it by the ideal team's critic."""
    recorded = record_episodes(team.policy(member), len(best.returns))
    gap = measure_gap(best, recorded, float(team.algorithm.hparams.discount))
    agents = team.algorithm.env.num_agents
    params = jax.tree.map(lambda x: x[member], ideal.params)
    senders = [of_sender(ideal, params, recorded, sender) for sender in range(agents)]
    distance = float(np.mean([sender.distance for sender in senders]))
    largest = float(max(sender.largest_value for sender in senders))
    return {
        "gap of an episode": gap.episode_gap,
        GAP: gap.step_gap,
        "cost of labels, says the critic": float(sum(sender.gap for sender in senders)),
        DISTANCE: distance,
        "Q_max, the largest value": largest,
        PRINTED: distance**0.5 * agents * largest,
        RIGOROUS: float(sum(sender.bound for sender in senders)),
    }


def of_sender(ideal: SavedRun, params: Any, recorded: RecordedEpisodes, sender: int) -> SenderGap:
    """What a sender's labels cost: its views against those of the others, with every joint action that pushes fully."""
    learner: Any = ideal.algorithm.learner
    env: Any = ideal.algorithm.env
    real = np.asarray(recorded.episodes.valid)
    views = np.asarray(recorded.episodes.agents_view)[:, :-1][real]  # [M, N, O]
    heard = recorded.content[:, :, sender, (sender + 1) % env.num_agents, 0][real]
    chosen = np.random.default_rng(0).choice(len(views), ROWS + CONTEXTS, replace=False)
    row, context = chosen[:ROWS], chosen[ROWS:]
    actions = full_pushes(env)  # [G, N, A]
    for_each_critic = jnp.broadcast_to(actions[:, None], (len(actions), env.num_agents, *actions.shape[1:]))

    def worth(own: jax.Array, others: jax.Array) -> jax.Array:
        seen = others.at[sender].set(own).reshape(-1)
        seen = jnp.broadcast_to(seen, (len(actions), len(seen)))
        return learner.critic.apply(params["critic"], seen, for_each_critic).mean(-1)

    values = jax.jit(lambda own, others: action_value_matrix(worth, own, others))(views[row, sender], views[context])
    labels = np.rint(heard[row]).astype(int) - 1
    return sender_gap(np.asarray(values).reshape(ROWS, CONTEXTS, len(actions)), labels)


def full_pushes(env: PredatorPrey) -> jax.Array:
    """[9^N, N, A] joint actions: along each axis, each agent pushes as hard as it can, or not at all."""
    pushes = list(itertools.product((-2.0, 0.0, 2.0), repeat=2 * env.num_agents))
    return jax.vmap(env.action_for)(jnp.array(pushes).reshape(-1, env.num_agents, 2))


def draw(found: Mapping[int, Mapping[str, np.ndarray]]) -> Figure:
    """Gap and bounds, and epsilon, over the number of labels."""
    figure = Figure(figsize=(8.8, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, name in enumerate((GAP, PRINTED, RIGOROUS)):
        draw_middles(left, list(found), np.array([of[name] for of in found.values()]), name, number)
    draw_middles(right, list(found), np.array([of[DISTANCE] for of in found.values()]), DISTANCE, 0)
    left.set(title="return of a step", xlabel="labels", xticks=list(found), yscale="log")  # a gap below 0 has no dot
    right.set(title="mean cosine distance", xlabel="labels", xticks=list(found), ylim=(0, None))
    left.legend(fontsize=8, frameon=False)
    for axes in (left, right):
        plain_frame(axes)
    return figure


if __name__ == "__main__":
    main()
