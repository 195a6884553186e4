import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from marlcomm.analysis.measures.information import entropy, joint_counts, mutual_information, permutation_test

TABLES = arrays(int, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.integers(0, 20)).filter(np.any)


@pytest.mark.parametrize(
    ("counts", "bits"),
    [([7], 0.0), ([5, 5], 1.0), ([3, 3, 3, 3], 2.0), ([1, 3], 2 - 0.75 * np.log2(3)), ([4, 0, 4], 1.0)],
)
def test_entropy_of_counts_known_beforehand(counts, bits):
    assert entropy(np.array(counts)) == pytest.approx(bits, abs=1e-12)


@pytest.mark.parametrize(
    ("table", "bits"),
    [
        ([[5, 0], [0, 5]], 1.0),  # the same bit
        ([[0, 5], [5, 0]], 1.0),  # its opposite
        ([[2, 6], [3, 9]], 0.0),  # independent: rows are alike
        ([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], 2.0),
        ([[4, 0], [4, 0]], 0.0),  # one side never changes
        ([[3, 1], [1, 3]], 0.75 * np.log2(3) - 1),  # a binary channel that errs in a quarter: 1 - H(1/4)
    ],
)
def test_information_of_tables_made_by_hand(table, bits):
    assert mutual_information(np.array(table)) == pytest.approx(bits, abs=1e-12)


@given(TABLES)
def test_information_is_what_scipy_makes_of_it_symmetric_and_bounded(table):
    bits = mutual_information(table)
    share = table / table.sum()
    independent = share.sum(1, keepdims=True) * share.sum(0)
    assert bits == pytest.approx(scipy.stats.entropy(share.ravel(), independent.ravel(), base=2), abs=1e-9)
    assert bits == pytest.approx(mutual_information(table.T), abs=1e-9)
    assert -1e-9 <= bits <= min(entropy(table.sum(0)), entropy(table.sum(1))) + 1e-9


def test_joint_counts_by_weight():
    first, second = np.array([[0, 1], [1, 1]]), np.array([[2, 0], [0, 2]])
    weight = np.array([[1.0, 0.5], [2.0, 0.0]])
    np.testing.assert_array_equal(joint_counts(first, second, weight), [[0, 0, 1], [2.5, 0, 0]])


def p_values(draw, repeats=120):
    rng = np.random.default_rng(0)
    return np.array([permutation_test(*draw(rng), 59, rng)[2] for _ in range(repeats)])


def lengths(rng, episodes=40, steps=6):
    """[B, T] bool: episodes end anywhere."""
    return np.arange(steps) < rng.integers(1, steps + 1, episodes)[:, None]


def still(rng, episodes=40, steps=6):
    """[B, T] a label drawn once an episode: every step repeats it, so steps are far from independent."""
    return np.repeat(rng.integers(0, 3, (episodes, 1)), steps, 1)


def clock(rng, episodes=40, steps=6):
    """[B, T] a label that mostly follows the clock, as everything does in a task that always goes alike."""
    noise = rng.integers(0, 3, (episodes, steps))
    return np.where(rng.random((episodes, steps)) < 0.7, np.arange(steps) % 3, noise)


@pytest.mark.parametrize("label", [still, clock])
def test_independent_labels_are_seldom_called_dependent(label):
    p = p_values(lambda rng: (label(rng), label(rng), lengths(rng)))
    for level in (0.05, 0.1, 0.3):  # at most as often as the level says, but for three deviations
        assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / len(p))
    assert p.mean() > 0.4


def test_the_clock_is_no_information():
    rng = np.random.default_rng(1)
    found, chance, _ = permutation_test(clock(rng, 400), clock(rng, 400), np.ones((400, 6), bool), 50, rng)
    assert found > 0.3
    assert found - chance < 0.02


def test_dependent_labels_are_found():
    rng = np.random.default_rng(2)
    secret = still(rng)
    found, chance, p = permutation_test(secret, (secret + 1) % 3, lengths(rng), 99, rng)
    assert p == 0.01
    assert found > 1.4
    assert chance < 0.2


def test_nothing_to_count_is_no_finding():
    nothing = np.zeros((4, 2), int)
    assert permutation_test(nothing, nothing, np.zeros((4, 2), bool), 9, np.random.default_rng(0)) == (0.0, 0.0, 1.0)
