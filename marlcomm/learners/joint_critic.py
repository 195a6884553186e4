"""Networks that learn beside the team because a method's losses ask them, such as a centralized joint critic."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from marlcomm.losses.temporal_difference import double_q_target
from marlcomm.types import Episodes, JointCriticOutput, JointQ, Scalar, TaskSpec


class Part(Protocol):
    """A network that a method brings to the value learner, with a target network of its own."""

    def init(self, key: jax.Array, task: TaskSpec) -> Any:
        """Its parameters before training."""
        ...

    def unroll(self, params: Any, target_params: Any, episodes: Episodes, discount: Scalar) -> dict[str, Any]:
        """What it makes of episodes [B, ...], by names of fields of `Unroll`."""
        ...


@dataclass(frozen=True)
class JointCriticPart:
    """A centralized joint action-value network, learned by double Q-learning from the same episodes as the team.

    It fills `Unroll.joint_critic`, for `joint_critic_loss`, and `Unroll.joint_q`, for losses that ask about joint
    actions.

    Attributes:
      network: a flax module as `JointCritic`: views [..., N, O] and one-hot actions [..., N, A] -> [...]; its method
        `utilities` gives [..., N, A], in each of which the value does not decrease, and `mix` that value from those of
        what is done.
    """

    network: Any

    def init(self, key: jax.Array, task: TaskSpec) -> Any:
        """See `Part`."""
        n = task.num_agents
        return self.network.init(key, jnp.zeros((1, n, task.observation_size)), jnp.zeros((1, n, task.num_actions)))

    def unroll(self, params: Any, target_params: Any, episodes: Episodes, discount: Scalar) -> dict[str, Any]:
        """See `Part`."""
        output, joint_q = evaluate_joint_critic(self.network, params, target_params, episodes, discount)
        return {"joint_critic": output, "joint_q": joint_q}


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
        value=jax.tree_util.Partial(joint_critic.apply, frozen),
        action=_highest(target_utilities, allowed)[:, :-1],
        greedy=jax.tree_util.Partial(functools.partial(_greedy, joint_critic), frozen),
    )
    return output, joint_q


def mean_of_critics(
    critic: Any, target_params: Any, see: Callable[[jax.Array], jax.Array], action: jax.Array
) -> JointQ:
    """The mean of the agents' centralized critics as one joint action-value function. No gradient.

    Args:
      critic: a flax module [..., F] what critics see, [..., N, N, A] joint actions -> [..., N]; see `ActionCritic`.
        Where its class has `of_the_team` True, as `DecomposedCritic`, its values of one joint action are all the same.
      target_params: of it.
      see: views [..., N, O] -> [..., F].
      action: [B, T, N, A] what the team would do.
    """

    def worth(params: Any, views: jax.Array, action: jax.Array) -> jax.Array:
        one = getattr(critic, "of_the_team", False)
        return critic.apply(params, see(views), action[..., None, :, :] if one else for_each_critic(action)).mean(-1)

    frozen, action = jax.lax.stop_gradient((target_params, action))
    return JointQ(jax.tree_util.Partial(worth, frozen), action)


def for_each_critic(action: jax.Array) -> jax.Array:
    """[..., N, A] -> [..., N, N, A]: the same joint action for all critics."""
    return jnp.broadcast_to(action[..., None, :, :], (*action.shape[:-1], *action.shape[-2:]))


def _greedy(joint_critic: Any, params: Any, views: jax.Array, allowed: jax.Array) -> jax.Array:
    """The joint critic's best joint action: [..., N, O] views, [..., N, A] what is allowed -> [..., N, A] one-hot."""
    return _highest(joint_critic.apply(params, views, method="utilities"), allowed)


def _highest(utilities: jax.Array, allowed: jax.Array) -> jax.Array:
    """[..., A] -> [..., A] one-hot of the highest that is allowed. No gradient."""
    chosen = jnp.argmax(jnp.where(allowed, utilities, -jnp.inf), -1)
    return jax.lax.stop_gradient(jax.nn.one_hot(chosen, utilities.shape[-1], dtype=utilities.dtype))
