"""RGMComm's clustering loss against loops over rows and neighbors (Chen et al. 2024, eq. 13)."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import strategies as st

from marlcomm.analysis.theory.return_gap import exact_clustering, sender_gap
from marlcomm.envs.small.matrix_game import RGMCOMM_TABLE
from marlcomm.losses import (
    AS_PRINTED,
    AS_RELEASED,
    action_value_matrix,
    action_value_vectors,
    clustering_loss,
    most_frequent,
)
from marlcomm.losses.clustering import cosine_similarity, nearest_neighbors, with_frequency

ROWS, COLUMNS, LABELS, NEIGHBORS = 9, 6, 3, 4
SEEDS = st.integers(0, 2**31)
neighbors_of = jax.jit(lambda similarity: nearest_neighbors(similarity, NEIGHBORS))
vectors_of = jax.jit(action_value_vectors, static_argnums=(1, 2, 3))
similarity_of = jax.jit(cosine_similarity)
counted = jax.jit(with_frequency, static_argnums=1)
settings = hypothesis.settings(max_examples=25, deadline=None)


def draw(seed):
    """Logits, vectors, and how often each row occurs; some never do."""
    rng = np.random.default_rng(seed)
    frequency = rng.integers(0, 4, ROWS).astype(np.float32)
    frequency[:2] = 1
    return (
        (2 * rng.normal(size=(ROWS, LABELS))).astype(np.float32),
        rng.normal(size=(ROWS, COLUMNS)).astype(np.float32),
        frequency,
    )


def cosine(a, b):
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


def expected_loss(logits, vectors, frequency, *, information_weight, entropy_weight, pull, labels):
    """By loops, in double precision, from the formula alone."""
    logits, vectors = logits.astype(float), vectors.astype(float)
    odds = np.exp(logits)
    chance = odds / odds.sum(1, keepdims=True)
    said = chance if labels == "soft" else logits.argmax(1)[:, None]
    share = frequency / frequency.sum()
    locality = conditional = 0.0
    for p in range(ROWS):
        others = [q for q in range(ROWS) if q != p and frequency[q] > 0]
        others.sort(key=lambda q: -cosine(vectors[p], vectors[q]))
        near = others[:NEIGHBORS]
        pulls = []
        for q in near:
            similarity = cosine(vectors[p], vectors[q])
            weight = np.clip(similarity, 0, 1) if pull == "similarity" else 1 - similarity
            pulls.append(weight * np.sum((said[p] - said[q]) ** 2))
        locality += share[p] * np.mean(pulls)
        conditional -= share[p] * sum(x * np.log(x) for x in chance[p])
    mean = share @ chance
    entropy = -sum(x * np.log(x) for x in mean)
    return locality - information_weight * (entropy_weight * entropy - conditional), locality, entropy, conditional


@jax.jit
def compared(logits, vectors, frequency):
    """The loss in every variant, in one program."""
    return {
        (pull, labels): clustering_loss(
            logits,
            vectors,
            neighbors=NEIGHBORS,
            information_weight=0.3,
            entropy_weight=2.0,
            pull=pull,
            labels=labels,
            frequency=frequency,
        )
        for pull, labels in VARIANTS
    }


VARIANTS = [(pull, labels) for pull in ("similarity", "distance") for labels in ("soft", "integer")]


@settings
@hypothesis.given(seed=SEEDS)
def test_loss_and_metrics_equal_a_loop(seed):
    case = draw(seed)
    hypothesis.assume((case[2] > 0).sum() > NEIGHBORS)
    for (pull, labels), (loss, metrics) in compared(*case).items():
        expected, locality, entropy, conditional = expected_loss(
            *case, information_weight=0.3, entropy_weight=2.0, pull=pull, labels=labels
        )
        np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(metrics["locality"], locality, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(metrics["label_entropy"], entropy, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(metrics["label_information"], entropy - conditional, rtol=1e-4, atol=1e-5)


@settings
@hypothesis.given(seed=SEEDS)
def test_rows_that_never_occur_change_nothing(seed):
    logits, vectors, frequency = draw(seed)
    gone = frequency == 0
    other_logits, other_vectors, _ = draw(seed + 1)
    logits_then = np.where(gone[:, None], 50 * other_logits, logits)
    vectors_then = np.where(gone[:, None], other_vectors, vectors)
    before, after = compared(logits, vectors, frequency), compared(logits_then, vectors_then, frequency)
    for variant in VARIANTS:
        np.testing.assert_allclose(after[variant][0], before[variant][0], rtol=1e-5, atol=1e-6)


def test_frequency_is_as_many_copies_of_a_row():
    """Of the entropies, that is: locality would see the copies as neighbors."""
    logits, vectors, _ = draw(3)
    frequency = np.arange(ROWS) + 1.0
    entropies = jax.jit(lambda *args: clustering_loss(*args[:2], neighbors=2, frequency=args[2])[1])
    once = entropies(logits, vectors, frequency)
    copies = np.repeat(np.arange(ROWS), np.arange(ROWS) + 1)
    copied = entropies(logits[copies], vectors[copies], np.ones(len(copies)))
    for name in ("label_entropy", "label_information"):
        np.testing.assert_allclose(once[name], copied[name], rtol=1e-5)


@jax.jit
def gradients(logits, vectors):
    """Of the logits, without the information term and as released with it; and of the vectors."""

    def loss(logits, vectors, **changed):
        return clustering_loss(logits, vectors, neighbors=NEIGHBORS, **changed)[0]

    slope = jax.grad(loss)
    alone = {labels: slope(logits, vectors, information_weight=0.0, labels=labels) for labels in ("soft", "integer")}
    released = slope(logits, vectors, **AS_RELEASED)
    far = slope(logits, -vectors[::-1], **AS_RELEASED)
    return alone, released, far, jax.grad(loss, 1)(logits, vectors)


def test_gradient_of_locality_reaches_the_logits_and_integer_labels_stop_it():
    """The released code compares labels as numbers: only its information term ever trained (specs, fact 3)."""
    logits, vectors, _ = draw(1)
    alone, released, far, of_vectors = gradients(logits, vectors)
    assert np.all(np.abs(alone["soft"]).sum(1) > 1e-4), "every row is taught"
    assert not np.any(alone["integer"])
    np.testing.assert_array_equal(released, far), "as released, action values change nothing that is learned"
    assert np.any(released)
    assert not np.any(of_vectors), "the critic learns nothing from this loss"


def test_descent_pulls_neighbors_together_and_as_printed_pulls_strangers():
    """Two pairs of parallel vectors, at right angles: by distance nothing pulls the parallel ones together."""
    vectors = jnp.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    logits = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])

    def slope(logits, neighbors, pull):
        def loss(logits):
            return clustering_loss(logits, vectors, neighbors=neighbors, information_weight=0.0, pull=pull)[0]

        return jax.grad(loss)(logits)

    cases = ((1, "similarity"), (1, "distance"), (3, "distance"))
    by_similarity, by_distance, printed = jax.jit(lambda x: [slope(x, *case) for case in cases])(logits)
    assert np.all(by_similarity[::2, 0] > 0.01)
    assert np.all(by_similarity[1::2, 0] < -0.01)
    assert not np.any(by_distance)
    # with all three others as neighbors, only strangers are pulled, and these disagree in one of two cases
    np.testing.assert_allclose(printed[0], -printed[1], atol=1e-6)
    assert printed[0, 0] > 0.01


def test_released_constants():
    """1e-4 times a sum over 256 rows and 15 neighbors, plus 10 times the entropies, is a multiple of ours."""
    sums_to_means = 1e-4 * 256 * 15
    np.testing.assert_allclose(AS_RELEASED["information_weight"] * sums_to_means, 10)
    assert AS_RELEASED["labels"] == "integer"
    assert AS_PRINTED == {"pull": "distance", "entropy_weight": 1.0}


def test_labels_that_nobody_uses_and_batches_without_rows_are_safe():
    """Probabilities that are exactly 0 in float32: no NaN in the loss or its gradient."""
    vectors = jnp.asarray(draw(0)[1])

    @jax.jit
    @jax.value_and_grad
    def loss(logits, frequency):
        return clustering_loss(logits, vectors, neighbors=NEIGHBORS, frequency=frequency)[0]

    for size in (1.0, 300.0):
        logits = jnp.zeros((ROWS, LABELS)).at[:, 0].set(size)
        for frequency in (jnp.ones(ROWS), jnp.zeros(ROWS)):
            value, gradient = loss(logits, frequency)
            assert np.isfinite(value)
            assert np.isfinite(gradient).all()
    assert abs(value) < 1e-6, "one label for all says nothing"


@settings
@hypothesis.given(seed=SEEDS)
def test_information_is_between_0_and_the_logarithm_of_vocab_size(seed):
    logits, vectors, frequency = draw(seed)
    metrics = compared(20 * logits, vectors, frequency)["similarity", "soft"][1]
    assert -1e-5 <= metrics["label_information"] <= metrics["label_entropy"] + 1e-5
    assert metrics["label_entropy"] <= np.log(LABELS) + 1e-5


def learned_clustering(values, vocab_size, neighbors, information_weights):
    """[weights, seeds, K1] labels by gradient descent on the logits themselves."""
    vectors = action_value_vectors(jnp.asarray(values, jnp.float32).reshape(len(values), -1))
    optimizer = optax.adam(0.1)

    def learn(key, information_weight):
        def update(state, _):
            logits, memory = state
            gradient = jax.grad(
                lambda x: clustering_loss(x, vectors, neighbors=neighbors, information_weight=information_weight)[0]
            )(logits)
            step, memory = optimizer.update(gradient, memory)
            return (logits + step, memory), None

        start = 0.1 * jax.random.normal(key, (len(values), vocab_size))
        return jnp.argmax(jax.lax.scan(update, (start, optimizer.init(start)), None, 300)[0][0], -1)

    every = jax.jit(jax.vmap(jax.vmap(learn, (0, None)), (None, 0)))
    return np.asarray(every(jax.random.split(jax.random.PRNGKey(0), 20), jnp.array(information_weights)))


def test_descent_finds_the_clustering_of_fig_1():
    """The labels of the least distance, found by trying all, and 38.05."""
    values = np.moveaxis(np.array(RGMCOMM_TABLE), 2, 0)
    found = sender_gap(values, learned_clustering(values, 2, 1, [0.5]))
    np.testing.assert_allclose(found.labeled_return, 38.05)
    np.testing.assert_allclose(found.distance, sender_gap(values, exact_clustering(values, 2)).distance)


def test_descent_finds_types_unless_information_outweighs_locality():
    """Sixteen observations of four types. With the weight that the released constants amount to, labels are random."""
    rng = np.random.default_rng(0)
    types = np.arange(16) % 4
    values = 100 * rng.random((4, 3, 2))[types] + 8 * rng.normal(size=(16, 3, 2))
    best = sender_gap(values, types).gap
    at_random = sender_gap(values, rng.integers(0, 4, (1000, 16))).gap.mean()
    found = learned_clustering(values, 4, 3, [0.5, AS_RELEASED["information_weight"]])
    left = (sender_gap(values, found).gap.mean(1) - best) / (at_random - best)
    assert left[0] < 0.2
    assert left[1] > 0.8


def test_normalizations_in_closed_form():
    values = np.array([[2.0, 4.0, 10.0, 8.0], [-1.0, -1.0, -3.0, -2.0]], np.float32)
    by_name = {
        "range": [[-1, -0.5, 1, 0.5], [1, 1, -1, 0]],
        "published": [[-0.4, -0.2, 0.4, 0.2], [-1, -1, 1, 0]],  # below zero, the signs turn
        "advantage": [[-1, -0.5, 1, 0.5], [0.6, 0.6, -1, -0.2]],
        "none": values,
    }
    for name, expected in by_name.items():
        np.testing.assert_allclose(vectors_of(values, name, "none"), expected, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(vectors_of(values, name), np.tanh(expected), rtol=1e-6, atol=1e-6)
    soft = vectors_of(values, "range", "softmax")
    np.testing.assert_allclose(soft, np.exp(by_name["range"]) / np.exp(by_name["range"]).sum(1, keepdims=True), 1e-6)
    centered = vectors_of(values, "advantage", "none", 2)
    np.testing.assert_allclose(centered, [[-1, 1, 1, -1], [0, 0, -1, 1]])


@pytest.mark.parametrize("name", ["range", "published", "advantage"])
def test_rows_where_nothing_matters_become_zero_and_pull_nobody(name):
    values = jnp.array([[5.0, 5.0, 5.0], [0.0, 0.0, 0.0], [1.0, 2.0, 4.0]])
    vectors = vectors_of(values, name)
    assert not np.any(vectors[:2])
    np.testing.assert_allclose(similarity_of(vectors), np.diag([0.0, 0.0, 1.0]), atol=1e-6)


@settings
@hypothesis.given(seed=SEEDS)
def test_similarity_and_neighbors_equal_a_loop(seed):
    vectors = draw(seed)[1]
    similarity = np.array([[cosine(a, b) for b in vectors.astype(float)] for a in vectors.astype(float)])
    np.testing.assert_allclose(similarity_of(vectors), similarity, atol=1e-5)
    found = np.asarray(neighbors_of(similarity))
    for p in range(ROWS):
        order = sorted((q for q in range(ROWS) if q != p), key=lambda q: -similarity[p, q])
        assert found[p].tolist() == order[:NEIGHBORS]


def test_most_frequent_rows_once_each():
    chosen = jax.jit(most_frequent, static_argnums=1)
    rows = np.array([[0, 1], [2, 2], [0, 1], [3, 0], [2, 2], [2, 2], [1, 0]])
    assert chosen(rows, 4).tolist() == [1, 0, 3, 6]
    repeated = chosen(rows, 7).tolist()
    assert sorted(repeated) == list(range(7)), "fewer different rows than asked for"
    assert repeated[:4] == [1, 0, 3, 6]
    assert chosen(np.arange(7)[:, None] * [1, 0], 3).tolist() == [0, 1, 2]


@settings
@hypothesis.given(SEEDS, st.sampled_from([1, 3, 12]))
def test_rows_are_counted_as_numpy_counts_them(seed, width):
    """Few values, of which many rows differ in one place only, and in the sign of zero, which is no difference."""
    rows = np.random.default_rng(seed).choice(np.float32([0.0, -0.0, 0.5, 1.0, -1.0]), (64, width))
    rows[:, 2:] = rows[:1, 2:]
    rows[32:, -1] = rows[:32, -1][::-1]
    real = np.arange(64) % 5 > 0
    chosen, frequency = (np.asarray(x) for x in counted(rows, 64, real))
    _, number = np.unique(rows[real] + 0.0, axis=0, return_counts=True)
    assert frequency[frequency > 0].tolist() == sorted(number.tolist(), reverse=True)
    for row, often in zip(rows[chosen], frequency, strict=True):
        assert often in (0, (rows[real] == row).all(-1).sum())


def test_the_matrix_asks_the_critic_about_every_pair():
    rng = np.random.default_rng(0)
    own, other = rng.normal(size=(3, 2)).astype(np.float32), rng.normal(size=(4, 2)).astype(np.float32)
    act = np.array([0, 1, 1, 0])
    weight = jnp.float32(2.0)

    def matrix(weight):
        def critic(own, other):
            view, action = other
            return weight * own[0] * view[action] - own[1]

        return action_value_matrix(critic, own, (other, act))

    expected = [[2 * own[p, 0] * other[q, act[q]] - own[p, 1] for q in range(4)] for p in range(3)]
    found, slope = jax.jit(lambda weight: (matrix(weight), jax.grad(lambda x: matrix(x).sum())(weight)))(weight)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert slope == 0, "the critic learns nothing from this"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: most_frequent(jnp.zeros((4, 2)), 5), "K2 is 5: must be in 1 .. 4, the size of the batch"),
        (lambda: most_frequent(jnp.zeros((4, 2)), 0), "K2 is 0"),
        (
            lambda: action_value_matrix(lambda a, b: jnp.zeros((2, 3)), jnp.zeros(3), jnp.zeros(2)),
            r"critic gives shape \(2, 3\) for one pair: it must give one number",
        ),
        (lambda: clustering_loss(jnp.zeros((3, 2)), jnp.zeros((4, 2))), "logits have 3 rows and vectors 4"),
        (lambda: clustering_loss(jnp.zeros((4, 2)), jnp.zeros((4, 2)), neighbors=4), "neighbors is 4: .* 1 .. 3"),
        (lambda: clustering_loss(jnp.zeros((4, 2)), jnp.zeros((4, 2)), neighbors=2, pull="up"), "pull is 'up'"),
        (lambda: clustering_loss(jnp.zeros((4, 2)), jnp.zeros((4, 2)), labels="hard"), "labels is 'hard'"),
        (lambda: action_value_vectors(jnp.zeros((2, 4)), "rang"), "normalization is 'rang': must be one of range"),
        (lambda: action_value_vectors(jnp.zeros((2, 4)), activation="relu"), "activation is 'relu'"),
        (lambda: action_value_vectors(jnp.zeros((2, 4)), num_actions=3), "num_actions is 3: must divide the 4"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
