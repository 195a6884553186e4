"""How a teacher learns beside a team, from the same episodes."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.losses.temporal_difference import double_q_target
from marlcomm.types import Episodes, Judge, Scalar, Taught


def teach(teacher: Any, params: Any, target_params: Any, episodes: Episodes, discount: Scalar) -> tuple[Taught, Judge]:
    """What the teacher makes of episodes [B, ...], by double Q-learning, and the target teacher as a judge.

    Args:
      teacher: a flax module: views [..., N, O] and one-hot actions [..., N, A] -> [...]; its method `utilities` gives
        [..., N, A], in each of which the value does not decrease, and `mix` that value from those of what is done.
      params, target_params: the teacher's.
      episodes: what was played.
      discount: 0 .. 1.
    """
    views, allowed = episodes.agents_view, episodes.action_mask
    utilities, target_utilities = (teacher.apply(p, views, method="utilities") for p in (params, target_params))
    best = _highest(utilities, allowed)[:, 1:]
    done = jax.nn.one_hot(episodes.action, allowed.shape[-1], dtype=jnp.float32)
    value = teacher.apply(params, (utilities[:, :-1] * done).sum(-1), views[:, :-1], method="mix")
    next_value = teacher.apply(target_params, (target_utilities[:, 1:] * best).sum(-1), views[:, 1:], method="mix")
    reward = episodes.reward.mean(-1, keepdims=True)
    taught = Taught(
        value=value[..., None],
        target=double_q_target(reward, episodes.terminal, next_value[..., None], discount),
        weight=episodes.valid[..., None].astype(jnp.float32),
    )
    frozen = jax.lax.stop_gradient(target_params)
    judge = Judge(
        worth=jax.tree_util.Partial(teacher.apply, frozen),
        action=_highest(target_utilities, allowed)[:, :-1],
        best=jax.tree_util.Partial(functools.partial(_best, teacher), frozen),
    )
    return taught, judge


def _best(teacher: Any, params: Any, views: jax.Array, allowed: jax.Array) -> jax.Array:
    """The teacher's best joint action: [..., N, O] views, [..., N, A] what is allowed -> [..., N, A] one-hot."""
    return _highest(teacher.apply(params, views, method="utilities"), allowed)


def _highest(utilities: jax.Array, allowed: jax.Array) -> jax.Array:
    """[..., A] -> [..., A] one-hot of the highest that is allowed. No gradient."""
    chosen = jnp.argmax(jnp.where(allowed, utilities, -jnp.inf), -1)
    return jax.lax.stop_gradient(jax.nn.one_hot(chosen, utilities.shape[-1], dtype=utilities.dtype))
