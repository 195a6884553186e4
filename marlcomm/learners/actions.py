"""What an agent's numbers mean: how they become actions, with and without exploration, and how critics see them.

All kinds take the agents' outputs [..., N, A] and the mask [..., N, A] of `Observation.action_mask`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import distrax
import jax
import jax.numpy as jnp

from marlcomm.types import Scalar, TaskSpec

NOT_ALLOWED = -1e9  # a logit that is never chosen; finite, so that agents to whom nothing is allowed stay finite too


class Actions(Protocol):
    """How a learner chooses actions."""

    def scores(self, outputs: jax.Array, mask: jax.Array) -> jax.Array:
        """[..., N, A] what speaks for each action."""
        ...

    def explore(self, outputs: jax.Array, mask: jax.Array, exploration: Scalar, keys: Sequence[jax.Array]) -> jax.Array:
        """The actions, [..., N] int32 or [..., N, A] float32; `exploration` 0 gives the agents' best, two `keys`."""
        ...

    def none(self, *batch: int) -> jax.Array:
        """The action before the first; `batch` ends with N."""
        ...


@dataclass(frozen=True)
class ContinuousActions:
    """Each of A numbers is the tanh of an output, in -1 .. 1; numbers that do not count are 0.

    Attributes:
      num_actions: A.
      noise: standard deviation of the Gaussian noise that explores, where exploration is 1.
    """

    num_actions: int
    noise: float = 1.0

    def scores(self, outputs: jax.Array, mask: jax.Array) -> jax.Array:
        """[..., N, A] the outputs themselves, 0 where they do not count."""
        return jnp.where(mask, outputs, 0.0)

    def explore(self, outputs: jax.Array, mask: jax.Array, exploration: Scalar, keys: Sequence[jax.Array]) -> jax.Array:
        """[..., N, A] uniformly random for a share `exploration` of the agents, for the others with Gaussian noise."""
        share_key, uniform_key, noise_key = jax.random.split(keys[0], 3)
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
class _Choices:
    """One of A choices.

    Attributes:
      num_actions: A.
    """

    num_actions: int

    def none(self, *batch: int) -> jax.Array:
        """[*batch] -1: the action before the first."""
        return jnp.full(batch, -1, jnp.int32)


class GreedyActions(_Choices):
    """The choice of the highest value."""

    def scores(self, outputs: jax.Array, mask: jax.Array) -> jax.Array:
        """[..., N, A] values, of what is not allowed too."""
        return outputs

    def explore(self, outputs: jax.Array, mask: jax.Array, exploration: Scalar, keys: Sequence[jax.Array]) -> jax.Array:
        """[..., N] int32: uniformly random for a share `exploration` of the agents, for the others the best allowed."""
        chance = jax.random.uniform(keys[0], (*outputs.shape[:-1], outputs.shape[-1] + 1))
        greedy = jnp.argmax(jnp.where(mask, outputs, -jnp.inf), -1)
        random = jnp.argmax(jnp.where(mask, chance[..., :-1], -1.0), -1)
        return jnp.where(chance[..., -1] < exploration, random, greedy).astype(jnp.int32)


class DrawnActions(_Choices):
    """A choice drawn from the policy."""

    def scores(self, outputs: jax.Array, mask: jax.Array) -> jax.Array:
        """[..., N, A] logits; hardly finite where a choice is not allowed."""
        return jnp.where(mask, outputs, jnp.finfo(outputs.dtype).min)

    def explore(self, outputs: jax.Array, mask: jax.Array, exploration: Scalar, keys: Sequence[jax.Array]) -> jax.Array:
        """[..., N] int32: drawn from the policy for a share `exploration` of the agents, for the others the likeliest.

        Training draws every action (1), evaluation none (0).
        """
        draw_key, share_key = keys
        policy = distrax.Categorical(logits=self.scores(outputs, mask))
        drawn = jax.random.uniform(share_key, outputs.shape[:-1]) < exploration
        return jnp.where(drawn, policy.sample(seed=draw_key), policy.mode()).astype(jnp.int32)


class DiscreteActions(_Choices):
    """A choice drawn by Gumbel noise on logits; its gradient is that of a softmax (Jang et al. 2017)."""

    def scores(self, outputs: jax.Array, mask: jax.Array) -> jax.Array:
        """[..., N, A] logits; hardly finite where a choice is not allowed."""
        return jnp.where(mask, outputs, NOT_ALLOWED)

    def explore(self, outputs: jax.Array, mask: jax.Array, exploration: Scalar, keys: Sequence[jax.Array]) -> jax.Array:
        """[..., N] int32: random for a share `exploration` of the agents, for the others drawn from the policy.

        Random is uniform over what is allowed. Nothing is drawn where `exploration` is 0: each does what is likeliest.
        """
        share_key, uniform_key, noise_key = jax.random.split(keys[0], 3)
        noise = jax.random.gumbel(noise_key, outputs.shape)
        drawn = jnp.argmax(self.scores(outputs, mask) + jnp.where(exploration > 0, noise, 0.0), -1)
        uniform = jnp.argmax(jnp.where(mask, jax.random.uniform(uniform_key, outputs.shape), -1.0), -1)
        random = jax.random.uniform(share_key, outputs.shape[:-1]) < exploration
        return jnp.where(random, uniform, drawn).astype(jnp.int32)

    def policy(self, outputs: jax.Array, mask: jax.Array, temperature: Scalar, key: jax.Array) -> jax.Array:
        """[..., N, A] one-hot and drawn; the gradient passes straight through to the softmax at `temperature`."""
        noisy = self.scores(outputs, mask) + jax.random.gumbel(key, outputs.shape, outputs.dtype)
        soft = jax.nn.softmax(noisy / temperature)
        return self.seen(jnp.argmax(noisy, -1)) + (soft - jax.lax.stop_gradient(soft))

    def seen(self, action: jax.Array) -> jax.Array:
        """[..., N] -> [..., N, A] one-hot."""
        return jax.nn.one_hot(action, self.num_actions, dtype=jnp.float32)


def actor_actions(task: TaskSpec, noise: float) -> ContinuousActions | DiscreteActions:
    """The kind of actions of an actor-critic on a task; `noise`: see `ContinuousActions`."""
    return ContinuousActions(task.num_actions, noise) if task.continuous else DiscreteActions(task.num_actions)
