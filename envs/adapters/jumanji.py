"""Jumanji's cooperative environments as tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from marlcomm.envs.adapters.foreign import like, unless
from marlcomm.envs.api import Environment
from marlcomm.envs.options import check_count
from marlcomm.envs.steps import Observation, StepType, TimeStep, restart, timestep
from marlcomm.validation import to_python

if TYPE_CHECKING:
    from jumanji.env import Environment as JumanjiEnvironment


class JumanjiState(NamedTuple):
    """Jumanji's own state, and whether the episode is over."""

    inner: Any
    over: jax.Array  # [] bool


class JumanjiAdapter(Environment[JumanjiState]):
    """A cooperative environment of jumanji, with one discrete action an agent.

    - Views are the field `agents_view` of the observation, its first axis the agents, flattened to one row an agent.
      Where there is none (Connector, Cleaner: one grid for all) pass `view`.
    - The global state is the field `global_state` if there is one, else all views in a row.
    - A scalar reward goes to every agent. With `share_reward`, every agent gets the sum over agents.
    - The episode is terminal when no agent's discount is above zero at its last step. **A time limit is a
      truncation**: many environments (RobotWarehouse, Cleaner) end with discount 0 at the limit too, so any last
      step at the limit counts as cut, with discount 1. Where the environment itself tells the two apart
      (LevelBasedForaging, Connector) pass `marks_timeouts=True`, so that a success at the very last step is
      terminal.
    - What the environment gives after its own end is not passed on: zeros, and every action allowed.
    - Everyone is always alive. `extras` are passed on, and `won` joins them if given.
    """

    def __init__(
        self,
        env: JumanjiEnvironment,
        *,
        horizon: int | None = None,
        view: Callable[[Any], jax.Array] | None = None,
        won: Callable[[TimeStep[Any]], jax.Array] | None = None,
        share_reward: bool = False,
        marks_timeouts: bool = False,
        action_names: tuple[str, ...] = (),
    ) -> None:
        """Wraps `env`.

        Args:
          env: the jumanji environment, made but not wrapped in auto-reset or vmap.
          horizon: most steps an episode can last; by default `env.time_limit`.
          view: makes [N, ...] views of an observation of `env`.
          won: says of a time step of `env` whether the team has won, [] bool.
          share_reward: every agent gets the sum of rewards instead of its own.
          marks_timeouts: `env` itself gives discount 1 when time is up and 0 when the task ended.
          action_names: one short word an action.

        Raises:
          ValueError: `env` has no per-agent discrete actions, no action mask, no views with one row an agent, or no
            known horizon.
        """
        self.env = env
        self._view = view
        self._won = won
        self.share_reward = share_reward
        self.marks_timeouts = marks_timeouts
        name = type(env).__name__
        self.num_agents, self.num_actions = _jumanji_actions(env)
        limit = to_python(getattr(env, "time_limit", None)) if horizon is None else horizon
        if limit is None:
            raise ValueError(f"JumanjiAdapter: {name} has no time_limit; pass horizon=, the most steps it can last.")
        self.horizon = check_count("JumanjiAdapter", "horizon", limit)
        self.action_names = action_names
        self._inner, first = jax.eval_shape(env.reset, jax.random.key(0))
        _check_jumanji_observation(name, first.observation, view)
        views = jax.eval_shape(view or (lambda seen: seen.agents_view), first.observation)
        if not views.shape or views.shape[0] != self.num_agents:
            raise ValueError(
                f"JumanjiAdapter: views of {name} have the shape {list(views.shape)}; the first axis must be the "
                f"{self.num_agents} agents. Pass view=, a function from an observation to [{self.num_agents}, ...]."
            )
        masks = first.observation.action_mask.shape
        if masks != (self.num_agents, self.num_actions):
            raise ValueError(
                f"JumanjiAdapter: action_mask of {name} has the shape {list(masks)}; "
                f"it must be [{self.num_agents}, {self.num_actions}], one row an agent."
            )
        self.observation_size = jax.eval_shape(self._views, first.observation).shape[1]
        self.state_size = jax.eval_shape(self._global_state, first.observation).shape[0]
        super().__init__()

    @property
    def unwrapped(self) -> Any:
        """The jumanji environment."""
        return self.env

    def reset(self, key: chex.PRNGKey) -> tuple[JumanjiState, TimeStep[Observation]]:
        """As that of the environment."""
        inner, step = self.env.reset(key)
        state = JumanjiState(like(inner, self._inner), jnp.zeros((), bool))
        return state, restart(self._convert(step.observation, state.over), self._extras(step))

    def step(self, state: JumanjiState, action: jax.Array) -> tuple[JumanjiState, TimeStep[Observation]]:
        """As that of the environment, with `action` [N] int32."""
        inner, step = self.env.step(state.inner, action)
        observation = self._convert(step.observation, state.over)
        reward = jnp.asarray(step.reward, jnp.float32)
        if self.share_reward and reward.ndim:
            reward = jnp.sum(reward)
        reward, extras = unless(state.over, (reward, self._extras(step)))
        last = step.step_type == StepType.LAST
        terminal = last & ~jnp.any(jnp.asarray(step.discount) > 0)
        if not self.marks_timeouts:
            terminal &= observation.step_count < self.horizon
        over = state.over | last | (observation.step_count >= self.horizon)
        state = JumanjiState(like(inner, self._inner), over)
        return state, timestep(observation, reward, terminal, truncated=over, extras=extras)

    def _views(self, observation: Any) -> jax.Array:
        views = self._view(observation) if self._view else observation.agents_view
        return jnp.asarray(views, jnp.float32).reshape(self.num_agents, -1)

    def _global_state(self, observation: Any) -> jax.Array:
        state = getattr(observation, "global_state", None)
        return (self._views(observation) if state is None else jnp.asarray(state, jnp.float32)).reshape(-1)

    def _convert(self, observation: Any, over: jax.Array) -> Observation:
        views, state = unless(over, (self._views(observation), self._global_state(observation)))
        return self.observe(views, state, observation.step_count, action_mask=observation.action_mask | over)

    def _extras(self, step: Any) -> dict[str, jax.Array]:
        extras = dict(step.extras or {})
        if self._won is not None:
            extras["won"] = jnp.asarray(self._won(step), bool)
        return extras

    def draw(self, axes: Any, state: JumanjiState) -> None:
        """Draws with the environment's own viewer, if that can draw on given axes."""
        viewer: Any = getattr(self.env, "_viewer", None)
        if not (hasattr(viewer, "_prepare_figure") and hasattr(viewer, "_draw_state")):
            super().draw(axes, state)
            return
        # jumanji's public `render` opens a pyplot window; these two draw where they are told to.
        viewer._prepare_figure(axes)
        viewer._draw_state(axes, state.inner)


def _jumanji_actions(env: JumanjiEnvironment) -> tuple[int, int]:
    """N and A, from the action spec."""
    from jumanji import specs  # loaded already: `env` comes from there

    spec = env.action_spec
    if not isinstance(spec, specs.MultiDiscreteArray) or spec.num_values.ndim != 1:
        raise ValueError(
            f"JumanjiAdapter: {type(env).__name__} has actions {spec}; "
            "it must have one discrete action an agent "
            "(a MultiDiscreteArray of one axis)."
        )
    sizes = {int(size) for size in spec.num_values}
    if len(sizes) != 1:
        raise ValueError(
            f"JumanjiAdapter: {type(env).__name__} gives agents {sorted(sizes)} actions; all must have as many."
        )
    return spec.num_values.shape[0], sizes.pop()


def _check_jumanji_observation(name: str, observation: Any, view: Any) -> None:
    for field in ("action_mask", "step_count"):
        if not hasattr(observation, field):
            raise ValueError(f"JumanjiAdapter: observations of {name} must have the field {field}.")
    if view is None and not hasattr(observation, "agents_view"):
        raise ValueError(
            f"JumanjiAdapter: observations of {name} hold {', '.join(observation._fields)}, "
            "and no agents_view; "
            "pass view=, a function from an observation to [N, ...]."
        )
