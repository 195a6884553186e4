"""The compiled programs of a run: many training steps in one call, and evaluation, for a whole population."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.learners.learner import LearnerState
from marlcomm.training.population import Population


def make_chunk(algorithm: Algorithm, population: Population, length: int) -> Any:
    """Compiles `length` training steps of every member into one program that reuses its argument's memory.

    Returns:
      (state with leading axis P, limit []) -> (state, metrics): the metrics' means over the chunk, each [P].
    """

    def chunk(state: LearnerState, limit: jax.Array) -> tuple[LearnerState, dict[str, jax.Array]]:
        def step(state: LearnerState, _: None) -> tuple[LearnerState, dict[str, jax.Array]]:
            return algorithm.step(state, limit)

        state, metrics = jax.lax.scan(step, state, None, length=length)
        return state, jax.tree.map(jnp.mean, metrics)

    return jax.jit(population.spread(chunk, shared=1), donate_argnums=0)


def chunk_length(algorithm: Algorithm) -> int:
    """Training steps in one compiled call: about 20,000 environment steps a member at the most."""
    in_one_step = algorithm.learner.settings.num_envs * algorithm.env.horizon
    return int(min(max(20_000 // in_one_step, 1), 200))
