"""What every task looks like: jumanji's `Environment`, with a fixed multi-agent observation.

Axis letters as in `marlcomm.types`: N agents, A actions, O observation features, S state features.
"""

from __future__ import annotations

import abc
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

import chex
import jax
import jax.numpy as jnp
from jumanji import specs
from jumanji.env import Environment as JumanjiEnvironment
from jumanji.types import StepType, TimeStep

State = TypeVar("State")


class Observation(NamedTuple):
    """What the team observes at one step; leading axes may stand before each of these."""

    agents_view: jax.Array  # [N, O] float32: what each agent sees
    action_mask: jax.Array  # [N, A] bool: which actions each agent may take
    global_state: jax.Array  # [S] float32: what the mixer or critic sees in training
    alive: jax.Array  # [N] bool: dead agents neither act, send nor receive
    step_count: jax.Array  # [] int32: steps taken since reset


class Environment(JumanjiEnvironment, abc.ABC, Generic[State]):
    """Base class of every task: cooperative, discrete or continuous actions, a finite horizon.

    A task names its sizes as attributes *before* calling `super().__init__()`, and writes `reset` and `step`
    with the help of `self.observe(...)` and `timestep(...)`; the specs follow from the sizes.

    Attributes:
      num_agents: N, number of agents.
      num_actions: A, number of actions of each agent; if continuous, of the numbers that make up its action.
      observation_size: O, features in each agent's view.
      state_size: S, features in the global state.
      horizon: T, the most steps an episode can last, at least 1.
      continuous: an action is A numbers, each in -1 .. 1, in place of one of A choices; `action_mask` then says
        which of the numbers count.
      action_names: one short word an action, for pictures; may be empty.
      default_steps: environment steps that training takes where nobody says otherwise.
      made_by: name and options in the registry, where `make_env` made it; None for an environment made by hand.
    """

    num_agents: int
    num_actions: int
    observation_size: int
    state_size: int
    horizon: int
    continuous: bool = False
    action_names: tuple[str, ...] = ()
    default_steps: int = 1_000_000
    made_by: tuple[str, dict[str, Any]] | None = None

    @abc.abstractmethod
    def reset(self, key: chex.PRNGKey) -> tuple[State, TimeStep[Observation]]:
        """Starts an episode. `key` alone decides it."""

    def reset_at(self, key: chex.PRNGKey, progress: jax.Array | float) -> tuple[State, TimeStep[Observation]]:
        """Starts an episode of training, `progress` of the way through the run ([], 0 .. 1, may be traced).

        A task with a curriculum is easier early on; by default every episode starts as `reset` says.
        """
        del progress
        return self.reset(key)

    @abc.abstractmethod
    def step(  # pyright: ignore[reportIncompatibleMethodOverride]  (chex.Array is wider, and hard to type)
        self, state: State, action: jax.Array
    ) -> tuple[State, TimeStep[Observation]]:
        """Moves on by one step. `action` is [N] int32, each in 0 .. A-1; if continuous, [N, A] float32."""

    def observe(
        self,
        agents_view: jax.Array,
        global_state: jax.Array,
        step_count: jax.Array,
        action_mask: jax.Array | None = None,
        alive: jax.Array | None = None,
    ) -> Observation:
        """An `Observation` with the right types; by default every action is allowed and everyone lives.

        Args:
          agents_view: [N, O]; global_state: [S]; step_count: [];
          action_mask: [N, A] or None; alive: [N] or None.
        """
        return Observation(
            agents_view=jnp.asarray(agents_view, jnp.float32),
            action_mask=_true_unless_given(action_mask, (self.num_agents, self.num_actions)),
            global_state=jnp.asarray(global_state, jnp.float32),
            alive=_true_unless_given(alive, (self.num_agents,)),
            step_count=jnp.asarray(step_count, jnp.int32),
        )

    @cached_property
    def observation_spec(self) -> specs.Spec[Observation]:
        """The shapes, types and ranges of an `Observation`."""
        n, a = self.num_agents, self.num_actions
        return specs.Spec(
            Observation,
            "ObservationSpec",
            agents_view=specs.Array((n, self.observation_size), jnp.float32, "agents_view"),
            action_mask=specs.BoundedArray((n, a), bool, False, True, "action_mask"),
            global_state=specs.Array((self.state_size,), jnp.float32, "global_state"),
            alive=specs.BoundedArray((n,), bool, False, True, "alive"),
            step_count=specs.BoundedArray((), jnp.int32, 0, self.horizon, "step_count"),
        )

    @cached_property
    def action_spec(self) -> specs.MultiDiscreteArray | specs.BoundedArray:
        """[N] int32, each below A; if continuous, [N, A] float32, each in -1 .. 1."""
        n, a = self.num_agents, self.num_actions
        if self.continuous:
            return specs.BoundedArray((n, a), jnp.float32, -1.0, 1.0, "action")
        return specs.MultiDiscreteArray(num_values=jnp.full((n,), a, jnp.int32), name="action")

    @cached_property
    def reward_spec(self) -> specs.Array:
        """[N] float32: each agent's reward; the team's reward is the mean over agents."""
        return specs.Array((self.num_agents,), jnp.float32, "reward")

    @cached_property
    def discount_spec(self) -> specs.BoundedArray:
        """[] float32: 0 where the task itself ended, else 1, also where a time limit cut the episode."""
        return specs.BoundedArray((), jnp.float32, 0.0, 1.0, "discount")

    def draw(self, axes: Any, state: State) -> None:
        """Draws `state` on matplotlib `axes`. A task without a picture may leave this out."""
        axes.text(0.5, 0.5, f"{type(self).__name__} has no drawing", ha="center", va="center")
        axes.set_axis_off()


def restart(observation: Observation, extras: dict[str, jax.Array] | None = None) -> TimeStep[Observation]:
    """The first `TimeStep` of an episode: reward [N] zero, discount 1."""
    reward = jnp.zeros(observation.alive.shape, jnp.float32)
    return TimeStep(
        step_type=StepType.FIRST,
        reward=reward,
        discount=jnp.ones((), jnp.float32),
        observation=observation,
        extras=extras or {},
    )


def timestep(
    observation: Observation,
    reward: jax.Array,
    terminal: jax.Array,
    truncated: jax.Array | bool = False,
    extras: dict[str, jax.Array] | None = None,
) -> TimeStep[Observation]:
    """A later `TimeStep`.

    Args:
      observation: what is seen after the step.
      reward: [N], or [] for a reward that every agent gets.
      terminal: [] bool, the task itself ended: discount becomes 0.
      truncated: [] bool, a limit that is not part of the task cut the episode: discount stays 1.
      extras: further facts of the step, not observed; `won` ([] bool) is counted by evaluation.
    """
    terminal = jnp.asarray(terminal)
    return TimeStep(
        step_type=jnp.where(terminal | truncated, StepType.LAST, StepType.MID),
        reward=jnp.broadcast_to(jnp.asarray(reward, jnp.float32), observation.alive.shape),
        discount=1.0 - terminal.astype(jnp.float32),
        observation=observation,
        extras=extras or {},
    )


def _true_unless_given(value: jax.Array | None, shape: tuple[int, ...]) -> jax.Array:
    return jnp.ones(shape, bool) if value is None else jnp.asarray(value, bool)
