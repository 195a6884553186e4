"""Mixers that read all action values: QPLEX and QTRAN against their formulas, and what greedy agents are for them."""

import functools
import itertools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from marlcomm.networks import QPLEXMixer, QTRANMixer
from marlcomm.types import ActionValues

AGENTS, ACTIONS, STATE, HIDDEN, HEADS = 3, 3, 4, 5, 2
SEEDS = st.integers(0, 2**31)
JOINT = np.array(list(itertools.product(range(ACTIONS), repeat=AGENTS)), np.int32)
settings = hypothesis.settings(max_examples=25, deadline=None)


class Case:
    """A mixer with the shapes of its parameters, and its jitted `apply`."""

    def __init__(self, module):
        self.apply = jax.jit(module.apply)
        nothing = ActionValues(np.zeros((AGENTS, ACTIONS)), np.ones((AGENTS, ACTIONS), bool), np.zeros(AGENTS, int))
        self.shapes = jax.eval_shape(module.init, jax.random.PRNGKey(0), nothing, np.zeros(STATE))

    def params(self, rng):
        return jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), self.shapes)


@functools.cache
def qplex(layers, detach=True):
    return Case(QPLEXMixer(hidden=HIDDEN, heads=HEADS, attention_layers=layers, detach=detach))


@functools.cache
def qtran(alternative=False):
    return Case(QTRANMixer(hidden=HIDDEN, alternative=alternative))


def random_values(rng, ties=False):
    q = rng.integers(0, 3, (AGENTS, ACTIONS)) if ties else rng.normal(size=(AGENTS, ACTIONS))
    mask = rng.random((AGENTS, ACTIONS)) < 0.6
    mask[:, rng.integers(ACTIONS)] = True
    return q.astype(np.float32), mask, rng.normal(size=STATE).astype(np.float32)


def of_all_joint_actions(q, mask):
    """[A^N, ...] the same values, with every joint action done."""
    count = len(JOINT)
    return ActionValues(np.tile(q, (count, 1, 1)), np.tile(mask, (count, 1, 1)), JOINT)


def dense(layer, x):
    return x @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"], np.float64)


def mlp(parts, x):
    for number in range(len(parts) - 1):
        x = np.maximum(dense(parts[f"Linear_{number}"], x), 0)
    return dense(parts[f"Linear_{len(parts) - 1}"], x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("layers", [1, 3])
@settings
@hypothesis.given(seed=SEEDS)
def test_qplex_formula(layers, seed):
    """sum_i V_i + sum_i lambda_i A_i of the transformed values, with loops over agents and heads."""
    case, rng = qplex(layers), np.random.default_rng(seed)
    params, (q, mask, state) = case.params(rng), random_values(rng)
    action = np.array([rng.choice(np.flatnonzero(mask[i])) for i in range(AGENTS)], np.int32)
    value, reported = case.apply(params, ActionValues(q, mask, action), state)
    parts = params["params"]
    scale, shift = np.abs(mlp(parts["scale"], state)), mlp(parts["shift"], state)
    done = np.concatenate([state, np.eye(ACTIONS)[action].ravel()])
    total, weights = 0.0, np.zeros(AGENTS)
    for head in range(HEADS):
        key, agent, act = (jax.tree.map(lambda x: x[head], parts[name]) for name in ("key", "agent", "action"))  # noqa: B023
        weights += np.abs(mlp(key, state)[0]) * sigmoid(mlp(agent, state)) * sigmoid(mlp(act, done))
    for i in range(AGENTS):
        transformed = scale[i] * q[i] + shift[i]
        best = max(transformed[mask[i]])
        total += best + weights[i] * (transformed[action[i]] - best)
    np.testing.assert_allclose(reported["lambda"], weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value, [total], rtol=1e-4, atol=1e-4)


@settings
@hypothesis.given(seed=SEEDS, ties=st.booleans())
def test_qplex_is_maximal_where_agents_are_greedy(seed, ties):
    """IGM, over all joint actions that are allowed."""
    case, rng = qplex(1), np.random.default_rng(seed)
    params, (q, mask, state) = case.params(rng), random_values(rng, ties)
    value, reported = case.apply(params, of_all_joint_actions(q, mask), np.tile(state, (len(JOINT), 1)))
    value = np.asarray(value)[:, 0]
    allowed = np.array([all(mask[i, a] for i, a in enumerate(joint)) for joint in JOINT])
    greedy = np.array([max(np.flatnonzero(mask[i]), key=lambda a: q[i, a]) for i in range(AGENTS)])
    at = np.flatnonzero((greedy == JOINT).all(1))[0]
    scale = 1 + np.abs(value).max()
    assert (np.asarray(reported["lambda"]) > 0).all()
    assert value[at] >= value[allowed].max() - 1e-5 * scale
    if not ties:
        best = {tuple(JOINT[j]) for j in np.flatnonzero(allowed & (value >= value[allowed].max() - 1e-6 * scale))}
        assert tuple(greedy) in best


def test_detached_qplex_has_the_same_value_and_teaches_agents_as_their_sum():
    rng = np.random.default_rng(0)
    params, (q, mask, state) = qplex(1).params(rng), random_values(rng)
    action = np.array([0, 1, 2], np.int32)

    def total(q, detach):
        return qplex(1, detach).apply(params, ActionValues(q, mask, action), state)[0][0]

    np.testing.assert_allclose(total(q, True), total(q, False), rtol=1e-5)
    done = np.eye(ACTIONS)[action]
    scale = np.abs(mlp(params["params"]["scale"], state))
    np.testing.assert_allclose(jax.grad(total)(q, True), done * scale[:, None], rtol=1e-4)
    assert not np.allclose(jax.grad(total)(q, False), done * scale[:, None], rtol=1e-2)


@settings
@hypothesis.given(seed=SEEDS)
def test_what_qtran_reports(seed):
    """Q_jt of what is done, of what greedy agents do, and of every other action of one agent, by loops."""
    case, rng = qtran(alternative=True), np.random.default_rng(seed)
    params, (q, mask, state) = case.params(rng), random_values(rng)
    action = rng.integers(0, ACTIONS, AGENTS, np.int32)
    value, found = case.apply(params, ActionValues(q, mask, action), state)

    def joint(action):
        return mlp(params["params"]["joint_value"], np.concatenate([state, np.eye(ACTIONS)[action].ravel()]))[0]

    def summed(action):
        return sum(float(q[i, a]) for i, a in enumerate(action))

    greedy = [max(np.flatnonzero(mask[i]), key=lambda a: q[i, a]) for i in range(AGENTS)]
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)
    close(value, [joint(action)])
    close(found["joint"], joint(action))
    close(found["utilities"], summed(action))
    close(found["greedy_joint"], joint(greedy))
    close(found["greedy_utilities"], summed(greedy))
    close(found["state_value"], mlp(params["params"]["state_value"], state)[0])
    for i, a in itertools.product(range(AGENTS), range(ACTIONS)):
        other = [*action[:i], a, *action[i + 1 :]]
        close(found["other_joint"][i, a], joint(other))
        close(found["other_utilities"][i, a], summed(other))


def test_no_gradient_of_qtrans_value_reaches_the_agents():
    rng = np.random.default_rng(0)
    params, (q, mask, state) = qtran().params(rng), random_values(rng)

    def total(q):
        return qtran().apply(params, ActionValues(q, mask, np.zeros(AGENTS, np.int32)), state)[0].sum()

    assert not np.any(jax.grad(total)(q))


@pytest.mark.parametrize("case", [qplex(1), qtran(), qtran(alternative=True)])
def test_leading_axes_are_kept_apart(case):
    rng = np.random.default_rng(0)
    params = case.params(rng)
    q, mask, state = map(np.stack, zip(*(random_values(rng) for _ in range(4)), strict=True))
    action = rng.integers(0, ACTIONS, (4, AGENTS), np.int32)
    given = jax.tree.map(lambda x: jnp.reshape(x, (2, 2, *x.shape[1:])), (ActionValues(q, mask, action), state))
    together = case.apply(params, *given)
    assert together[0].shape == (2, 2, 1)
    for number in range(4):
        alone = case.apply(params, ActionValues(q[number], mask[number], action[number]), state[number])
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x[number // 2, number % 2], y, rtol=1e-4, atol=1e-4),  # noqa: B023
            together,
            alone,
        )


def test_agents_without_any_choice_are_taken_as_they_are():
    """Those that are not alive may have no action at all: nothing becomes infinite."""
    rng = np.random.default_rng(0)
    q, mask, state = random_values(rng)
    mask[1] = False
    for case in (qplex(1), qtran(alternative=True)):
        found = case.apply(case.params(rng), ActionValues(q, mask, np.zeros(AGENTS, np.int32)), state)
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(found))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: QPLEXMixer(heads=0), "heads=0"),
        (lambda: QPLEXMixer(attention_layers=0), "attention_layers=0"),
        (lambda: QTRANMixer(layers=0), "layers=0"),
    ],
)
def test_sizes_are_checked(make, said):
    with pytest.raises(ValueError, match=said):
        make()
