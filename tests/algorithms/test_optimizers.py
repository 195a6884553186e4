"""The optimizer against PyTorch's RMSprop and its clipping, in numpy."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import optax
from hypothesis import strategies as st

from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.optimizers import torch_rmsprop
from marlcomm.learners import ValueHParams

HPARAMS = ValueHParams(learning_rate=0.01, gradient_clip=3.0)


@jax.jit
def move(params, state, gradient):
    updates, state = torch_rmsprop(HPARAMS).update(gradient, state, params)
    return optax.apply_updates(params, updates), state


@hypothesis.settings(max_examples=20, deadline=None)
@hypothesis.given(seed=st.integers(0, 2**31), scale=st.sampled_from([1e-6, 1e-4, 0.1, 1.0, 30.0]))
def test_rmsprop_is_pytorchs_after_clipping_by_global_norm(seed, scale):
    """square_avg = .99 square_avg + .01 g g; p -= lr g / (sqrt(square_avg) + eps): eps 1e-5 outside the root."""
    rng = np.random.default_rng(seed)
    shapes = {"a": (3, 2), "b": (4,)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    square = {name: np.zeros(shape) for name, shape in shapes.items()}
    found = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), params)
    state = torch_rmsprop(HPARAMS).init(found)
    for _ in range(5):
        gradient = {name: scale * rng.normal(size=shape) for name, shape in shapes.items()}
        found, state = move(found, state, jax.tree.map(jnp.float32, gradient))
        norm = np.sqrt(sum((g**2).sum() for g in gradient.values()))
        shrink = 3.0 / norm if norm > 3.0 else 1.0
        for name, g in gradient.items():
            square[name] = 0.99 * square[name] + 0.01 * (shrink * g) ** 2
            params[name] = params[name] - 0.01 * shrink * g / (np.sqrt(square[name]) + 1e-5)
    for name in shapes:
        np.testing.assert_allclose(found[name], params[name], rtol=1e-4, atol=1e-6)


def test_eps_stands_outside_the_root():
    """A gradient of 1e-5 tells: outside it moves by lr * 1e-5 / (1e-6 + 1e-5), inside by 300 times less."""
    params = {"a": jnp.zeros(1), "b": jnp.zeros(1)}
    state = torch_rmsprop(HPARAMS).init(params)
    moved, _ = move(params, state, {"a": jnp.array([1e-5]), "b": jnp.zeros(1)})
    np.testing.assert_allclose(moved["a"], -0.01 / 1.1, rtol=1e-4)


def test_published_settings():
    """The released settings."""
    hparams = ValueHParams(**PYMARL)
    assert (hparams.learning_rate, hparams.discount, hparams.gradient_clip) == (5e-4, 0.99, 10.0)
    assert (hparams.exploration_start, hparams.exploration_final, hparams.exploration_steps) == (1.0, 0.05, 50_000)
