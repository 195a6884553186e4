"""The compiled program of a run: many training steps in one call, for a whole population."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.learners.state import LearnerState
from marlcomm.training.population import Population


def make_chunk(algorithm: Algorithm, population: Population) -> Any:
    """Compiles training steps of every member into one program that reuses its argument's memory.

    Returns:
      (state with leading axis P, limit [], length []) -> (state, metrics): after `length` training steps, at least 1,
      and the metrics' means over these, each [P].
    """

    def chunk(state: LearnerState, limit: jax.Array, length: jax.Array) -> tuple[LearnerState, dict[str, jax.Array]]:
        one_step = jax.jit(algorithm.step, inline=True)  # traced once for both uses
        _, metrics = jax.eval_shape(one_step, state, limit)
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, jnp.float32), metrics)

        def step(_: Any, carry: tuple) -> tuple:
            state, sums = carry
            state, metrics = one_step(state, limit)
            return state, jax.tree.map(lambda total, x: total + x.astype(jnp.float32), sums, metrics)

        state, sums = jax.lax.fori_loop(0, length, step, (state, nothing))
        return state, jax.tree.map(lambda total: total / length, sums)

    return jax.jit(population.spread(chunk, shared=2, moves=True), donate_argnums=0)
