"""The return gap and its bound against loops over the paper's formulas (Chen et al. 2024, eq. 3-10), in numpy."""

import itertools

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from marlcomm.analysis.theory.return_gap import (
    all_clusterings,
    average_cosine_distance,
    cluster_centers,
    count_clusterings,
    exact_clustering,
    sender_gap,
    team_gap,
    weighted_action_values,
)
from marlcomm.envs.small.matrix_game import RGMCOMM_TABLE

FIG_1 = np.moveaxis(np.array(RGMCOMM_TABLE), 2, 0)  # [o2, o1, a]
SEEDS = st.integers(0, 2**31)
settings = hypothesis.settings(max_examples=25, deadline=None)
SLACK = 1 + 1e-9


def random_games(rng, count, rows, contexts, actions, vocab_size, sign):
    """Games, how often what is seen, and labels. `sign` 0: values above 0; .5: both; 1: below 0."""
    values = rng.random((count, rows, contexts, actions)) - sign
    values *= rng.choice([1.0, 100.0], (count, 1, 1, 1))
    probability = rng.dirichlet(np.full(rows * contexts, rng.choice([0.3, 1.0, 10.0])), count)
    return values, rng.integers(0, vocab_size, (count, rows)), probability.reshape(count, rows, contexts)


def by_loops(values, labels, probability):
    """J(pi*), J(pi, g), epsilon, and the chain of the proof (eq. 8, 9, 23), of one game, entry by entry."""
    rows, contexts, actions = values.shape
    own = [sum(probability[j]) for j in range(rows)]
    vectors = np.zeros_like(values)
    for j, c, a in itertools.product(range(rows), range(contexts), range(actions)):
        vectors[j, c, a] = values[j, c, a] * probability[j, c] / own[j]

    def phi(vector):
        return sum(max(vector[c]) for c in range(contexts))

    ideal = sum(own[j] * phi(vectors[j]) for j in range(rows))
    labeled = epsilon = orthogonal = 0.0
    for m in set(labels.tolist()):
        members = [j for j in range(rows) if labels[j] == m]
        weight = sum(own[j] for j in members)
        center = sum(own[j] / weight * vectors[j] for j in members)
        labeled += weight * phi(center)
        for j in members:
            cosine = (vectors[j] * center).sum() / np.sqrt((vectors[j] ** 2).sum() * (center**2).sum())
            epsilon += own[j] * (1 - cosine)
            factor = np.sqrt((vectors[j] ** 2).sum() / (center**2).sum()) * cosine
            orthogonal += own[j] * phi(vectors[j] - factor * center)
    return ideal, labeled, epsilon, orthogonal


@settings
@hypothesis.given(seed=SEEDS, rows=st.integers(1, 5), contexts=st.integers(1, 4), actions=st.integers(1, 3))
def test_everything_equals_loops_and_the_proofs_chain_holds(seed, rows, contexts, actions):
    values, labels, probability = random_games(np.random.default_rng(seed), 3, rows, contexts, actions, 3, 0.0)
    found = sender_gap(values, labels, probability)
    for game in range(3):
        ideal, labeled, epsilon, orthogonal = by_loops(values[game], labels[game], probability[game])
        np.testing.assert_allclose(found.ideal_return[game], ideal)
        np.testing.assert_allclose(found.labeled_return[game], labeled)
        np.testing.assert_allclose(found.distance[game], epsilon, atol=1e-12)
        slack = 1e-9 * np.abs(values[game]).max()
        assert ideal - labeled <= orthogonal + slack  # eq. 9 and 23
        assert orthogonal <= found.tight_bound[game] + slack  # Cauchy-Schwarz, with its constant
        assert found.tight_bound[game] <= found.bound[game] + slack  # Jensen


def best_reply_by_search(values, labels, probability):
    """J(pi, g) by trying every policy of one action for each context and label."""
    rows, contexts, actions = values.shape
    cells = list(itertools.product(range(contexts), sorted(set(labels.tolist()))))
    best = -np.inf
    for choice in itertools.product(range(actions), repeat=len(cells)):
        policy = dict(zip(cells, choice, strict=True))
        value = sum(
            probability[j, c] * values[j, c, policy[c, labels[j]]]
            for j, c in itertools.product(range(rows), range(contexts))
        )
        best = max(best, value)
    return best


@pytest.mark.parametrize("seed", range(10))
def test_the_gap_is_that_of_the_best_policy_on_labels(seed):
    values, labels, probability = random_games(np.random.default_rng(seed), 1, 4, 2, 3, 3, 0.5)
    found = sender_gap(values[0], labels[0], probability[0])
    np.testing.assert_allclose(found.labeled_return, best_reply_by_search(values[0], labels[0], probability[0]))
    np.testing.assert_allclose(found.ideal_return, (probability[0] * values[0].max(-1)).sum())


GAMES = 20_000
SHAPES = [(2, 1, 2, 1), (3, 2, 2, 2), (4, 3, 3, 2), (6, 4, 2, 3), (3, 8, 5, 2)]


@pytest.mark.parametrize("sign", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("rows", "contexts", "actions", "vocab_size"), SHAPES)
def test_the_rigorous_bound_is_never_violated(rows, contexts, actions, vocab_size, sign):
    """20,000 games of each size and sign, 300,000 in all."""
    rng = np.random.default_rng([rows, contexts, int(2 * sign)])
    values, labels, probability = random_games(rng, GAMES, rows, contexts, actions, vocab_size, sign)
    found = sender_gap(values, labels, probability)
    slack = 1e-9 * np.abs(values).max((1, 2, 3))
    assert np.all(found.gap >= -slack)
    assert np.all(found.gap <= found.tight_bound + slack)
    assert np.all(found.tight_bound <= found.bound + slack)
    assert np.mean(found.gap > 0.01 * found.bound) > 0.2, "the bound is not trivially far away"


def spiked_game(actions, contexts, height=0.01):
    """As many observations as actions; each makes its own action a little better than the others, in every context."""
    spike = (np.eye(actions) * actions - 1) / (actions - 1)  # rows sum to 0
    return np.broadcast_to(1 + height * spike[:, None], (actions, contexts, actions))


def test_the_constant_cannot_be_smaller():
    found = sender_gap(spiked_game(40, 3), np.zeros(40, int))
    assert 0.97 * found.bound < found.gap <= found.bound


@pytest.mark.parametrize("num_agents", [2, 3])
@pytest.mark.parametrize("meaning", ["norm in the appendix", "largest value in the main text"])
def test_the_bound_as_printed_is_violated_with_the_constant_1(num_agents, meaning):
    """One sender says nothing to one or two others. Neither of the paper's two meanings of Q_max saves the bound."""
    found = sender_gap(spiked_game(40, 25), np.zeros(40, int))
    q_max = found.largest_norm if "norm" in meaning else found.largest_value
    printed = found.printed_bound(num_agents, q_max)
    assert found.gap > 2 * printed
    assert found.gap <= found.bound


def test_negative_cosines_break_a_step_of_the_proof_but_not_the_bound():
    """Eq. 9 takes a factor out of Phi, which may be negative; the bound holds all the same."""
    broken = 0
    rng = np.random.default_rng(0)
    for _ in range(300):
        values = rng.normal(size=(3, 1, 3))
        found = sender_gap(values, np.zeros(3, int))
        ideal, labeled, _, orthogonal = by_loops(values, np.zeros(3, int), np.full((3, 1), 1 / 3))
        broken += ideal - labeled > orthogonal + 1e-9
        assert ideal - labeled <= found.tight_bound + 1e-9
    assert broken > 0


def test_vectors_of_zeros_and_centres_of_zero_are_safe():
    opposite = np.array([[[1.0, -1.0]], [[-1.0, 1.0]], [[0.0, 0.0]]])
    found = sender_gap(opposite, [0, 0, 2])  # label 1 is not used
    np.testing.assert_allclose(found.gap, 2 / 3)
    np.testing.assert_allclose(found.distance, 1)
    assert found.gap <= found.tight_bound <= found.bound
    centers = cluster_centers(weighted_action_values(opposite), np.array([0, 0, 2]), np.full(3, 1 / 3))
    np.testing.assert_allclose(centers.weight, [2 / 3, 0, 1 / 3])
    assert not centers.vector.any()


def test_what_never_happens_does_not_count():
    values = np.array([[[3.0, 0.0]], [[0.0, 2.0]], [[-900.0, 500.0]]])
    found = sender_gap(values, [0, 0, 0], [[1.0], [1.0], [0.0]])
    without = sender_gap(values[:2], [0, 0])
    for name in ("gap", "distance", "largest_norm", "largest_value", "bound", "tight_bound"):
        np.testing.assert_allclose(getattr(found, name), getattr(without, name))


def test_scales_and_offsets():
    """Values twice as large: twice the gap and the bound. One number more everywhere: the same gap."""
    rng = np.random.default_rng(1)
    values, labels, probability = random_games(rng, 50, 4, 3, 2, 2, 0.0)
    one, two, more = (sender_gap(v, labels, probability) for v in (values, 2 * values, values + 7))
    for name in ("gap", "bound", "tight_bound", "largest_norm"):
        np.testing.assert_allclose(getattr(two, name), 2 * getattr(one, name))
    np.testing.assert_allclose(two.distance, one.distance, atol=1e-12)
    np.testing.assert_allclose(more.gap, one.gap, atol=1e-9)


@pytest.mark.parametrize(
    ("labels", "value", "epsilon"),
    [
        ([0, 1, 0, 1], 38.05, 0.00671),
        ([0, 0, 0, 1], 36.4625, 0.11555),
        ([0, 0, 1, 0], 36.3375, 0.08619),
        ([0, 1, 1, 1], 35.725, 0.12383),
        ([0, 0, 1, 1], 35.025, 0.16017),
        ([0, 1, 0, 0], 33.7375, 0.10225),
        ([0, 1, 1, 0], 34.3375, 0.17536),
        ([0, 0, 0, 0], 33.325, 0.15891),
    ],
)
def test_fig_1_every_clustering(labels, value, epsilon):
    """The returns of the matrix game, computed by hand."""
    found = sender_gap(FIG_1, labels)
    np.testing.assert_allclose(found.labeled_return, value)
    np.testing.assert_allclose(found.distance, epsilon, atol=5e-6)
    np.testing.assert_allclose(found.ideal_return, 39.15)
    np.testing.assert_allclose(found.largest_norm, 46.8537, atol=5e-5)


@pytest.mark.parametrize(("vocab_size", "value"), [(1, 33.325), (2, 38.05), (3, 38.7375), (4, 39.15), (9, 39.15)])
def test_fig_1_exact_clustering_finds_the_best_return(vocab_size, value):
    labels = exact_clustering(FIG_1, vocab_size)
    np.testing.assert_allclose(sender_gap(FIG_1, labels).labeled_return, value)
    if vocab_size == 2:
        assert labels.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(("rows", "vocab_size"), [(1, 1), (4, 1), (4, 2), (5, 3), (4, 9)])
def test_all_clusterings_are_all_labellings_up_to_names(rows, vocab_size):
    found = list(all_clusterings(rows, vocab_size))

    def named_by_first_use(labels):
        return tuple(list(dict.fromkeys(labels)).index(label) for label in labels)

    expected = {named_by_first_use(labels) for labels in itertools.product(range(vocab_size), repeat=rows)}
    assert set(found) == expected
    assert len(found) == len(expected) == count_clusterings(rows, vocab_size)


@pytest.mark.parametrize("seed", range(5))
def test_exact_clustering_has_the_smallest_distance_of_all_labellings(seed):
    values, _, probability = random_games(np.random.default_rng(seed), 1, 5, 2, 2, 3, 0.5)
    labels = exact_clustering(values[0], 3, probability[0])
    every = np.array(list(itertools.product(range(3), repeat=5)))
    distances = sender_gap(values, every, probability).distance
    np.testing.assert_allclose(sender_gap(values[0], labels, probability[0]).distance, distances.min(), atol=1e-9)


def test_centring_over_actions_is_the_better_surrogate():
    """The clustering of least distance, made of values and of advantages, by the gap that it leaves (specs, 1.4)."""
    rng = np.random.default_rng(0)
    left = {"values": [], "advantages": []}
    labels = np.array(list(all_clusterings(6, 2)))
    for _ in range(200):
        values = 100 * rng.random((6, 3, 2))
        gap = sender_gap(values, labels).gap
        for name, seen in (("values", values), ("advantages", values - values.mean(-1, keepdims=True))):
            left[name].append(gap[sender_gap(seen, labels).distance.argmin()] - gap.min())
    assert np.mean(left["advantages"]) < 0.7 * np.mean(left["values"])


def test_distance_of_sampled_vectors_is_the_mean_distance_to_their_centres():
    rng = np.random.default_rng(2)
    vectors, labels = rng.normal(size=(12, 7)), rng.integers(0, 3, 12)
    own = rng.random(12)
    expected = 0.0
    for j in range(12):
        members = labels == labels[j]
        center = (own[members, None] * vectors[members]).sum(0) / own[members].sum()
        expected += own[j] * (1 - vectors[j] @ center / np.linalg.norm(vectors[j]) / np.linalg.norm(center))
    np.testing.assert_allclose(average_cosine_distance(vectors, labels, own), expected / own.sum())


def decentralized_optimum(values, labels):
    """The best that two agents do, each on its own observation and the other's label, by trying everything."""
    first, second, actions = values.shape[0], values.shape[1], values.shape[2]
    of_first = list(itertools.product(range(first), sorted(set(labels[1]))))
    best = -np.inf
    for choice in itertools.product(range(actions), repeat=len(of_first)):
        policy = dict(zip(of_first, choice, strict=True))
        total = 0.0
        for o2, m1 in itertools.product(range(second), sorted(set(labels[0]))):
            reply = np.zeros(actions)
            for o1 in range(first):
                if labels[0][o1] == m1:
                    reply += values[o1, o2, policy[o1, labels[1][o2]]]
            total += reply.max()  # the second agent's best action, knowing o2 and m1
        best = max(best, total / (first * second))
    return best


@pytest.mark.parametrize("seed", range(20))
def test_a_real_team_of_two_keeps_within_the_teams_bound(seed):
    """Theorem 4.3 with its constants, for agents that know their own observation and the other's label only."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(3, 4, 2, 2))  # o1, o2, a1, a2
    labels = [rng.integers(0, 2, 3).tolist(), rng.integers(0, 2, 4).tolist()]
    found = team_gap(values.reshape(3, 4, 4), labels)
    real = values.max((2, 3)).mean() - decentralized_optimum(values, labels)
    assert -1e-9 <= real <= found.gap * SLACK + 1e-9
    assert found.gap <= found.bound * SLACK


@pytest.mark.parametrize("sign", [0.0, 0.5, 1.0])
def test_the_teams_bound_is_never_violated(sign):
    rng = np.random.default_rng(int(2 * sign))
    values = rng.random((3000, 3, 2, 4, 3)) - sign  # three agents that see
    probability = rng.dirichlet(np.ones(24), 3000).reshape(3000, 3, 2, 4)
    for labels in ([[0, 0, 1], [0, 1], [0, 0, 1, 1]], [[0, 1, 0], [0, 0], [0, 1, 1, 2]], [[0] * 3, [0] * 2, [0] * 4]):
        found = team_gap(values, labels, probability)
        assert np.all(found.gap >= -1e-9)
        assert np.all(found.gap <= found.bound * SLACK)


def test_a_team_of_which_one_agent_sends_is_the_one_sender():
    labels = [0, 1, 0, 1]
    team = team_gap(FIG_1, [labels, np.arange(2)])
    alone = sender_gap(FIG_1, labels)
    np.testing.assert_allclose(team.gap, alone.gap)
    np.testing.assert_allclose(team.bound, alone.bound)
    np.testing.assert_allclose(team.senders[1].gap, 0)
    np.testing.assert_allclose(alone.printed_bound(2), 7.677, atol=5e-4)
    np.testing.assert_allclose(alone.bound, 7.677, atol=5e-4)  # sqrt(2 C) and n are both 2 here


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sender_gap(FIG_1[0], [0, 0]), r"values have shape \(2, 2\): must be \[..., observations"),
        (lambda: sender_gap(FIG_1, [0, 0]), r"labels have shape \(2,\): must end with the 4"),
        (lambda: sender_gap(FIG_1, [0, 0, -1, 0]), "labels must be whole numbers"),
        (lambda: sender_gap(FIG_1, [0.5] * 4), "labels must be whole numbers"),
        (lambda: sender_gap(FIG_1, [0] * 4, np.ones(4)), r"probability has shape \(4,\): must end with \(4, 2\)"),
        (lambda: sender_gap(FIG_1, [0] * 4, -np.ones((4, 2))), "probability must not be below 0"),
        (lambda: exact_clustering(FIG_1, 0), "vocab_size is 0"),
        (lambda: exact_clustering(np.ones((30, 1, 2)), 4), "30 observations have .* can be tried"),
        (lambda: team_gap(FIG_1[0, 0], [[0], [0]]), "2 agents need 3 axes"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
