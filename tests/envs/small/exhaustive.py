"""Outcomes of a task's own step function for every state and joint action."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def all_outcomes(env: Any, states: Any) -> tuple[np.ndarray, Any, Any]:
    """Steps every state (leading axis) with every joint action.

    Returns the joint actions [J, N], and the next states and time steps, with leading axes [states, J].
    """
    actions = np.array(list(itertools.product(range(env.num_actions), repeat=env.num_agents)), np.int32)
    over_actions = jax.vmap(env.step, in_axes=(None, 0))
    after, steps = jax.jit(jax.vmap(over_actions, in_axes=(0, None)))(states, jnp.asarray(actions))
    return actions, jax.device_get(after), jax.device_get(steps)
