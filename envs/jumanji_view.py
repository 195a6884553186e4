"""Our tasks in jumanji's own types. Importing this imports jumanji, which touches a device."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from marlcomm.envs.quiet_imports import without_notebook_magic
from marlcomm.envs.steps import Observation, TimeStep
from marlcomm.types import TaskSpec

with without_notebook_magic():
    from jumanji import specs
    from jumanji.env import Environment as JumanjiEnvironment
    from jumanji.types import TimeStep as JumanjiTimeStep


class JumanjiViewState(NamedTuple):
    """The task's own state, and the key that jumanji's wrappers ask of every state."""

    key: chex.PRNGKey
    task: Any


class JumanjiView(JumanjiEnvironment):
    """A task as an environment of jumanji: an instance of its class, with its time steps, for its wrappers.

    Episodes are those of the task. Rewards stay [N].
    """

    def __init__(self, task: Any) -> None:
        """Shows `task`, an `Environment`, which stays as it is."""
        self.task = task
        super().__init__()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.task!r})"

    def reset(self, key: chex.PRNGKey) -> tuple[JumanjiViewState, JumanjiTimeStep[Observation]]:
        """Starts an episode of the task."""
        reset_key, kept = jax.random.split(key)
        state, step = self.task.reset(reset_key)
        return JumanjiViewState(kept, state), _as_jumanji(step)

    def step(self, state: JumanjiViewState, action: Any) -> tuple[JumanjiViewState, JumanjiTimeStep[Observation]]:
        """As that of the task."""
        inner, step = self.task.step(state.task, action)
        return JumanjiViewState(state.key, inner), _as_jumanji(step)

    def render(self, state: JumanjiViewState) -> Any:
        """A matplotlib figure of `state`."""
        from marlcomm.envs.render.figure import Figure

        figure = Figure(figsize=(5.6, 4.8), layout="constrained")
        self.task.draw(figure.subplots(), state.task)
        return figure

    @cached_property
    def observation_spec(self) -> specs.Spec[Observation]:
        """As the task's."""
        return self.task.observation_spec

    @cached_property
    def action_spec(self) -> specs.MultiDiscreteArray | specs.BoundedArray:
        """As the task's."""
        return self.task.action_spec

    @cached_property
    def reward_spec(self) -> specs.Array:
        """As the task's."""
        return self.task.reward_spec

    @cached_property
    def discount_spec(self) -> specs.BoundedArray:
        """As the task's."""
        return self.task.discount_spec


def observation_spec(task: TaskSpec) -> specs.Spec[Observation]:
    """The shapes, types and ranges of an `Observation`."""
    n, a = task.num_agents, task.num_actions
    return specs.Spec(
        Observation,
        "ObservationSpec",
        agents_view=specs.Array((n, task.observation_size), jnp.float32, "agents_view"),
        action_mask=specs.BoundedArray((n, a), bool, False, True, "action_mask"),
        global_state=specs.Array((task.state_size,), jnp.float32, "global_state"),
        alive=specs.BoundedArray((n,), bool, False, True, "alive"),
        step_count=specs.BoundedArray((), jnp.int32, 0, task.horizon, "step_count"),
    )


def action_spec(task: TaskSpec) -> specs.MultiDiscreteArray | specs.BoundedArray:
    """[N] int32, each below A; if continuous, [N, A] float32, each in -1 .. 1."""
    if task.continuous:
        return specs.BoundedArray(task.action_shape, task.action_dtype, -1.0, 1.0, "action")
    choices = jnp.full(task.action_shape, task.num_actions, task.action_dtype)
    return specs.MultiDiscreteArray(num_values=choices, name="action")


def reward_spec(task: TaskSpec) -> specs.Array:
    """[N] float32."""
    return specs.Array((task.num_agents,), jnp.float32, "reward")


def discount_spec() -> specs.BoundedArray:
    """[] float32, 0 or 1."""
    return specs.BoundedArray((), jnp.float32, 0.0, 1.0, "discount")


def _as_jumanji(step: TimeStep[Observation]) -> JumanjiTimeStep[Observation]:
    return JumanjiTimeStep(**{field: getattr(step, field) for field in step.__dataclass_fields__})
