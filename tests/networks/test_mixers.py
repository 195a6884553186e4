"""Mixers: what they compute, and that greedy agents are a greedy team."""

import itertools

import hypothesis
import jax
import numpy as np
import pytest
from hypothesis import strategies as st

from marlcomm.networks import IndependentMixer, MonotonicMixer, SumMixer

AGENTS, STATE, EMBEDDING, WIDTH = 3, 4, 5, 6
SEEDS = st.integers(0, 2**31)
settings = hypothesis.settings(max_examples=25, deadline=None)


def monotonic(layers):
    return MonotonicMixer(embedding=EMBEDDING, hypernet_layers=layers, hypernet_hidden=WIDTH)


@pytest.fixture(scope="module", params=[1, 2])
def mixer(request):
    """(hypernet layers, shapes of the parameters, jitted apply)."""
    module = monotonic(request.param)
    shapes = jax.eval_shape(module.init, jax.random.PRNGKey(0), np.zeros(AGENTS), np.zeros(STATE))
    return request.param, shapes, jax.jit(module.apply)


def random_params(shapes, rng):
    return jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), shapes)


@settings
@hypothesis.given(seed=SEEDS)
def test_monotonic_in_every_value(mixer, seed):
    _, shapes, apply = mixer
    rng = np.random.default_rng(seed)
    params, state = random_params(shapes, rng), rng.normal(size=STATE)
    values = 3 * rng.normal(size=AGENTS)
    low = apply(params, values, state)[0]
    for agent in range(AGENTS):
        raised = values + 4.0 * np.eye(AGENTS)[agent]
        assert apply(params, raised, state)[0] >= low - 1e-5 * abs(low)
    assert apply(params, values + 10, state)[0] > low, "a constant is monotonic too"


@settings
@hypothesis.given(seed=SEEDS)
def test_greedy_agents_are_a_greedy_team(mixer, seed):
    """What monotonicity is for: no joint action beats everyone's own best one."""
    _, shapes, apply = mixer
    rng = np.random.default_rng(seed)
    params, state, q = random_params(shapes, rng), rng.normal(size=STATE), rng.normal(size=(AGENTS, 2))
    joint = np.array([[q[i, a] for i, a in enumerate(each)] for each in itertools.product(range(2), repeat=AGENTS)])
    totals = apply(params, joint, np.tile(state, (len(joint), 1)))[:, 0]
    greedy = apply(params, q.max(1), state)[0]
    np.testing.assert_allclose(greedy, totals.max(), rtol=1e-4, atol=1e-4)


def dense(layer, x):
    return x @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"], np.float64)


def mlp(layers, x):
    """Two layers with ReLU between them, or one."""
    if "kernel" in layers:
        return dense(layers, x)
    return dense(layers["Linear_1"], np.maximum(dense(layers["Linear_0"], x), 0))


@settings
@hypothesis.given(seed=SEEDS)
def test_monotonic_formula(mixer, seed):
    """elu(q |W1(s)| + b1(s)) |W2(s)| + v(s), with loops over agents and units."""
    layers, shapes, apply = mixer
    rng = np.random.default_rng(seed)
    params = random_params(shapes, rng)
    values, state = rng.normal(size=AGENTS), rng.normal(size=STATE)
    parts = params["params"]
    kind = "Linear" if layers == 1 else "MLP"
    first = np.abs(mlp(parts[f"{kind}_0"], state))
    last = np.abs(mlp(parts[f"{kind}_1"], state))
    bias = dense(parts["Linear_2" if layers == 1 else "Linear_0"], state)
    total = mlp(parts["MLP_0" if layers == 1 else "MLP_2"], state)[0]
    for unit in range(EMBEDDING):
        x = bias[unit] + sum(values[i] * first[i * EMBEDDING + unit] for i in range(AGENTS))
        total += last[unit] * (x if x > 0 else np.exp(x) - 1)
    np.testing.assert_allclose(apply(params, values, state), [total], rtol=1e-4, atol=1e-4)


def test_hypernet_shapes(mixer):
    layers, shapes, _ = mixer
    kernels = sorted(x.shape for x in jax.tree.leaves(shapes) if len(x.shape) == 2)
    offset = [(STATE, EMBEDDING), (EMBEDDING, 1)]
    if layers == 1:
        expected = [(STATE, AGENTS * EMBEDDING), (STATE, EMBEDDING), (STATE, EMBEDDING), *offset]
    else:
        hidden = [(STATE, WIDTH), (WIDTH, AGENTS * EMBEDDING), (STATE, WIDTH), (WIDTH, EMBEDDING)]
        expected = [*hidden, (STATE, EMBEDDING), *offset]
    assert kernels == sorted(expected)


def test_published_sizes():
    """NDQ: 32 units and single linear hypernetworks."""
    assert (MonotonicMixer().embedding, MonotonicMixer().hypernet_layers) == (32, 1)
    assert MonotonicMixer(hypernet_layers=2).hypernet_hidden == 64


def test_leading_axes_are_kept_apart(mixer):
    _, shapes, apply = mixer
    rng = np.random.default_rng(0)
    params = random_params(shapes, rng)
    values, state = rng.normal(size=(2, 5, AGENTS)), rng.normal(size=(2, 5, STATE))
    together = apply(params, values, state)
    assert together.shape == (2, 5, 1)
    for b, t in itertools.product(range(2), range(5)):
        np.testing.assert_allclose(together[b, t], apply(params, values[b, t], state[b, t]), rtol=1e-4, atol=1e-4)


@settings
@hypothesis.given(seed=SEEDS)
def test_sum_is_the_sum_and_independent_is_identity(seed):
    rng = np.random.default_rng(seed)
    values, state = rng.normal(size=(2, AGENTS)).astype(np.float32), rng.normal(size=(2, STATE))
    total = SumMixer().apply({}, values, state)
    assert total.shape == (2, 1)
    for b in range(2):
        np.testing.assert_allclose(total[b, 0], sum(values[b].tolist()), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(IndependentMixer().apply({}, values, state), values)
    assert (SumMixer().team, MonotonicMixer().team, IndependentMixer().team) == (True, True, False)


@pytest.mark.parametrize("size", ["embedding", "hypernet_layers", "hypernet_hidden"])
def test_a_mixing_network_has_units_and_layers(size):
    with pytest.raises(ValueError, match=f"{size}=0"):
        MonotonicMixer(**{size: 0})
