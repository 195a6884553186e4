"""Hand-written controllers earn what an independent simulation in numpy found (1000 or more episodes)."""

import jax
import numpy as np
import pytest

from marlcomm.envs import make_env
from marlcomm.envs.particle import scripted

EPISODES = 600
RELEASED = {"reward": "released", "self_collision": True}


def earned(env, controller):
    """Mean return and its standard error; the sum over agents where rewards are each agent's own."""
    found = np.asarray(scripted.returns(env, controller, jax.random.key(0), EPISODES))
    found = found.sum(axis=1) if getattr(env, "reward", "") == "paper" else found[:, 0]
    return found.mean(), found.std() / EPISODES**0.5


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"num_predators": 2}, 851),
        ({"num_predators": 3}, 1145),
        ({"num_predators": 6}, 1606),
        ({"num_predators": 2, "integration": "farama"}, 449),
        pytest.param({"num_predators": 2, "controls": "force"}, 640, marks=pytest.mark.slow),
    ],
)
def test_chasing_on_a_ring(options, expected):
    env = make_env("predator_prey", **{"controls": "pairs", **options})
    mean, error = earned(env, scripted.chase_on_ring(env))
    assert abs(mean - expected) < 3 * np.hypot(error, 7)  # 7: the largest standard error of the reference


def test_idle_predators():
    env = make_env("predator_prey", num_predators=2)
    mean, error = earned(env, lambda state: np.zeros(2, np.int32))
    assert abs(mean + 20) < 3 * error + 0.5


@pytest.mark.parametrize(
    ("options", "assignment", "expected", "margin"),
    [
        (RELEASED, "optimal", -215.9, 2),
        (RELEASED, "fixed", -218.1, 2),
        (RELEASED, "nearest", -389.7, 16),  # depends on how hard they push
        ({"reward": "paper"}, "optimal", -11.2, 1.5),
        ({"reward": "paper"}, "nearest", -79.5, 16),
        pytest.param({**RELEASED, "num_agents": 3}, "optimal", -339.0, 2, marks=pytest.mark.slow),
        pytest.param({"reward": "paper", "steps": 25}, "optimal", -5.9, 0.2, marks=pytest.mark.slow),
    ],
)
def test_covering_landmarks(options, assignment, expected, margin):
    env = make_env("navigation", controls="pairs", **options)
    mean, error = earned(env, scripted.cover(env, assignment))
    assert abs(mean - expected) < margin + 2 * error


def test_an_assignment_needs_as_many_landmarks():
    env = make_env("navigation", num_landmarks=3)
    with pytest.raises(ValueError, match="assignment='optimal' needs 2 landmarks for 2 agents, not 3"):
        scripted.cover(env)
