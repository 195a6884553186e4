"""What actions push, and the way back."""

import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.envs.particle import controls

WANTED = np.array([[1.0, 0.0], [-1.0, 0.2], [0.3, 1.0], [0.1, -0.9], [0.1, 0.2]], np.float32)


def test_discrete_moves():
    pushes = controls.push(jnp.arange(5), "discrete", "openai")
    np.testing.assert_array_equal(pushes, [[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])


def test_pairs_have_the_sign_of_their_library():
    action = jnp.array([[0.9, 1.0, -1.0, 0.25, 0.5]])
    np.testing.assert_array_equal(controls.push(action, "pairs", "openai"), [[2.0, -0.25]])
    np.testing.assert_array_equal(controls.push(action, "pairs", "farama"), [[-2.0, 0.25]])


def test_what_is_beyond_the_range_is_cut_off():
    np.testing.assert_array_equal(controls.push(jnp.array([[3.0, -1.5]]), "force", "openai"), [[1.0, -1.0]])


@pytest.mark.parametrize("integration", ["openai", "farama"])
@pytest.mark.parametrize(("kind", "reach"), [("force", 1.0), ("pairs", 2.0)])
def test_numbers_there_and_back(kind, reach, integration):
    action = controls.action_for(jnp.asarray(3 * WANTED), kind, integration)
    assert action.shape == (5, controls.SIZES[kind])
    assert (np.abs(action) <= 1).all()
    np.testing.assert_allclose(controls.push(action, kind, integration), np.clip(3 * WANTED, -reach, reach))


def test_the_nearest_move():
    np.testing.assert_array_equal(controls.action_for(jnp.asarray(WANTED), "discrete", "openai"), [2, 1, 4, 3, 0])
