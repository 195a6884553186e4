"""Fig. 3 and 5 of the RGMComm paper: labels beside learned channels, silence and the ideal policy, on particle tasks.

The paper: RGMComm is highest everywhere, and near the ideal policy, which knows what all see. Messages can matter on
the first two tasks only: as released, predators see all but each other, and the scripted team, which never talks, gets
what the paper's teams get. One learner (MADDPG) and one budget a task; the channels' own learners are on-policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import marlcomm as mc
from experiments.common import (
    MIDDLE_HEAD,
    Experiment,
    FinishedRun,
    curves_as_json,
    markdown_table,
    middle_cells,
    plain_return,
    start,
)
from marlcomm.algorithms import Algorithm
from marlcomm.analysis import plot_curves
from marlcomm.envs.particle import Navigation, PredatorPrey, scripted
from marlcomm.envs.particle.physics import distance
from marlcomm.envs.particle.views import offsets
from marlcomm.training import evaluate

COMPARED = (
    "rgmcomm, 4 labels", "commnet", "ic3net", "tarmac", "sarnet", "silent", "random labels", "untrained labels",
    "gumbel, 4 symbols", "ideal",
)  # fmt: skip
AS_RELEASED = ("rgmcomm, 4 labels", "silent", "ideal")
HEAD = ("method", *MIDDLE_HEAD, "bits a step")
SCRIPTED_EPISODES = 4000
# The originals' actors remember. Here only channels differ, but for SARNet's, which reads memory.
FORGETFUL = ("commnet", "ic3net", "tarmac")
# Released: an update of 256 steps for every step played, which two cores cannot do for so many methods and seeds.
SETTINGS = {"update_interval": 4, "batch_steps": 128}
EXPLORING = 0.5  # share of the steps in which exploration falls

Scripted = Callable[[Any], scripted.Controller]


def own_side(env: Navigation) -> scripted.Controller:
    """Two agents, each to its own side of its nearest landmark: they never touch, and need no word for it."""
    place = jnp.array([[-0.16, 0.0], [0.16, 0.0]])  # agents touch at 0.3

    def act(state: Any) -> jax.Array:
        agents, landmarks = state.position[:2], state.position[2:]
        nearest = jnp.argmin(distance(offsets(agents, landmarks)), axis=1)
        return env.action_for(12.0 * (landmarks[nearest] + place - agents) - 2.0 * state.velocity)

    return act


def told_the_cell(cells: int) -> Scripted:
    """Who sees the prey chases it; who does not goes where it is said to be, the middle of one of `cells` x `cells`
    parts of the square, or of the whole where `cells` is 1 and nothing is said."""

    def controller(env: PredatorPrey) -> scripted.Controller:
        chase = scripted.chase_on_ring(env)

        def act(state: Any) -> jax.Array:
            predators, prey, _ = env.split(state.position)
            cell = jnp.clip(jnp.floor((prey[0] + 1) / 2 * cells), 0, cells - 1)
            middle = (cell + 0.5) / cells * 2 - 1
            sees = distance(prey[0] - predators) <= env.sight
            come = env.action_for(20.0 * (middle - predators) - state.velocity[: env.num_agents])
            return jnp.where(sees[:, None], chase(state), come)

        return act

    return controller


@dataclass(frozen=True)
class Task:
    """A task, its share of the experiment's environment steps, who is compared, and controllers to hold them to."""

    name: str
    share: float
    scripted: Mapping[str, Scripted]
    options: Mapping[str, Any] = field(default_factory=dict)
    methods: tuple[str, ...] = COMPARED


def _as_released(predators: int, share: float) -> Task:
    ring = {"scripted ring": scripted.chase_on_ring}
    return Task("predator_prey", share, ring, {"num_predators": predators}, AS_RELEASED)


SHORT_SIGHTED = Task(
    "predator_prey",
    1.0,
    {
        "scripted, all see": scripted.chase_on_ring,
        "scripted, told one of 16 cells": told_the_cell(4),
        "scripted, told one of 4": told_the_cell(2),
        "scripted, told nothing": told_the_cell(1),
    },
    {"num_predators": 2, "num_blind": 1, "blind_radius": 0.3, "steps": 25},
)
TASKS = {
    "navigation": Task(
        "navigation",
        0.4,
        {
            "scripted, optimal": lambda env: scripted.cover(env, "optimal"),
            "scripted, each to its nearest": lambda env: scripted.cover(env, "nearest"),
            "scripted, own side of the nearest": own_side,
        },
        {"steps": 25},
        ("rgmcomm, 16 labels", *COMPARED),
    ),
    "predator-prey, one of two short-sighted": SHORT_SIGHTED,
    "predator-prey as released, 2": _as_released(2, 0.7),
    "predator-prey as released, 3": _as_released(3, 1.0),
}


def main() -> None:
    """Trains, draws, prints."""
    experiment = start("particle_methods", __doc__, steps=150_000, quick_steps=5_000, full_steps=1_000_000, seeds=5)
    tables, numbers = [], {}
    for label, task in TASKS.items():
        references = {name: scripted_return(task, make) for name, make in task.scripted.items()}
        runs, found = {}, {}
        for method in task.methods:
            runs[method] = train(experiment, task, method, int(task.share * experiment.steps))
            tested = evaluate(runs[method].saved, episodes=experiment.episodes)
            found[method] = {"tested": tested, "curves": curves_as_json(runs[method])}
        rows = [[name, plain_return(value), "–", "–"] for name, value in references.items()]
        rows += [_row(method, of["tested"]) for method, of in found.items()]
        steps = f"{int(task.share * experiment.steps):,} steps a seed"
        tables += [f"**{label}**, {steps}: return, mean over agents.", markdown_table(HEAD, rows)]
        numbers[label] = {"references": references, **found}
        curves = {method: run.metrics for method, run in runs.items()}
        figure = plot_curves(curves, panels=["test_return"], references=references)
        experiment.save_figure(_plain(label), figure)
    experiment.report("Fig. 3 and 5: labels and learned channels on particle tasks", tables, numbers)


def train(experiment: Experiment, task: Task, method: str, steps: int | None = None) -> FinishedRun:
    """The method's run on the task; other experiments use it too."""
    options = "-".join(f"{name}-{value}" for name, value in task.options.items())
    folder = _plain(f"{task.name}-{options}-{method}")
    steps = experiment.steps if steps is None else steps
    return experiment.train(folder, algorithm_of(method, task, steps), steps=steps)


def algorithm_of(method: str, task: Task, steps: int) -> Algorithm:
    """What the row called `method` trains, for a run of so many steps. All critics see what all agents see."""
    env = mc.make_env(task.name, controls="pairs", **task.options)
    name, settings = f"{method}_maddpg", {"recurrent": False} if method in FORGETFUL else {}
    if method.startswith("rgmcomm"):
        name, settings = "rgmcomm", {"vocab_size": int(method.split()[1])}
    elif method == "random labels":  # drawn from all that are said, at every step of training
        name, settings = "rgmcomm", {"vocab_size": 4, "training_edit": mc.parse_edit("random")}
    elif method == "untrained labels":  # a fixed function of what the sender sees
        name, settings = "rgmcomm", {"vocab_size": 4, "message_rate": 0.0}
    elif method == "gumbel, 4 symbols":  # as many bits, taught by the critic's gradient
        name, settings = "maddpg", {"channel": mc.DiscreteChannel(vocab_size=4)}
    elif method == "ideal":
        name, settings = "maddpg", {"channel": mc.SharedChannel()}
    elif method == "silent":
        name = "maddpg"
    exploring = {"exploration_steps": int(EXPLORING * steps)}
    return mc.make_algorithm(name, env, critics_see="observations", **SETTINGS, **exploring, **settings)


def scripted_return(task: Task, make: Scripted) -> float:
    """What the controller earns on the task, mean over agents."""
    env = mc.make_env(task.name, controls="pairs", **task.options)
    return float(scripted.returns(env, make(env), jax.random.PRNGKey(0), SCRIPTED_EPISODES).mean())


def _row(method: str, tested: Mapping[str, np.ndarray]) -> list[str]:
    return [method, *middle_cells(tested["return"], plain_return), f"{tested['bits_per_step'].mean():.1f}"]


def _plain(label: str) -> str:
    return label.replace(",", "").replace(" ", "-")


if __name__ == "__main__":
    main()
