"""Who is seen, against numpy's sort."""

import jax
import numpy as np
import pytest

from marlcomm.envs.particle import views

RNG = np.random.default_rng(0)
VIEWERS, THINGS = RNG.normal(size=(3, 2)).astype(np.float32), RNG.normal(size=(5, 2)).astype(np.float32)
MORE = RNG.normal(size=(3, 5, 2)).astype(np.float32)
OFFSET = THINGS - VIEWERS[:, None]


@pytest.mark.parametrize("nearest", [1, 3, 5, 7])
def test_nearest_first_and_zeros_for_what_is_not_there(nearest):
    found = jax.jit(lambda o, m: views.look(o, m, nearest=nearest))(OFFSET, MORE)
    order = np.argsort(np.linalg.norm(OFFSET, axis=-1), axis=1)[:, :nearest]
    expected = np.zeros((3, 2, nearest, 2), np.float32)
    for viewer, seen in enumerate(order):
        expected[viewer, :, : len(seen)] = OFFSET[viewer, seen], MORE[viewer, seen]
    np.testing.assert_array_equal(found, expected.reshape(3, -1))


def test_all_in_their_own_order():
    np.testing.assert_array_equal(views.look(OFFSET), OFFSET.reshape(3, -1))
    assert views.look(OFFSET, MORE).shape == (3, 20)
    assert views.look(OFFSET, nearest=0).shape == (3, 0)


def test_equally_near_things_keep_their_order():
    offset = np.array([[[0, 2], [1, 0], [-1, 0], [0, 1]]], np.float32)
    np.testing.assert_array_equal(views.look(offset, nearest=3), [[1, 0, -1, 0, 0, 1]])


@pytest.mark.parametrize("nearest", [None, 4])
def test_nothing_beyond_the_radius(nearest):
    apart = np.linalg.norm(OFFSET, axis=-1)
    seen = np.abs(views.look(OFFSET, nearest=nearest, radius=1.5).reshape(3, -1, 2)).sum(-1) > 0
    np.testing.assert_array_equal(seen.sum(axis=1), np.minimum((apart <= 1.5).sum(axis=1), nearest or 5))
    if nearest is None:
        np.testing.assert_array_equal(seen, apart <= 1.5)


def test_each_viewer_may_have_a_radius_of_its_own():
    radius = np.array([0.0, 1.0, np.inf])
    mixed = views.look(OFFSET, radius=radius)
    for row, far in enumerate(radius):
        np.testing.assert_array_equal(mixed[row], views.look(OFFSET, radius=float(far))[row])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_without_self(n):
    values = RNG.normal(size=(n, n, 3)).astype(np.float32)
    expected = [[values[i, j] for j in range(n) if j != i] for i in range(n)]
    np.testing.assert_array_equal(views.without_self(values), np.reshape(expected, (n, n - 1, 3)))
