"""Episodes on their way into a learner: shapes are checked, and nothing that follows an end is left in them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.envs.api import Observation
from marlcomm.types import Episodes, Scalar, TaskSpec


def empty_episode(task: TaskSpec) -> Episodes:
    """One episode without a step, as zeros; its shapes and types are those of every episode of the task."""
    t, n, a = task.horizon, task.num_agents, task.num_actions
    return Episodes(
        agents_view=jnp.zeros((t + 1, n, task.observation_size), jnp.float32),
        action_mask=jnp.zeros((t + 1, n, a), bool),
        global_state=jnp.zeros((t + 1, task.state_size), jnp.float32),
        alive=jnp.zeros((t + 1, n), bool),
        action=jnp.zeros((t, *task.action_shape), task.action_dtype),
        reward=jnp.zeros((t, n), jnp.float32),
        terminal=jnp.zeros((t,), bool),
        valid=jnp.zeros((t,), bool),
        won=jnp.zeros((), bool),
    )


def ready_to_learn(task: TaskSpec, num_envs: int, episodes: Episodes) -> Episodes:
    """Episodes [B, ...] as a learner takes them: of the task's shapes and types, without what follows their ends.

    Args:
      task: its sizes.
      num_envs: B.
      episodes: from `collect`, or from a simulator outside JAX; numpy arrays will do.

    Raises:
      ValueError: a field has another shape, or holds numbers of another kind.
    """
    like = empty_episode(task)
    checked = {name: _checked(name, getattr(episodes, name), getattr(like, name), num_envs) for name in like._fields}
    return without_padding(Episodes(**checked), task.num_actions)


def observations(episodes: Episodes) -> Observation:
    """What the policy was shown, leading axes [B, T+1]."""
    step = jnp.arange(episodes.alive.shape[1], dtype=jnp.int32)
    count = jnp.broadcast_to(step, episodes.alive.shape[:2])
    return Observation(
        episodes.agents_view, episodes.action_mask, episodes.global_state, episodes.alive, step_count=count
    )


def without_padding(episodes: Episodes, num_actions: int) -> Episodes:
    """The same episodes, in which what a task gave after its own end can reach no loss, not even as 0 times NaN.

    Views, states and rewards are 0 there, and actions are possible ones. What was seen as the task itself ended is
    kept as far as it is finite; what was seen as a limit cut the episode is real, and bootstrapped from.

    Args:
      episodes: leading axes [B, T].
      num_actions: A.
    """
    valid, terminal = episodes.valid, episodes.terminal & episodes.valid
    real = jnp.pad(valid, ((0, 0), (1, 0)), constant_values=True)  # the first observation always is
    last = jnp.pad(terminal, ((0, 0), (1, 0)))
    if jnp.issubdtype(episodes.action.dtype, jnp.integer):
        possible = jnp.clip(episodes.action, 0, num_actions - 1)
    else:
        possible = jnp.clip(jnp.nan_to_num(episodes.action), -1.0, 1.0)
    return episodes._replace(
        agents_view=shown(episodes.agents_view, real, last),
        global_state=shown(episodes.global_state, real, last),
        reward=jnp.where(valid[..., None], episodes.reward, 0.0),
        action=jnp.where(_beside(valid, possible), episodes.action, possible),
        terminal=terminal,
    )


def shared_reward(reward: jax.Array, team_share: Scalar) -> jax.Array:
    """[..., N] each agent's reward, of which the share `team_share` is the team's mean (1: all, 0: its own only)."""
    return reward + team_share * (reward.mean(-1, keepdims=True) - reward)


def as_shown(observation: Observation, real: jax.Array, last: jax.Array) -> Observation:
    """An observation [B, ...] as a policy is shown it and as it is kept: see `without_padding`.

    Args:
      observation: as the task gave it.
      real: [B] bool, whether the step that it followed was one of the episode; last: [B] bool, that by which the task
        itself ended.
    """
    names = ("agents_view", "global_state")
    return observation._replace(**{name: shown(getattr(observation, name), real, last) for name in names})


def shown(x: jax.Array, real: jax.Array, last: jax.Array) -> jax.Array:
    """[..., F]: `x` where it is real, finite where it is also the last of its episode, and zeros elsewhere.

    Args:
      x: [..., F], with any number of axes of features; real, last: [...] bool.
    """
    return jnp.where(_beside(real, x) & (~_beside(last, x) | jnp.isfinite(x)), x, 0.0)


def _beside(mask: jax.Array, x: jax.Array) -> jax.Array:
    """The mask with as many axes as `x`."""
    return mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim))


def _checked(name: str, given: Any, like: jax.Array, num_envs: int) -> jax.Array:
    given, shape = jnp.asarray(given), (num_envs, *like.shape)
    if given.shape != shape:
        raise ValueError(f"episodes.{name} has shape {given.shape}: must be {shape}; the first number is num_envs")
    kinds = (jnp.bool_, jnp.integer, jnp.floating)
    kind = next(kind for kind in kinds if jnp.issubdtype(like.dtype, kind))
    if not jnp.issubdtype(given.dtype, kind):
        raise ValueError(f"episodes.{name} is of type {given.dtype}: must be {like.dtype}")
    return given.astype(like.dtype)
