"""Wrappers of tasks: full observation, centralized control, and time limits."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import chex
import jax
import jax.numpy as jnp

from marlcomm.envs.api import Environment, State
from marlcomm.envs.options import check_count
from marlcomm.envs.steps import Observation, StepType, TimeStep
from marlcomm.validation import UsageError

MAX_JOINT_ACTIONS = 10_000


class Wrapper(Environment[State]):
    """Passes everything on to `env`. Subclasses change what they need; the state stays that of `env`."""

    def __init__(self, env: Environment[State]) -> None:
        """Takes over the sizes of `env`, unless a subclass has already set its own.

        Not its `view_dtype` and `state_dtype`: a wrapper may change what is seen, and says so itself.

        Raises UsageError where a driver plays `env`.
        """
        if env.driver is not None and type(self).driver is None:  # it would not be asked, nor would it convert
            raise UsageError(f"env={env!r} is played by its driver: {type(self).__name__} wraps tasks in JAX only.")
        self.env = env
        for size in ("num_agents", "num_actions", "observation_size", "state_size", "horizon", "continuous"):
            if size not in self.__dict__:
                setattr(self, size, getattr(env, size))
        if "action_names" not in self.__dict__:
            self.action_names = env.action_names
        if "graph" not in self.__dict__ and self.num_agents == env.num_agents:
            self.graph = env.graph
        super().__init__()

    @property
    def training_settings(self) -> Mapping[str, Mapping[str, Any]]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Those of the task inside."""
        return self.env.training_settings

    @property
    def unwrapped(self) -> Any:
        """The task inside all wrappers."""
        return self.env.unwrapped

    def reset(self, key: chex.PRNGKey) -> tuple[State, TimeStep[Observation]]:
        """As that of `env`, changed by `convert`."""
        state, step = self.env.reset(key)
        return state, self.convert(step)

    def reset_at(self, key: chex.PRNGKey, progress: jax.Array | float) -> tuple[State, TimeStep[Observation]]:
        """As that of `env`, changed by `convert`."""
        state, step = self.env.reset_at(key, progress)
        return state, self.convert(step)

    def step(self, state: State, action: jax.Array) -> tuple[State, TimeStep[Observation]]:
        """As that of `env`, changed by `convert`."""
        state, step = self.env.step(state, action)
        return state, self.convert(step)

    def convert(self, step: TimeStep[Observation]) -> TimeStep[Observation]:
        """What becomes of each time step of `env`; by default it stays as it is."""
        return step

    def draw(self, axes: Any, state: State) -> None:
        """Draws as `env` does."""
        self.env.draw(axes, state)


class FullObservation(Wrapper[State]):
    """Every agent sees the views of all agents, as the fully informed policy of the papers.

    O becomes N * O: all views in the order of the agents, the same for everyone. Nothing else changes. Agents
    with different roles still need to know who they are (an id among their inputs).
    """

    def __init__(self, env: Environment[State]) -> None:
        self.observation_size = env.num_agents * env.observation_size
        self.view_dtype, self.state_dtype = _side_by_side(env), env.state_dtype
        super().__init__(env)

    def convert(self, step: TimeStep[Observation]) -> TimeStep[Observation]:
        """Replaces `agents_view` [N, O] by [N, N * O]."""
        view = step.observation.agents_view.reshape(-1)
        view = jnp.broadcast_to(view, (self.num_agents, self.observation_size))
        return dataclasses.replace(step, observation=step.observation._replace(agents_view=view))


class Centralized(Wrapper[State]):
    """Centralized control: one agent that sees all views and chooses the joint action.

    Joint actions count in base A, the first agent's action is the highest digit: A becomes A ** N. The reward
    [1] is the mean over agents, so the team's reward stays the same. A joint action is allowed if each of its
    parts is (for one not alive, whatever its mask allows, or action 0 if that is nothing). The one agent lives
    while any does.

    Raises:
      ValueError: there would be more than 10,000 joint actions, or actions are continuous.
    """

    def __init__(self, env: Environment[State]) -> None:
        if env.continuous:
            raise ValueError("Centralized: env has continuous=True; joint actions need discrete ones.")
        joint = env.num_actions**env.num_agents
        if joint > MAX_JOINT_ACTIONS:
            raise ValueError(
                f"Centralized: {env.num_agents} agents with {env.num_actions} actions each have {joint} "
                f"joint actions; "
                f"at most {MAX_JOINT_ACTIONS} are possible. Use FullObservation, or fewer agents."
            )
        self.num_agents = 1
        self.num_actions = joint
        self.view_dtype, self.state_dtype = _side_by_side(env), env.state_dtype
        self.observation_size = env.num_agents * env.observation_size
        if env.action_names:
            pairs = itertools.product(env.action_names[: env.num_actions], repeat=env.num_agents)
            self.action_names = tuple(" + ".join(pair) for pair in pairs)
        super().__init__(env)

    def step(self, state: State, action: jax.Array) -> tuple[State, TimeStep[Observation]]:
        """`action` is [1] int32, a joint action."""
        return super().step(state, self.split_action(action))

    def split_action(self, action: jax.Array) -> jax.Array:
        """The [N] int32 actions of `env` that the joint `action` [1] stands for."""
        parts = jnp.unravel_index(action[0], (self.env.num_actions,) * self.env.num_agents)
        return jnp.stack(parts).astype(jnp.int32)

    def convert(self, step: TimeStep[Observation]) -> TimeStep[Observation]:
        """Joins views, action masks, `alive` and rewards."""
        old = step.observation
        nothing = ~old.alive & ~jnp.any(old.action_mask, axis=1)  # [N]
        masks = old.action_mask | (nothing[:, None] & (jnp.arange(self.env.num_actions) == 0))
        joint = masks[0]
        for mask in masks[1:]:
            joint = (joint[:, None] & mask).reshape(-1)
        observation = old._replace(
            agents_view=old.agents_view.reshape(1, -1),
            action_mask=joint[None],
            alive=jnp.any(old.alive, keepdims=True),
        )
        reward = jnp.mean(step.reward, keepdims=True)
        return dataclasses.replace(step, observation=observation, reward=reward)


class TimeLimit(Wrapper[State]):
    """Truncates episodes after `steps` steps: the discount stays 1, as the task itself has not ended.

    An episode that `env` ends by itself, at that step or before, ends as it would in `env`.

    Raises:
      ValueError: `steps` is not a whole number, at least 1.
    """

    def __init__(self, env: Environment[State], steps: int) -> None:
        self.steps = check_count("TimeLimit", "steps", steps)
        self.horizon = min(self.steps, env.horizon)
        self.view_dtype, self.state_dtype = env.view_dtype, env.state_dtype
        super().__init__(env)

    def convert(self, step: TimeStep[Observation]) -> TimeStep[Observation]:
        """Makes the step at the limit the last."""
        cut = step.observation.step_count >= self.steps
        step_type: Any = jnp.where(cut, StepType.LAST, step.step_type)
        return dataclasses.replace(step, step_type=step_type)


def _side_by_side(env: Environment[Any]) -> Any:
    """The `view_dtype` of all views of `env` in a row."""
    of_one = env.view_dtype
    return [*of_one] * env.num_agents if isinstance(of_one, list | tuple) else of_one
