"""Compiled tasks: operation by operation, jax compiles each one for itself."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax

from marlcomm.envs import Environment, make_env


class Compiled(NamedTuple):
    env: Any
    reset: Any
    step: Any


@functools.cache
def compiled(name: str, **options: Any) -> Compiled:
    """A task with its `reset` and `step` under jit."""
    env: Environment[Any] = make_env(name, **options)
    return Compiled(env, jax.jit(env.reset), jax.jit(env.step))
