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
        [..., N, A], in each of which the value does not decrease.
      params, target_params: the teacher's.
      episodes: what was played.
      discount: 0 .. 1.
    """
    views, steps = episodes.agents_view, episodes.valid.shape[1]
    num_actions = episodes.action_mask.shape[-1]

    def best(params: Any) -> jax.Array:
        utilities = teacher.apply(params, views, method="utilities")
        chosen = jnp.argmax(jnp.where(episodes.action_mask, utilities, -jnp.inf), -1)
        return jax.lax.stop_gradient(jax.nn.one_hot(chosen, num_actions))

    next_value = teacher.apply(target_params, views[:, 1:], best(params)[:, 1:])
    reward = episodes.reward.mean(-1, keepdims=True)
    taught = Taught(
        value=teacher.apply(params, views[:, :-1], jax.nn.one_hot(episodes.action, num_actions))[..., None],
        target=double_q_target(reward, episodes.terminal, next_value[..., None], discount),
        weight=episodes.valid[..., None].astype(jnp.float32),
    )
    frozen = jax.lax.stop_gradient(target_params)
    judge = Judge(
        worth=jax.tree_util.Partial(teacher.apply, frozen),
        action=best(frozen)[:, :steps],
        best=jax.tree_util.Partial(functools.partial(_best_of_all, teacher), frozen),
    )
    return taught, judge


def _best_of_all(teacher: Any, params: Any, views: jax.Array) -> jax.Array:
    utilities = teacher.apply(params, views, method="utilities")
    return jax.nn.one_hot(utilities.argmax(-1), utilities.shape[-1])
