import numpy as np
import pytest

from marlcomm.analysis import cut_curve

FRACTIONS = (0.0, 0.5, 0.8, 1.0)


@pytest.fixture(scope="module")
def calibrated(hallway):
    return cut_curve(hallway, FRACTIONS, episodes=200)


def test_shapes(calibrated):
    for name in ("team_return", "won", "sent_fraction", "bits_per_step", "threshold"):
        assert getattr(calibrated, name).shape == (4, 2), name


def test_a_calibrated_cut_leaves_the_rest(calibrated):
    # an untrained encoder says little that depends on the position, so that values cluster
    cut = 1 - calibrated.sent_fraction
    np.testing.assert_allclose(cut, np.array(FRACTIONS)[:, None] * [1, 1], atol=0.25)
    np.testing.assert_array_equal(cut[[0, -1]], [[0, 0], [1, 1]])
    assert (np.diff(calibrated.threshold, axis=0) > 0).all()
    assert np.isinf(calibrated.threshold[-1]).all()


def test_bits_are_those_of_what_is_sent_and_of_its_mask(calibrated):
    # 2 agents with 2 real numbers for each other; a cut pays a bit an entry for the mask of what was sent
    np.testing.assert_allclose(calibrated.bits_per_step[0], 2 * 2 * 32, rtol=1e-4)
    np.testing.assert_allclose(calibrated.bits_per_step[-1], 2 * 2, rtol=1e-4)
    within = calibrated.bits_per_step[1:-1]
    np.testing.assert_allclose(within, 4 * 32 * calibrated.sent_fraction[1:-1] + 4, rtol=1e-3)


def test_whole_messages_pay_a_bit_each(hallway, calibrated):
    curve = cut_curve(hallway, (0.0, 0.5, 1.0), whole=True, episodes=200)
    np.testing.assert_array_equal(curve.bits_per_step[0], calibrated.bits_per_step[0])  # nothing is cut: no mask
    np.testing.assert_allclose(curve.bits_per_step[-1], 2, rtol=1e-4)
    np.testing.assert_allclose(1 - curve.sent_fraction, np.array([0, 0.5, 1])[:, None] * [1, 1], atol=0.25)


def test_a_rank_cut_has_no_threshold(hallway):
    curve = cut_curve(hallway, (0.5, 1.0), "rank_cut", episodes=50)
    assert np.isnan(curve.threshold).all()
    assert (curve.sent_fraction[1] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "chop"}, "kind is 'chop'"),
        ({"fractions": ()}, "fractions is"),
        ({"fractions": (1.5,)}, "fractions is"),
        ({"episodes": 0}, "episodes=0"),
    ],
)
def test_refuses_nonsense(hallway, arguments, words):
    with pytest.raises(ValueError, match=words):
        cut_curve(hallway, **arguments)
