"""What recorded episodes tell about the return gap, on episodes of the matrix game and others written by hand."""

import numpy as np
import pytest

from marlcomm.analysis.measures.recorded import RecordedEpisodes
from marlcomm.analysis.theory.measured_gap import measure_gap, tabulate
from marlcomm.analysis.theory.return_gap import sender_gap
from marlcomm.envs.small.matrix_game import RGMCOMM_TABLE
from marlcomm.types import Episodes

FIG_1 = np.moveaxis(np.array(RGMCOMM_TABLE), 2, 0)  # [o2, o1, a]


def recorded(reward, valid, views=None, content=None, alive=None):
    """Episodes of which only these parts matter; all agents live if nobody says otherwise."""
    blank = np.zeros((*valid.shape, 2, 2, 1))
    views = np.zeros((len(valid), valid.shape[1] + 1, 2, 1)) if views is None else views
    alive = np.ones(views.shape[:-1], bool) if alive is None else alive
    episodes = Episodes(*[None] * len(Episodes._fields))._replace(
        agents_view=views, reward=reward, valid=valid, alive=alive
    )
    parts = dict.fromkeys(("importance", "sent", "bits", "mean", "scores", "states"))
    return RecordedEpisodes(episodes, blank if content is None else content, **parts, edited=False)


def matrix_game(count, labels, seed):
    """One-step episodes of the matrix game in which agent 1 says `labels` and agent 0 does its best with them."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 2, count), rng.integers(0, 4, count)
    labels = np.asarray(labels)
    best = {m: FIG_1[labels == m].mean(0).argmax(-1) for m in set(labels.tolist())}  # [o1] action
    action = np.array([best[m][o] for m, o in zip(labels[second], first, strict=True)])
    reward = np.repeat(FIG_1[second, first, action][:, None, None], 2, -1)
    views = np.repeat(np.stack([np.eye(4)[first], np.eye(4)[second]], 1)[:, None], 2, 1)
    content = np.zeros((count, 1, 2, 2, 1))
    content[:, 0, 1, :, 0] = labels[second][:, None] + 1
    return recorded(reward, np.ones((count, 1), bool), views, content)


def test_the_measured_gap_is_the_tables():
    full, one_bit = matrix_game(20_000, [0, 1, 2, 3], 0), matrix_game(20_000, [0, 1, 0, 1], 1)
    found = measure_gap(full, one_bit, discount=0.0)
    assert abs(found.episode_gap - 1.10) < 3 * found.episode_error
    assert 0.05 < found.episode_error < 0.5
    assert (found.step_gap, found.step_error) == (found.episode_gap, found.episode_error)  # one step, no discount


def test_a_table_of_what_was_seen_gives_labels_probabilities_and_with_values_the_theory():
    seen = tabulate(matrix_game(20_000, [0, 1, 0, 1], 2), sender=1)
    order = seen.observation.argmax(-1)  # which second observation each row is
    contexts = seen.context[:, 0].argmax(-1)
    np.testing.assert_array_equal(np.sort(order), np.arange(4))
    np.testing.assert_array_equal(seen.label == seen.label[0], np.isin(order, (order[0], (order[0] + 2) % 4)))
    np.testing.assert_allclose(seen.probability, 1 / 8, atol=0.01)
    assert seen.consistency == 1
    found = sender_gap(FIG_1[order][:, contexts], seen.label, seen.probability)
    np.testing.assert_allclose(found.gap, 1.10, atol=0.05)
    np.testing.assert_allclose(found.distance, 0.00671, atol=2e-4)


def test_a_sender_that_does_not_go_by_its_view_is_noticed():
    views = np.zeros((6, 2, 2, 1))
    views[3:, :, 0] = 1
    content = np.zeros((6, 1, 2, 2, 1))
    content[:, 0, 0, 1, 0] = [1, 1, 2, 2, 2, 2]
    seen = tabulate(recorded(np.zeros((6, 1, 2)), np.ones((6, 1), bool), views, content), sender=0)
    assert seen.label.tolist() == [0, 1]
    np.testing.assert_allclose(seen.consistency, 5 / 6)
    np.testing.assert_allclose(seen.probability, [[0.5], [0.5]])


def test_where_sender_or_receiver_is_not_alive_nothing_is_seen_or_said():
    alive = np.ones((10, 2, 2), bool)
    alive[3:8, :, 1] = False  # the receiver, so that nothing arrives
    alive[8:, :, 0] = False  # the sender, whose view is then zero
    views = np.zeros((10, 2, 2, 1))
    views[:8, :, 0, 0] = np.where(np.arange(8) % 2, 1, 2)[:, None]
    content = np.zeros((10, 1, 2, 2, 1))
    content[:3, 0, 0, 1] = 10 * views[:3, 0, 0]
    seen = tabulate(recorded(np.zeros((10, 1, 2)), np.ones((10, 1), bool), views, content, alive), sender=0)
    assert seen.observation.tolist() == [[1], [2]]
    assert seen.label.tolist() == [0, 1]
    assert seen.consistency == 1
    np.testing.assert_allclose(seen.probability, [[1 / 3], [2 / 3]])


def test_returns_per_step_are_discounted_and_padding_counts_for_nothing():
    valid = np.array([[True, True, True], [True, False, False]])
    reward = np.array([[[1.0, 3.0], [0.0, 0.0], [4.0, 4.0]], [[6.0, 2.0], [99.0, 99.0], [99.0, 99.0]]])
    found = measure_gap(recorded(reward, valid), recorded(0 * reward, valid), discount=0.5)
    returns, steps = np.array([6.0, 4.0]), 0.5 * np.array([2 + 0.25 * 4, 4.0])
    np.testing.assert_allclose(found.episode_gap, returns.mean())
    np.testing.assert_allclose(found.step_gap, steps.mean())
    np.testing.assert_allclose(found.episode_error, returns.std(ddof=1) / np.sqrt(2))
    np.testing.assert_allclose(found.step_error, steps.std(ddof=1) / np.sqrt(2))


def test_bad_input_is_named():
    one = recorded(np.zeros((1, 1, 2)), np.ones((1, 1), bool))
    two = recorded(np.zeros((2, 1, 2)), np.ones((2, 1), bool))
    with pytest.raises(ValueError, match=r"discount is 1.0"):
        measure_gap(two, two, discount=1.0)
    with pytest.raises(ValueError, match="at least 2 episodes"):
        measure_gap(two, one, discount=0.9)
    with pytest.raises(ValueError, match=r"sender is 2: must be in 0 .. 1"):
        tabulate(two, sender=2)
    with pytest.raises(ValueError, match=r"sender is 0: .* together with agent 1"):
        tabulate(recorded(np.zeros((1, 1, 2)), np.ones((1, 1), bool), alive=np.zeros((1, 2, 2), bool)), sender=0)
