"""How a joint critic learns beside a team, from the same episodes."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.losses.temporal_difference import double_q_target
from marlcomm.types import Episodes, JointCriticOutput, JointQ, Scalar


def evaluate_joint_critic(
    joint_critic: Any, params: Any, target_params: Any, episodes: Episodes, discount: Scalar
) -> tuple[JointCriticOutput, JointQ]:
    """Values and double Q-learning targets of a joint critic on episodes [B, ...], and its target network.

    Args:
      joint_critic: a flax module: views [..., N, O] and one-hot actions [..., N, A] -> [...]; its method
        `utilities` gives [..., N, A], in each of which the value does not decrease, and `mix` that value from those of
        what is done.
      params, target_params: of the joint critic.
      episodes: what was played.
      discount: 0 .. 1.
    """
    views, allowed = episodes.agents_view, episodes.action_mask
    utilities, target_utilities = (joint_critic.apply(p, views, method="utilities") for p in (params, target_params))
    best = _highest(utilities, allowed)[:, 1:]
    done = jax.nn.one_hot(episodes.action, allowed.shape[-1], dtype=jnp.float32)
    value = joint_critic.apply(params, (utilities[:, :-1] * done).sum(-1), views[:, :-1], method="mix")
    next_value = joint_critic.apply(target_params, (target_utilities[:, 1:] * best).sum(-1), views[:, 1:], method="mix")
    reward = episodes.reward.mean(-1, keepdims=True)
    output = JointCriticOutput(
        value=value[..., None],
        target=double_q_target(reward, episodes.terminal, next_value[..., None], discount),
        weight=episodes.valid[..., None].astype(jnp.float32),
    )
    frozen = jax.lax.stop_gradient(target_params)
    joint_q = JointQ(
        worth=jax.tree_util.Partial(joint_critic.apply, frozen),
        action=_highest(target_utilities, allowed)[:, :-1],
        best=jax.tree_util.Partial(functools.partial(_best, joint_critic), frozen),
    )
    return output, joint_q


def _best(joint_critic: Any, params: Any, views: jax.Array, allowed: jax.Array) -> jax.Array:
    """The joint_critic's best joint action: [..., N, O] views, [..., N, A] what is allowed -> [..., N, A] one-hot."""
    return _highest(joint_critic.apply(params, views, method="utilities"), allowed)


def _highest(utilities: jax.Array, allowed: jax.Array) -> jax.Array:
    """[..., A] -> [..., A] one-hot of the highest that is allowed. No gradient."""
    chosen = jnp.argmax(jnp.where(allowed, utilities, -jnp.inf), -1)
    return jax.lax.stop_gradient(jax.nn.one_hot(chosen, utilities.shape[-1], dtype=utilities.dtype))
