"""Linear layers, MLPs and a GRU with PyTorch's initialization, which the papers used."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from marlcomm.validation import check_count


def uniform_within(bound: float) -> nn.initializers.Initializer:
    """Uniform on [-bound, bound].

    Not orthogonal, flax's default for GRUs: its QR deadlocks under `vmap` on CPUs of few cores.
    """
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(key, shape, dtype, -bound, bound)


_Gates = tuple[jax.Array, jax.Array, jax.Array]


class Linear(nn.Module):
    """x W + b with PyTorch's default initialization: both uniform within 1/sqrt(fan in)."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[..., F] -> [..., features]."""
        initializer = uniform_within(1.0 / max(x.shape[-1], 1) ** 0.5)
        kernel = self.param("kernel", initializer, (x.shape[-1], self.features))
        bias = self.param("bias", initializer, (self.features,))
        return x @ kernel + bias


class MLP(nn.Module):
    """Linear layers with ReLU between them, none after the last."""

    widths: tuple[int, ...]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[..., F] -> [..., widths[-1]]."""
        for width in self.widths[:-1]:
            x = nn.relu(Linear(width)(x))
        return Linear(self.widths[-1])(x)


def check_positive(module: nn.Module, *fields: str) -> None:
    """Raises UsageError where one of these fields, such as a width, is no whole number of at least 1."""
    for name in fields:
        check_count(name, getattr(module, name))


def side_by_side(views: jax.Array) -> jax.Array:
    """[..., N, O] -> [..., N * O]: the views of all agents concatenated."""
    return views.reshape(*views.shape[:-2], -1)


def one_each(module: type[nn.Module], count: int) -> type[nn.Module]:
    """The module with separate parameters for each of `count` agents; maps [..., N, F]."""
    return nn.vmap(
        module,
        variable_axes={"params": 0},
        split_rngs={"params": True},
        in_axes=-2,
        out_axes=-2,
        axis_size=count,
    )


class GRU(nn.Module):
    """A gated recurrent unit in PyTorch's convention (the reset gate scales the hidden term with its bias).

    Gates stand side by side in the order reset, update, new, each H wide.

    `project` does all that does not read memory, for all steps at once; only one matrix product stays in the scan.
    """

    hidden: int

    def setup(self) -> None:
        initializer = uniform_within(1.0 / self.hidden**0.5)
        self.input_kernel = self.param("input_kernel", initializer, (self.hidden, 3 * self.hidden))
        self.input_bias = self.param("input_bias", initializer, (3 * self.hidden,))
        self.memory_kernel = self.param("memory_kernel", initializer, (self.hidden, 3 * self.hidden))
        self.memory_bias = self.param("memory_bias", initializer, (3 * self.hidden,))

    def project(self, x: jax.Array) -> jax.Array:
        """[..., H] -> [..., 3H]: the part of the gates that reads the input."""
        return x @ self.input_kernel + self.input_bias

    def step(self, memory: jax.Array, projected: jax.Array) -> jax.Array:
        """[..., H], [..., 3H] -> [..., H]: one step."""
        return _gru_step(memory, projected, self.memory_kernel, self.memory_bias)

    def unroll(self, memory: jax.Array, projected: jax.Array) -> jax.Array:
        """[B, N, H], [T, B, N, 3H] -> [T, B, N, H]: memory after every step."""
        return gru_unroll(memory, projected, self.memory_kernel, self.memory_bias)


def _gru_step(memory: jax.Array, projected: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    return _remembered(memory, _gates(memory, _split(projected), kernel, bias))


def _remembered(memory: jax.Array, gates: tuple[jax.Array, ...]) -> jax.Array:
    _, update, new, _ = gates
    return new + update * (memory - new)


def _gates(memory: jax.Array, x: _Gates, kernel: jax.Array, bias: jax.Array) -> tuple[jax.Array, ...]:
    h_reset, h_update, h_new = _split(memory @ kernel + bias)
    reset, update = jax.nn.sigmoid(x[0] + h_reset), jax.nn.sigmoid(x[1] + h_update)
    return reset, update, jnp.tanh(x[2] + reset * h_new), h_new


def _split(x: jax.Array) -> _Gates:
    reset, update, new = jnp.split(x, 3, -1)
    return reset, update, new


@jax.custom_vjp
def gru_unroll(memory: jax.Array, projected: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """A GRU over all time steps, with a hand-written gradient that leaves one matrix product a step in either scan.

    Automatic differentiation would accumulate the kernel's gradient inside the reverse scan; here it is one product
    over all steps. The gates are split before the scan, as XLA's CPU compiler does not vectorize slices of slices.

    Args:
      memory: [B, N, H] at the start.
      projected: [T, B, N, 3H], time first, so that nothing is transposed.
      kernel: [H, 3H]; bias: [3H].

    Returns:
      [T, B, N, H] memory after each step.
    """

    return _unrolled(memory, projected, kernel, bias)[0]


def _unrolled(memory: jax.Array, projected: jax.Array, kernel: jax.Array, bias: jax.Array) -> tuple[jax.Array, tuple]:
    """[T, B, N, H] memory after each step, and the gates that made it."""

    def step(memory: jax.Array, x: _Gates) -> tuple[jax.Array, tuple]:
        gates = _gates(memory, x, kernel, bias)
        memory = _remembered(memory, gates)
        return memory, (memory, gates)

    return jax.lax.scan(step, memory, _split(projected))[1]


def _gru_forward(memory: jax.Array, projected: jax.Array, kernel: jax.Array, bias: jax.Array) -> tuple:
    memories, gates = _unrolled(memory, projected, kernel, bias)
    return memories, (memory, memories, gates, kernel)


def _gru_backward(saved: tuple, gradient: jax.Array) -> tuple:
    memory, memories, (reset, update, new, h_new), kernel = saved
    before = jnp.concatenate([memory[None], memories[:-1]])
    # the gradient of a step is linear in that of its memory; these are the factors
    of_new = (1 - update) * (1 - new**2)
    of_reset = of_new * h_new * reset * (1 - reset)
    of_update = (before - new) * update * (1 - update)
    factors = (of_reset, of_update, of_new * reset)

    def step(later: jax.Array, x: tuple) -> tuple[jax.Array, jax.Array]:
        of_output, update, factors = x
        total = later + of_output
        gates = jnp.concatenate([total * factor for factor in factors], -1)
        return total * update + gates @ backward, total

    backward = kernel.T
    first, totals = jax.lax.scan(step, jnp.zeros_like(memory), (gradient, update, factors), reverse=True)
    of_gates = jnp.concatenate([totals * factor for factor in factors], -1)
    of_projected = jnp.concatenate([totals * of_reset, totals * of_update, totals * of_new], -1)
    of_kernel = jnp.einsum("...h,...g->hg", before, of_gates)
    return first, of_projected, of_kernel, of_gates.sum(tuple(range(of_gates.ndim - 1)))


gru_unroll.defvjp(_gru_forward, _gru_backward)
