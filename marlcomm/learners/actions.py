"""What an actor's numbers mean: how they become actions, with and without exploration, and how critics see them.

Both kinds take the actor's outputs [..., N, A] and the mask [..., N, A] of `Observation.action_mask`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from marlcomm.envs.api import Environment
from marlcomm.types import Scalar

NOT_ALLOWED = -1e9  # a logit that is never chosen; finite, so that agents to whom nothing is allowed stay finite too


@dataclass(frozen=True)
class ContinuousActions:
    """Each of A numbers is the tanh of an output, in -1 .. 1; numbers that do not count are 0.

    Attributes:
      num_actions: A.
      noise: standard deviation of the Gaussian noise that explores, in epsilons.
    """

    num_actions: int
    noise: float = 1.0

    def outputs(self, outputs: jax.Array, mask: jax.Array) -> jax.Array:
        """[..., N, A] the outputs themselves, 0 where they do not count."""
        return jnp.where(mask, outputs, 0.0)

    def explore(self, outputs: jax.Array, mask: jax.Array, exploration: Scalar, key: jax.Array) -> jax.Array:
        """[..., N, A] uniformly random for a share `exploration` of the agents, for the others with Gaussian noise."""
        share_key, uniform_key, noise_key = jax.random.split(key, 3)
        uniform = jax.random.uniform(uniform_key, outputs.shape, outputs.dtype, -1.0, 1.0)
        noise = self.noise * exploration * jax.random.normal(noise_key, outputs.shape, outputs.dtype)
        random = jax.random.uniform(share_key, outputs.shape[:-1]) < exploration
        action = jnp.where(random[..., None], uniform, jnp.clip(jnp.tanh(outputs) + noise, -1.0, 1.0))
        return jnp.where(mask, action, 0.0)

    def policy(self, outputs: jax.Array, mask: jax.Array, temperature: Scalar, key: jax.Array) -> jax.Array:
        """[..., N, A] what the actor would do without exploring, with its gradient."""
        return jnp.where(mask, jnp.tanh(outputs), 0.0)

    def seen(self, action: jax.Array) -> jax.Array:
        """[..., N, A] -> the same."""
        return action

    def none(self, *batch: int) -> jax.Array:
        """[*batch, A] zeros: the action before the first."""
        return jnp.zeros((*batch, self.num_actions), jnp.float32)


@dataclass(frozen=True)
class DiscreteActions:
    """One of A choices, drawn by Gumbel noise on logits; its gradient is that of a softmax (Jang et al. 2017).

    Attributes:
      num_actions: A.
    """

    num_actions: int

    def outputs(self, outputs: jax.Array, mask: jax.Array) -> jax.Array:
        """[..., N, A] logits; hardly finite where a choice is not allowed."""
        return jnp.where(mask, outputs, NOT_ALLOWED)

    def explore(self, outputs: jax.Array, mask: jax.Array, exploration: Scalar, key: jax.Array) -> jax.Array:
        """[..., N] int32: uniformly random for a share `exploration` of the agents, else drawn from the policy.

        With `exploration` 0 nothing is drawn: each agent does what is likeliest.
        """
        share_key, uniform_key, noise_key = jax.random.split(key, 3)
        noise = jax.random.gumbel(noise_key, outputs.shape)
        drawn = jnp.argmax(self.outputs(outputs, mask) + jnp.where(exploration > 0, noise, 0.0), -1)
        uniform = jnp.argmax(jnp.where(mask, jax.random.uniform(uniform_key, outputs.shape), -1.0), -1)
        random = jax.random.uniform(share_key, outputs.shape[:-1]) < exploration
        return jnp.where(random, uniform, drawn).astype(jnp.int32)

    def policy(self, outputs: jax.Array, mask: jax.Array, temperature: Scalar, key: jax.Array) -> jax.Array:
        """[..., N, A] one-hot and drawn; the gradient passes straight through to the softmax at `temperature`."""
        noisy = self.outputs(outputs, mask) + jax.random.gumbel(key, outputs.shape, outputs.dtype)
        soft = jax.nn.softmax(noisy / temperature)
        return self.seen(jnp.argmax(noisy, -1)) + (soft - jax.lax.stop_gradient(soft))

    def seen(self, action: jax.Array) -> jax.Array:
        """[..., N] -> [..., N, A] one-hot."""
        return jax.nn.one_hot(action, self.num_actions, dtype=jnp.float32)

    def none(self, *batch: int) -> jax.Array:
        """[*batch] -1: the action before the first."""
        return jnp.full(batch, -1, jnp.int32)


def actions_of(env: Environment, config: Any) -> ContinuousActions | DiscreteActions:
    """The kind of actions that a task takes; `config` has the field `noise`."""
    return ContinuousActions(env.num_actions, config.noise) if env.continuous else DiscreteActions(env.num_actions)
