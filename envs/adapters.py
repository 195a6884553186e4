"""Tasks of other libraries as ours: jumanji's cooperative ones, and those of JaxMARL (an optional extra)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from marlcomm.envs.api import Environment
from marlcomm.envs.options import check_count
from marlcomm.envs.steps import Observation, StepType, TimeStep, restart, timestep

if TYPE_CHECKING:
    from jumanji.env import Environment as JumanjiEnvironment


class JumanjiAdapter(Environment[Any]):
    """A cooperative environment of jumanji, with one discrete action an agent.

    - Views are the field `agents_view` of the observation, flattened to one row an agent. Where there is none
      (Connector, Cleaner: one grid for all) pass `view`.
    - The global state is the field `global_state` if there is one, else all views in a row.
    - A scalar reward goes to every agent. With `share_reward`, every agent gets the sum over agents.
    - The episode is terminal when no agent's discount is above zero at its last step. **A time limit is a
      truncation**: many environments (RobotWarehouse, Cleaner) end with discount 0 at the limit too, so any last
      step at the limit counts as cut, with discount 1. Where the environment itself tells the two apart
      (LevelBasedForaging, Connector) pass `marks_timeouts=True`, so that a success at the very last step is
      terminal.
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
          ValueError: `env` has no per-agent discrete actions, no action mask, no views, or no known horizon.
        """
        self.env = env
        self._view = view
        self._won = won
        self.share_reward = share_reward
        self.marks_timeouts = marks_timeouts
        name = type(env).__name__
        self.num_agents, self.num_actions = _jumanji_actions(env)
        limit = getattr(env, "time_limit", None) if horizon is None else horizon
        if limit is None:
            raise ValueError(f"JumanjiAdapter: {name} has no time_limit; pass horizon=, the most steps it can last.")
        self.horizon = check_count("JumanjiAdapter", "horizon", int(limit))
        self.action_names = action_names
        _, first = jax.eval_shape(env.reset, jax.random.key(0))
        _check_jumanji_observation(name, first.observation, view)
        views = jax.eval_shape(self._views, first.observation)
        self.observation_size = views.shape[1]
        self.state_size = jax.eval_shape(self._global_state, first.observation).shape[0]
        super().__init__()

    @property
    def unwrapped(self) -> Any:
        """The jumanji environment."""
        return self.env

    def reset(self, key: chex.PRNGKey) -> tuple[Any, TimeStep[Observation]]:
        """As that of the environment; the state is its own."""
        state, step = self.env.reset(key)
        return state, restart(self._convert(step.observation), self._extras(step))

    def step(self, state: Any, action: jax.Array) -> tuple[Any, TimeStep[Observation]]:
        """As that of the environment, with `action` [N] int32."""
        state, step = self.env.step(state, action)
        observation = self._convert(step.observation)
        reward = jnp.asarray(step.reward, jnp.float32)
        if self.share_reward and reward.ndim:
            reward = jnp.sum(reward)
        last = step.step_type == StepType.LAST
        terminal = last & ~jnp.any(jnp.asarray(step.discount) > 0)
        if not self.marks_timeouts:
            terminal &= observation.step_count < self.horizon
        cut = last | (observation.step_count >= self.horizon)
        return state, timestep(observation, reward, terminal, truncated=cut, extras=self._extras(step))

    def _views(self, observation: Any) -> jax.Array:
        views = self._view(observation) if self._view else observation.agents_view
        return jnp.asarray(views, jnp.float32).reshape(self.num_agents, -1)

    def _global_state(self, observation: Any) -> jax.Array:
        state = getattr(observation, "global_state", None)
        return (self._views(observation) if state is None else jnp.asarray(state, jnp.float32)).reshape(-1)

    def _convert(self, observation: Any) -> Observation:
        return self.observe(
            self._views(observation),
            self._global_state(observation),
            observation.step_count,
            action_mask=observation.action_mask,
        )

    def _extras(self, step: Any) -> dict[str, jax.Array]:
        extras = dict(step.extras or {})
        if self._won is not None:
            extras["won"] = jnp.asarray(self._won(step), bool)
        return extras

    def draw(self, axes: Any, state: Any) -> None:
        """Draws with the environment's own viewer, if that can draw on given axes."""
        viewer: Any = getattr(self.env, "_viewer", None)
        if not (hasattr(viewer, "_prepare_figure") and hasattr(viewer, "_draw_state")):
            super().draw(axes, state)
            return
        # jumanji's public `render` opens a pyplot window; these two draw where they are told to.
        viewer._prepare_figure(axes)
        viewer._draw_state(axes, state)


class JaxMARLState(NamedTuple):
    """JaxMARL's own state, and what its functional interface leaves to the caller."""

    inner: Any
    key: chex.PRNGKey
    alive: jax.Array  # [N] bool
    step_count: jax.Array  # [] int32


class JaxMARLAdapter(Environment[JaxMARLState]):
    """A cooperative environment of JaxMARL with discrete actions. Needs `pip install "marlcomm[jaxmarl]"`.

    - Views are flattened, and padded with zeros to the longest; actions that an agent lacks are masked.
    - Masks come from `get_avail_actions` where the environment has it. An agent without any allowed action (a
      dead one) gets action 0.
    - The global state is the entry `world_state` of the observations if there is one, else all views in a
      row.
    - Rewards are each agent's own. An agent whose `done` is true before the episode's end is dead.
    - Its `step` resets by itself, so `step_env` is used here. A last step at the horizon counts as cut by
      time (discount 1), since JaxMARL does not tell the two apart; any other is terminal.
    """

    def __init__(self, env: Any, *, horizon: int | None = None, **options: Any) -> None:
        """Wraps `env`.

        Args:
          env: a JaxMARL environment, or the name of one for `jaxmarl.make`.
          horizon: most steps an episode can last; by default `env.max_steps`.
          **options: passed to `jaxmarl.make`; only with a name.

        Raises:
          ImportError: `env` is a name and JaxMARL is not installed.
          ValueError: actions are not discrete, or the horizon is not known.
        """
        if isinstance(env, str):
            env = _import_jaxmarl().make(env, **options)
        elif options:
            raise ValueError(f"JaxMARLAdapter: options {sorted(options)} go with a name, but env is an object.")
        self.env = env
        self.names: tuple[str, ...] = tuple(env.agents)
        self.num_agents = len(self.names)
        self._action_sizes = tuple(_jaxmarl_actions(env, name) for name in self.names)
        self.num_actions = max(self._action_sizes)
        limit = getattr(env, "max_steps", None) if horizon is None else horizon
        if limit is None:
            raise ValueError(
                f"JaxMARLAdapter: {type(env).__name__} has no max_steps; pass horizon=, the most steps it can last."
            )
        self.horizon = check_count("JaxMARLAdapter", "horizon", int(limit))
        seen, inner = jax.eval_shape(env.reset, jax.random.key(0))
        self.observation_size = max(seen[name].size for name in self.names)
        self.state_size = jax.eval_shape(self._global_state, seen).shape[0]
        self._has_masks = _has_avail_actions(env, inner)
        super().__init__()

    @property
    def unwrapped(self) -> Any:
        """The JaxMARL environment."""
        return self.env

    def reset(self, key: chex.PRNGKey) -> tuple[JaxMARLState, TimeStep[Observation]]:
        """As that of the environment. The key of later steps comes from `key` too."""
        reset_key, step_key = jax.random.split(key)
        seen, inner = self.env.reset(reset_key)
        alive = jnp.ones((self.num_agents,), bool)
        state = JaxMARLState(inner, step_key, alive, jnp.zeros((), jnp.int32))
        return state, restart(self._look(state, seen))

    def step(self, state: JaxMARLState, action: jax.Array) -> tuple[JaxMARLState, TimeStep[Observation]]:
        """As `step_env` of the environment, with `action` [N] int32."""
        key, step_key = jax.random.split(state.key)
        actions = {name: action[i] for i, name in enumerate(self.names)}
        seen, inner, rewards, dones, _ = self.env.step_env(step_key, state.inner, actions)
        done = jnp.asarray(dones["__all__"], bool)
        # At the end JaxMARL calls everyone done; who lived until then is still worth bootstrapping from.
        alive = jnp.where(done, state.alive, ~jnp.stack([jnp.asarray(dones[name], bool) for name in self.names]))
        state = JaxMARLState(inner, key, alive, state.step_count + 1)
        at_limit = state.step_count >= self.horizon
        reward = jnp.stack([jnp.asarray(rewards[name], jnp.float32).reshape(()) for name in self.names])
        return state, timestep(self._look(state, seen), reward, terminal=done & ~at_limit, truncated=at_limit)

    def _views(self, seen: dict[str, jax.Array]) -> jax.Array:
        rows = [jnp.asarray(seen[name], jnp.float32).reshape(-1) for name in self.names]
        size = max(row.size for row in rows)
        return jnp.stack([jnp.pad(row, (0, size - row.size)) for row in rows])

    def _global_state(self, seen: dict[str, jax.Array]) -> jax.Array:
        whole = seen["world_state"] if "world_state" in seen else self._views(seen)
        return jnp.asarray(whole, jnp.float32).reshape(-1)

    def _look(self, state: JaxMARLState, seen: dict[str, jax.Array]) -> Observation:
        index = jnp.arange(self.num_actions)
        mask = index < jnp.array(self._action_sizes)[:, None]  # [N, A]
        if self._has_masks:
            allowed = self.env.get_avail_actions(state.inner)
            rows = [jnp.asarray(allowed[name], bool).reshape(-1) for name in self.names]
            mask &= jnp.stack([jnp.pad(row, (0, self.num_actions - row.size)) for row in rows])
        mask |= ~jnp.any(mask, axis=1, keepdims=True) & (index == 0)
        return self.observe(self._views(seen), self._global_state(seen), state.step_count, mask, state.alive)


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


def _jaxmarl_actions(env: Any, name: str) -> int:
    space = env.action_space(name)
    if not hasattr(space, "n"):
        raise ValueError(
            f"JaxMARLAdapter: {name} of {type(env).__name__} has the action space {space}; it must be discrete."
        )
    return int(space.n)


def _has_avail_actions(env: Any, inner: Any) -> bool:
    """Whether the environment says what is allowed; the base class declares it without an answer."""
    try:
        return jax.eval_shape(env.get_avail_actions, inner) is not None
    except (AttributeError, NotImplementedError):
        return False


def _import_jaxmarl() -> Any:
    try:
        import jaxmarl  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError('JaxMARL is not installed: pip install "marlcomm[jaxmarl]"') from error
    return jaxmarl
