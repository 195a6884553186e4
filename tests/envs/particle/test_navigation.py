"""Navigation: the three rewards by hand, and what the paper's view leaves out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import compiled

from marlcomm.envs import check_env, make_env
from marlcomm.envs.particle.navigation import NavigationState

# Agents 0 and 1 touch. Distances to the landmarks: 0.5 and 1.5; 0.3 and 1.3; 3 and 2.
POSITION = jnp.array([[0.5, 0.0], [0.3, 0.0], [3.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
REWARDS = [
    ("paper", False, [-0.5 - 1, -0.3 - 1, -2.0]),
    ("released", False, [-3 * (0.3 + 0.5) - 2] * 3),
    ("released", True, [-3 * (0.3 + 0.5) - 2 - 3] * 3),
    ("farama", False, [-0.4 - 0.5, -0.4 - 0.5, -0.4]),
]


@pytest.mark.parametrize(("kind", "self_collision", "expected"), REWARDS)
def test_rewards(kind, self_collision, expected):
    """Farama's order leaves bodies at rest where they are for one step."""
    _, _, move = compiled(
        "navigation",
        num_agents=3,
        num_landmarks=2,
        reward=kind,
        self_collision=self_collision,
        integration="farama",
    )
    state = NavigationState(POSITION, jnp.zeros((3, 2)), jnp.zeros((), jnp.int32))
    _, step = move(state, jnp.zeros(3, jnp.int32))
    np.testing.assert_allclose(step.reward, expected, rtol=1e-5)
    assert int(step.extras["bumps"]) == 1


def test_the_papers_view_is_the_nearest_landmark():
    state, first = compiled("navigation").reset(jax.random.key(1))
    position, view = np.asarray(state.position), first.observation.agents_view
    assert view.shape == (2, 6)
    for agent in range(2):
        to_landmarks = position[2:] - position[agent]
        nearest = to_landmarks[np.argmin(np.linalg.norm(to_landmarks, axis=1))]
        np.testing.assert_allclose(view[agent], [0, 0, *position[agent], *nearest])
    np.testing.assert_allclose(first.observation.global_state, [*position.ravel(), 0, 0, 0, 0])


def test_the_released_view_shows_everything():
    options = {"num_agents": 3, "num_landmark_neighbors": None, "num_agent_neighbors": None}
    state, first = compiled("navigation", **options).reset(jax.random.key(1))
    position = np.asarray(state.position)
    expected = np.concatenate([position[3:], position[[0, 2]]]) - position[1]
    np.testing.assert_allclose(first.observation.agents_view[1], [0, 0, *position[1], *expected.ravel()])


def test_contract():
    assert check_env(make_env("navigation", num_agents=3, steps=4), episodes=2) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"self_collision": True}, "self_collision=True goes with reward='released', not 'paper'"),
        ({"reward": "release"}, "Did you mean 'released'"),
        ({"num_landmarks": 0}, "num_landmarks=0"),
        ({"num_agent_neighbors": 1.5}, "num_agent_neighbors=1.5"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        make_env("navigation", **options)
