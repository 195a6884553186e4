"""Table 1 of the QTRAN paper: which factorizations hold the matrix game whose best joint action nobody dares.

Two agents that see nothing and choose among three actions; payoffs 8, -12, -12 / -12, 0, 0 / -12, 0, 0. All joint
actions are played alike, as in the papers.

A sum (VDN) and a monotonic network (QMIX) cannot represent these payoffs: the sum holds (A, A) to be the worst; the
monotonic network can give all joint actions with an A about the same value, and all others about 0, so that which of
these is greedy, and whether (A, A) is the worst, is decided by small differences. QTRAN and QPLEX can represent them,
and find (A, A).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import marlcomm as mc
from experiments.common import Experiment, FinishedRun, markdown_table, start
from marlcomm.algorithms import Algorithm
from marlcomm.envs.small.matrix_game import QTRAN_TABLE, MatrixGame
from marlcomm.learners import ValueLearner
from marlcomm.training import evaluate
from marlcomm.types import ActionValues

METHODS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "vdn": ("vdn", {}),
    "qmix": ("qmix", {}),
    "qtran": ("qtran", {}),
    "qtran-alt": ("qtran", {"alternative": True}),
    "qplex": ("qplex", {"mixer.heads": 10, "mixer.attention_layers": 3}),  # as released for matrix games
}
FOUND_IN_THE_PAPERS = {"vdn": 0, "qmix": 0, "qtran": 8, "qtran-alt": 8, "qplex": 8}
ALIKE = {"exploration_start": 1.0, "exploration_final": 1.0}  # every joint action is as likely as any other
SETTINGS = {"paper": True, "num_envs": 8, **ALIKE}


def main() -> None:
    """Trains, prints."""
    experiment = start("factorization_matrix_game", __doc__, steps=40_000, quick_steps=2_000, seeds=5, episodes=64)
    rows, numbers = [], {}
    for method in METHODS:
        run = train(experiment, method)
        greedy = evaluate(run.saved, episodes=experiment.episodes)["return"]
        utilities, joint = reconstructed(run.saved.algorithm, run.saved.params)
        rows.append([method, str(FOUND_IN_THE_PAPERS[method]), " ".join(f"{x:.0f}" for x in greedy), *_cells(joint)])
        numbers[method] = {"greedy_return": greedy, "utilities": utilities, "joint": joint}
    head = ("method", "greedy, in the papers", "greedy, every seed", "seed", "(A, *)", "(B, *)", "(C, *)")
    truth = ["payoffs", "", "", "", *(_row(row) for row in np.asarray(QTRAN_TABLE)[0, :, 0])]
    tables = [markdown_table(head, [truth, *rows])]
    experiment.report("Factorizations of a matrix game (QTRAN, table 1)", tables, numbers)


def train(experiment: Experiment, method: str) -> FinishedRun:
    """The method's run."""
    name, settings = METHODS[method]
    algorithm = mc.make_algorithm(name, MatrixGame(QTRAN_TABLE), **SETTINGS, **settings)
    return experiment.train(f"qtran-matrix-game-{method}", algorithm)


def reconstructed(algorithm: Algorithm, params: Any) -> tuple[np.ndarray, np.ndarray]:
    """[P, N, A] the agents' values, and [P, A, A] the trained value of every joint action, of params [P, ...]."""
    env, learner = algorithm.env, algorithm.learner
    assert isinstance(learner, ValueLearner)
    n, a = env.num_agents, env.num_actions
    joint = jnp.array(list(itertools.product(range(a), repeat=n)))
    observation = env.reset(jax.random.PRNGKey(0))[1].observation

    def of(params: Any) -> tuple[jax.Array, jax.Array]:
        q = learner.act(params, observation, learner.initial_memory(), jax.random.PRNGKey(0))[2].scores
        rows = jax.tree.map(
            lambda x: jnp.broadcast_to(x, (len(joint), *x.shape)),
            (q, observation.action_mask, observation.global_state),
        )
        value, _ = learner.mix(params, ActionValues(rows[0], rows[1], joint), rows[2])
        return q, value.reshape(a, a)

    return jax.device_get(jax.jit(jax.vmap(of))(params))


def _cells(joint: np.ndarray) -> list[str]:
    """Which seed is the median by its distance from the payoffs, and its joint values, a row of the game a cell."""
    away = np.abs(joint - np.asarray(QTRAN_TABLE)[0, :, 0]).max((1, 2))
    middle = int(np.argsort(away)[len(away) // 2])
    return [str(middle), *(_row(row) for row in joint[middle])]


def _row(values: np.ndarray) -> str:
    return " ".join(f"{round(float(x), 2) + 0.0:.2f}" for x in values)  # no "-0.00"; what is nearly a tie shows


if __name__ == "__main__":
    main()
