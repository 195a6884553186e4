"""The GRU and its hand-written gradient against flax's cell and automatic differentiation."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm.networks.layers import GRU, gru_unroll

TIME, BATCH, AGENTS, HIDDEN = 4, 2, 3, 5


def draw(seed, *members):
    """memory, inputs, and kernel and bias of both halves; weights large enough to saturate some gates."""
    shapes = {
        "memory": (BATCH, AGENTS, HIDDEN),
        "inputs": (TIME, BATCH, AGENTS, HIDDEN),
        "input_kernel": (HIDDEN, 3 * HIDDEN),
        "input_bias": (3 * HIDDEN,),
        "memory_kernel": (HIDDEN, 3 * HIDDEN),
        "memory_bias": (3 * HIDDEN,),
    }
    keys = jax.random.split(jax.random.PRNGKey(seed), len(shapes))
    return {
        name: jax.random.normal(key, (*members, *shape))
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }


def ours(x):
    projected = x["inputs"] @ x["input_kernel"] + x["input_bias"]
    return gru_unroll(x["memory"], projected, x["memory_kernel"], x["memory_bias"])


def flax_cell(x):
    """The same weights in flax's cell, which has PyTorch's convention and one bias for both halves of two gates."""
    input_kernel, memory_kernel = jnp.split(x["input_kernel"], 3, 1), jnp.split(x["memory_kernel"], 3, 1)
    input_bias, memory_bias = jnp.split(x["input_bias"], 3), jnp.split(x["memory_bias"], 3)
    params = {}
    for k, gate in enumerate("rzn"):
        bias = input_bias[k] + (0 if gate == "n" else memory_bias[k])
        params[f"i{gate}"] = {"kernel": input_kernel[k], "bias": bias}
        params[f"h{gate}"] = {"kernel": memory_kernel[k]}
    params["hn"]["bias"] = memory_bias[2]
    cell = nn.GRUCell(HIDDEN)
    return jax.lax.scan(lambda h, now: cell.apply({"params": params}, h, now), x["memory"], x["inputs"])[1]


def weighted(function):
    """A scalar in which every output counts differently, so that a gradient of a wrong step shows."""

    def scalar(x):
        output = function(x)
        return (output * jnp.cos(jnp.arange(output.size, dtype=jnp.float32)).reshape(output.shape)).sum(), output

    return jax.value_and_grad(scalar, has_aux=True)


@pytest.fixture(scope="module")
def both():
    return jax.jit(weighted(ours)), jax.jit(weighted(flax_cell))


@pytest.mark.parametrize("seed", range(4))
def test_forward_and_gradients_equal_flax(both, seed):
    x = draw(seed)
    (_, output), gradient = both[0](x)
    (_, expected), expected_gradient = both[1](x)
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)
    for name in x:
        assert np.any(expected_gradient[name] != 0)
        np.testing.assert_allclose(gradient[name], expected_gradient[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_under_vmap_every_member_has_its_own_gradient(both):
    x = draw(9, 2)
    (_, output), gradient = jax.jit(jax.vmap(weighted(ours)))(x)
    for member in range(2):
        (_, expected), expected_gradient = both[1](jax.tree.map(lambda leaf, m=member: leaf[m], x))
        np.testing.assert_allclose(output[member], expected, rtol=1e-5, atol=1e-6)
        for name in x:
            np.testing.assert_allclose(
                gradient[name][member], expected_gradient[name], rtol=1e-4, atol=1e-5, err_msg=name
            )


def test_unroll_equals_steps():
    x = draw(5)
    gru = GRU(HIDDEN)
    params = {"params": {name: x[name] for name in x if name not in ("memory", "inputs")}}
    projected = gru.apply(params, x["inputs"], method="project")
    unrolled = gru.apply(params, x["memory"], projected, method="unroll")
    memory = x["memory"]
    for t in range(TIME):
        memory = gru.apply(params, memory, projected[t], method="step")
        np.testing.assert_allclose(unrolled[t], memory, rtol=1e-5, atol=1e-6)


def test_reset_gate_scales_the_memory_term_with_its_bias():
    """PyTorch's convention, on numbers that tell it apart: with the reset gate shut, the bias must vanish too."""
    shut = jnp.array([-50.0, -50.0, 0.0])  # reset 0, update 0: the new memory is tanh of the input's part alone
    output = gru_unroll(jnp.ones((1, 1, 1)), shut.reshape(1, 1, 1, 3), jnp.zeros((1, 3)), jnp.array([0.0, 0.0, 3.0]))
    np.testing.assert_allclose(output, 0.0, atol=1e-6)


def test_initial_weights_are_pytorchs():
    """All within 1 / sqrt(hidden), and close to filling that range."""
    params = GRU(64).init(jax.random.PRNGKey(0), jnp.zeros((1, 64)), method="project")["params"]
    assert set(params) == {"input_kernel", "input_bias", "memory_kernel", "memory_bias"}
    for leaf in params.values():
        assert 0.9 / 8 < np.abs(leaf).max() <= 1 / 8
        assert np.abs(np.mean(leaf)) < 0.02
