"""Plays whole episodes in many environments at once, from any policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.envs.api import Environment, Observation
from marlcomm.learners.episodes import as_shown
from marlcomm.types import Episodes, Scalar

Policy = Callable[[Observation, Any, jax.Array], tuple[jax.Array, Any, Any]]


def collect(
    env: Environment, policy: Policy, memory: Any, num_envs: int, key: jax.Array, progress: Scalar = 1.0
) -> tuple[Episodes, Any, Any]:
    """One episode in each of B = `num_envs` environments, from reset to the horizon T.

    What the task gives after its own end is neither kept nor shown to the policy: see `without_padding`.

    Args:
      env: the task.
      policy: (observation with leading axis B, memory, key) -> (actions [B, N], or [B, N, A] if continuous, memory,
        anything to record).
      memory: the policy's memory at the start, leading axis B.
      num_envs: B.
      key: decides everything.
      progress: how far training is, 0 .. 1, for tasks that begin easily; 1 plays them as they are.

    Returns:
      the episodes; what the policy recorded, leading axes [B, T]; the environments' states, leading axes [B, T+1].
      What the caller does not use costs nothing: the compiler drops it.
    """
    reset_key, step_keys = episode_keys(key, env.horizon)
    state, first = jax.vmap(env.reset_at, (0, None))(jax.random.split(reset_key, num_envs), progress)

    def play(carry: tuple, step_key: jax.Array) -> tuple[tuple, tuple]:
        state, observation, memory, done = carry
        action, memory, record = policy(observation, memory, step_key)
        state, now = jax.vmap(env.step)(state, action)
        real = ~done
        terminal = now.last() & (now.discount == 0) & real
        step = {
            "action": action.astype(env.action_dtype),
            "reward": jnp.where(real[:, None], now.reward, 0.0),
            "terminal": terminal,
            "valid": real,
            "won": now.extras.get("won", jnp.zeros(num_envs, bool)) & real,
        }
        observation = as_shown(now.observation, real, terminal)
        return (state, observation, memory, done | now.last()), (step, observation, record, state)

    start = (state, first.observation, memory, jnp.zeros(num_envs, bool))
    _, outputs = jax.lax.scan(play, start, step_keys)
    step, later, record, later_states = jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), outputs)
    seen, states = jax.tree.map(
        lambda x, rest: jnp.concatenate([x[:, None], rest], 1),
        (first.observation, state),
        (later, later_states),
    )
    won = step.pop("won").any(1)
    observed = {name: getattr(seen, name) for name in ("agents_view", "action_mask", "global_state", "alive")}
    return Episodes(**observed, **step, won=won), record, states


def episode_keys(key: jax.Array, horizon: int) -> tuple[jax.Array, jax.Array]:
    """The keys of episodes that are played with `key`: [2] of the resets, split once more for each environment, and
    [T, 2] of the policy at each step, one for all environments."""
    reset_key, play_key = jax.random.split(key)
    return reset_key, jax.random.split(play_key, horizon)


def team_return(episodes: Episodes) -> jax.Array:
    """[B] undiscounted return of the team: rewards summed over real steps, averaged over agents; an array of the kind
    that the rewards are, of JAX or NumPy."""
    xp = episodes.reward.__array_namespace__()
    return xp.where(episodes.valid, episodes.reward.mean(-1), 0.0).sum(1)
