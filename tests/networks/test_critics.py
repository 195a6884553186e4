"""DOP's linearly decomposed critic: its formula, and that an agent's gradient does not depend on what others do."""

import functools

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from marlcomm.networks import ActionCritic, CentralCritic, DecomposedCritic
from marlcomm.networks.layers import side_by_side

AGENTS, ACTIONS, SEEN, HIDDEN = 3, 2, 4, 5
SEEDS = st.integers(0, 2**31)
settings = hypothesis.settings(max_examples=25, deadline=None)


@functools.cache
def critic(shared=False):
    module = DecomposedCritic(hidden=HIDDEN, layers=2, shared=shared)
    given = np.zeros(SEEN), np.zeros((AGENTS, AGENTS, ACTIONS))
    return jax.jit(module.apply), jax.eval_shape(module.init, jax.random.PRNGKey(0), *given)


def random_params(shapes, rng):
    return jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), shapes)


def mlp(layers, x):
    for number in range(len(layers)):
        layer = layers[f"Linear_{number}"]
        x = x @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer["bias"], np.float64)
        x = np.maximum(x, 0) if number + 1 < len(layers) else x
    return x


@pytest.mark.parametrize("shared", [False, True])
@settings
@hypothesis.given(seed=SEEDS)
def test_the_value_is_a_weighted_sum_of_the_agents_own(shared, seed):
    """sum_i k_i(s) Q_i(s, a_i) + b(s), for the joint action of each of N critics, by loops."""
    apply, shapes = critic(shared)
    rng = np.random.default_rng(seed)
    params = random_params(shapes, rng)
    seen, action = rng.normal(size=SEEN), rng.normal(size=(AGENTS, AGENTS, ACTIONS))
    parts = params["params"]
    (own,) = (part for name, part in parts.items() if name not in ("weights", "offset"))
    size = np.abs(mlp(parts["weights"], seen))
    expected = np.zeros(AGENTS)
    for number in range(AGENTS):
        total = mlp(parts["offset"], seen)[0]
        for i in range(AGENTS):
            layers = own if shared else jax.tree.map(lambda x, i=i: x[i], own)
            rows = [seen, action[number, i], *([np.eye(AGENTS)[i]] if shared else [])]
            total += size[i] / size.sum() * mlp(layers, np.concatenate(rows))[0]
        expected[number] = total
    np.testing.assert_allclose(apply(params, seen, action), expected, rtol=1e-3, atol=1e-3)


@settings
@hypothesis.given(seed=SEEDS)
def test_an_agents_gradient_is_its_own(seed):
    """The decomposed policy gradient: k_i times that of Q_i, whatever the others do. MADDPG's critic is not so."""
    apply, shapes = critic()
    rng = np.random.default_rng(seed)
    params, seen = random_params(shapes, rng), rng.normal(size=SEEN)
    one, other = rng.normal(size=(2, AGENTS, ACTIONS))

    def gradient(apply, params, joint):
        def total(joint):
            return apply(params, seen, jnp.broadcast_to(joint, (AGENTS, *joint.shape)))[0]

        return np.asarray(jax.grad(total)(joint))

    for i in range(AGENTS):
        mixed = np.where(np.arange(AGENTS)[:, None] == i, one, other)
        np.testing.assert_allclose(
            gradient(apply, params, mixed)[i], gradient(apply, params, one)[i], rtol=1e-3, atol=1e-5
        )


def test_all_critics_say_the_same_of_the_same_joint_action():
    apply, shapes = critic()
    rng = np.random.default_rng(0)
    action = np.broadcast_to(rng.normal(size=(2, 5, 1, AGENTS, ACTIONS)), (2, 5, AGENTS, AGENTS, ACTIONS))
    views = rng.normal(size=(2, 5, 2, 2))
    params = random_params(shapes, rng)
    value = apply(params, side_by_side(views), action)
    one = apply(params, side_by_side(views), action[..., :1, :, :])
    assert DecomposedCritic.of_the_team
    np.testing.assert_allclose(one, value[..., :1], rtol=1e-4, atol=1e-5)
    assert value.shape == (2, 5, AGENTS)
    np.testing.assert_allclose(value, np.broadcast_to(value[..., :1], value.shape), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [ActionCritic, DecomposedCritic])
def test_sizes_are_checked(kind):
    with pytest.raises(ValueError, match="layers=0 must be a whole number, at least 1"):
        kind(layers=0)
    with pytest.raises(ValueError, match="hidden=0 must be a whole number, at least 1"):
        CentralCritic(hidden=0)
