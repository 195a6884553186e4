import numpy as np
import pytest
from handmade import recorded_with

from marlcomm.analysis import find_codes
from marlcomm.analysis.measures.codes import discretize


def test_few_different_rows_stay_as_they_are():
    rows = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [-2.0, 3.0]])
    label, centers = discretize(rows)
    np.testing.assert_array_equal(centers, [[-2, 3], [0, 0], [1, 0]])
    np.testing.assert_array_equal(label, [2, 1, 2, 0])


@pytest.mark.parametrize("codes", [1, 2, 3, 5])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_blurred_codes_are_counted_once(codes, dims):
    rng = np.random.default_rng(codes)
    which = rng.integers(0, codes, 900)
    means = 10.0 * np.arange(codes)[:, None] * np.eye(dims)[0]
    label, centers = discretize(means[which] + rng.normal(size=(900, dims)), None)
    np.testing.assert_allclose(centers, means, atol=0.3)
    np.testing.assert_array_equal(label, which)


def test_as_many_clusters_as_asked_for():
    values = np.random.default_rng(0).normal(size=(500, 2))
    label, centers = discretize(values, 8)
    assert centers.shape == (8, 2)
    nearest = np.argmin(((np.round(values, 3)[:, None] - centers) ** 2).sum(-1), 1)
    np.testing.assert_array_equal(label, nearest)


def test_codes_of_a_team_made_by_hand():
    content = np.zeros((16, 1, 3, 3, 2))
    content[4:, :, 2, 0] = [1.0, -1.0]  # agent 2 is silent in four of sixteen episodes
    codes = find_codes(recorded_with(content))
    assert codes.count[2, 0] == 2
    assert codes.count[1, 0] == 1
    assert codes.count[1, 1] == 0
    assert codes.entropy[2, 0] == pytest.approx(2 - 0.75 * np.log2(3))
    np.testing.assert_array_equal(codes.content[2, 0], [[0, 0], [1, -1]])
    np.testing.assert_array_equal(codes.label[:, 0, 2, 0], [0] * 4 + [1] * 12)
    assert (codes.label[:, 0, 1, 1] == -1).all()


def test_a_silent_team_has_one_word_of_no_numbers():
    codes = find_codes(recorded_with(np.zeros((16, 1, 3, 3, 0))))
    assert codes.content.shape == (3, 3, 1, 0)
    assert (codes.entropy[~np.eye(3, dtype=bool)] == 0).all()
