"""Environments of JaxMARL (an optional extra) as tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.adapters import jaxmarl_tasks
from marlcomm.envs.adapters.foreign import like, unless
from marlcomm.envs.api import Environment
from marlcomm.envs.options import check_count
from marlcomm.envs.steps import Observation, TimeStep, restart, timestep
from marlcomm.validation import first_line

LEGAL_MOVES = ("get_avail_actions", "get_legal_moves")  # the second in Hanabi


class JaxMARLState(NamedTuple):
    """JaxMARL's own state, and what its functional interface leaves to the caller."""

    inner: Any
    key: chex.PRNGKey
    alive: jax.Array  # [N] bool
    step_count: jax.Array  # [] int32
    over: jax.Array  # [] bool: whether the episode has ended


class JaxMARLAdapter(Environment[JaxMARLState]):
    """A cooperative environment of JaxMARL. Needs `pip install "marlcomm[jaxmarl]"`.

    `PLAYED` and `REFUSED` in `marlcomm.envs.adapters.jaxmarl_tasks` list all that JaxMARL registers, and what is
    special about each.

    - Views are flattened, and padded with zeros to the longest; actions that an agent lacks are masked.
    - Actions are choices for all agents, or numbers for all. Numbers, here in -1 .. 1, are stretched to the range
      that the environment asks for.
    - Masks come from `get_avail_actions` or `get_legal_moves` where the environment has one. An agent without any
      allowed action (a dead one) gets action 0.
    - The global state is the entry `world_state` of the observations if there is one, else all views in a row.
    - Rewards are each agent's own. An agent whose `done` is true before the episode's end is dead.
    - Its `step` resets by itself, so `step_env` is used here. A last step at the horizon counts as cut by
      time (discount 1), since JaxMARL does not tell the two apart; any other is terminal.
    - What the environment gives after its own end is not passed on: zeros, and all that an agent has is allowed.
    - `won` is told for battles against scripted or learned enemies (all are dead and one of us is not), Hanabi (all
      fireworks complete), the switch riddle (all live) and JaxNav (all are at their goals), or where it is given.
      Battles, particles, Overcooked (not its second version) and JaxNav have a drawing.
    """

    def __init__(
        self,
        env: Any,
        *,
        horizon: int | None = None,
        won: Callable[[Any, dict[str, jax.Array]], jax.Array] | None = None,
        **options: Any,
    ) -> None:
        """Wraps `env`.

        Args:
          env: the name of a JaxMARL environment, for `jaxmarl.make`, or one that was made.
          horizon: most steps an episode can last; by default what the environment says, such as `env.max_steps`.
          won: says of the environment's state after a step, and of its rewards, whether the team has won, [] bool.
          **options: passed to `jaxmarl.make`; only with a name. Maps of SMAX (`scenario`) and layouts of Overcooked
            (`layout`) by name, so that a run can be saved and made again.

        Raises:
          ImportError: JaxMARL, or what one of its environments needs, is not installed.
          ValueError: there is no such environment or option, or it cannot be played (the message says why).
        """
        if isinstance(env, str):
            env = jaxmarl_tasks.make(env, options)
        elif not (hasattr(env, "step_env") and hasattr(env, "agents")):
            example = "'MPE_simple_spread_v3'"
            raise ValueError(
                f"JaxMARLAdapter: env={env!r} must be the name of a JaxMARL environment, such as {example}, or one "
                "that was made."
            )
        elif options:
            raise ValueError(f"JaxMARLAdapter: options {sorted(options)} go with a name, but env is an object.")
        self.env, name = env, type(env).__name__
        self.names: tuple[Any, ...] = tuple(env.agents)
        self.num_agents = len(self.names)
        self._set_actions(name)
        limit = jaxmarl_tasks.horizon_of(env) if horizon is None else horizon
        if limit is None:
            raise ValueError(f"JaxMARLAdapter: {name} says no horizon; pass horizon=, the most steps it can last.")
        self.horizon = check_count("JaxMARLAdapter", "horizon", limit)
        self._won = won or jaxmarl_tasks.win_of(env)
        self.view_dtype, self.state_dtype = jaxmarl_tasks.dtypes_of(env)
        self._trace(name)
        super().__init__()

    def _set_actions(self, name: str) -> None:
        """Sets `continuous`, A and how many of A each agent has, from the action spaces."""
        spaces = [self.env.action_space(agent) for agent in self.names]
        self.continuous = not any(hasattr(space, "n") for space in spaces)
        if self.continuous:
            for agent, space in zip(self.names, spaces, strict=True):
                low, high = getattr(space, "low", np.nan), getattr(space, "high", np.nan)
                if len(getattr(space, "shape", ())) != 1 or not np.isfinite([low, high]).all():
                    raise ValueError(
                        f"JaxMARLAdapter: {agent} of {name} has the action space {space}; "
                        "it must be discrete, or one row of numbers within finite limits."
                    )
            self._low, self._high = ([getattr(space, end) for space in spaces] for end in ("low", "high"))
            self._action_sizes = tuple(space.shape[0] for space in spaces)
        else:
            for agent, space in zip(self.names, spaces, strict=True):
                if not hasattr(space, "n"):
                    raise ValueError(
                        f"JaxMARLAdapter: {agent} of {name} has the action space {space}, and others are discrete; "
                        "all must be discrete, or none."
                    )
            self._action_sizes = tuple(int(space.n) for space in spaces)
        self.num_actions = max(self._action_sizes)

    def _trace(self, name: str) -> None:
        """Sets the sizes and types of what `reset` and `step_env` give, by tracing alone."""
        seen, self._inner = jax.eval_shape(self.env.reset, jax.random.key(0))
        if not isinstance(seen, dict) or any(agent not in seen for agent in self.names):
            raise ValueError(
                f"JaxMARLAdapter: reset of {name} gives views by position, not by agent's name; there is no view of "
                f"{self.names[0]!r}."
            )
        self.observation_size = max(seen[agent].size for agent in self.names)
        self.state_size = jax.eval_shape(self._global_state, seen).shape[0]
        self._legal_moves = next((f for f in LEGAL_MOVES if _answers(self.env, f, self._inner)), None)
        action = jax.ShapeDtypeStruct(self.action_shape, self.action_dtype)
        try:
            jax.eval_shape(self._advance, jax.random.key(0), self._inner, action)
        except Exception as error:
            raise ValueError(f"JaxMARLAdapter: {name} cannot be stepped: {first_line(error)}") from error

    @property
    def unwrapped(self) -> Any:
        """The JaxMARL environment."""
        return self.env

    def reset(self, key: chex.PRNGKey) -> tuple[JaxMARLState, TimeStep[Observation]]:
        """As that of the environment. The key of later steps comes from `key` too."""
        reset_key, step_key = jax.random.split(key)
        seen, inner = self.env.reset(reset_key)
        alive, no = jnp.ones((self.num_agents,), bool), jnp.zeros((), bool)
        state = JaxMARLState(like(inner, self._inner), step_key, alive, jnp.zeros((), jnp.int32), no)
        extras = {"won": no} if self._won else {}
        return state, restart(self._observation(state, seen, over=no), extras)

    def step(self, state: JaxMARLState, action: jax.Array) -> tuple[JaxMARLState, TimeStep[Observation]]:
        """As `step_env` of the environment, with `action` [N] int32, or [N, A] float32 if continuous."""
        key, step_key = jax.random.split(state.key)
        seen, inner, rewards, dones = self._advance(step_key, state.inner, action)
        done = jnp.asarray(dones["__all__"], bool)
        # At the end JaxMARL calls everyone done; who lived until then is still worth bootstrapping from.
        alive = jnp.where(
            done | state.over, state.alive, ~jnp.stack([jnp.asarray(dones[name], bool) for name in self.names])
        )
        step_count = state.step_count + 1
        at_limit = step_count >= self.horizon
        later = JaxMARLState(inner, key, alive, step_count, state.over | done | at_limit)
        reward = jnp.stack([jnp.asarray(rewards[name], jnp.float32).reshape(()) for name in self.names])
        extras = {"won": jnp.asarray(self._won(inner, rewards), bool).reshape(())} if self._won else {}
        reward, extras = unless(state.over, (reward, extras))
        observation = self._observation(later, seen, over=state.over)
        return later, timestep(observation, reward, terminal=done & ~at_limit, truncated=later.over, extras=extras)

    def _advance(self, key: chex.PRNGKey, inner: Any, action: jax.Array) -> tuple[Any, Any, Any, Any]:
        """The environment's views, state, rewards and dones after `action`."""
        actions = {}
        for i, name in enumerate(self.names):
            if self.continuous:
                share = (jnp.clip(action[i, : self._action_sizes[i]], -1.0, 1.0) + 1.0) / 2.0
                actions[name] = self._low[i] + share * (self._high[i] - self._low[i])
            else:
                actions[name] = action[i]
        seen, inner, rewards, dones, _ = self.env.step_env(key, inner, actions)
        return seen, like(inner, self._inner), rewards, dones

    def _views(self, seen: dict[str, jax.Array]) -> jax.Array:
        rows = [jnp.asarray(seen[name], jnp.float32).reshape(-1) for name in self.names]
        size = max(row.size for row in rows)
        return jnp.stack([jnp.pad(row, (0, size - row.size)) for row in rows])

    def _global_state(self, seen: dict[str, jax.Array]) -> jax.Array:
        whole = seen["world_state"] if "world_state" in seen else self._views(seen)
        return jnp.asarray(whole, jnp.float32).reshape(-1)

    def _observation(self, state: JaxMARLState, seen: dict[str, jax.Array], over: jax.Array) -> Observation:
        index = jnp.arange(self.num_actions)
        mask = index < jnp.array(self._action_sizes)[:, None]  # [N, A]
        if self._legal_moves:
            legal = getattr(self.env, self._legal_moves)(state.inner)
            rows = [jnp.asarray(legal[name], bool).reshape(-1) for name in self.names]
            mask &= jnp.stack([jnp.pad(row, (0, self.num_actions - row.size)) for row in rows]) | over
        mask |= ~jnp.any(mask, axis=1, keepdims=True) & (index == 0)
        views, whole = unless(over, (self._views(seen), self._global_state(seen)))
        return self.observe(views, whole, state.step_count, mask, state.alive)

    def draw(self, axes: Any, state: JaxMARLState) -> None:
        """Draws battles, particles, Overcooked (the first) and JaxNav; what else there is has no drawing."""
        if not jaxmarl_tasks.draw(axes, self.env, state.inner):
            super().draw(axes, state)


def _answers(env: Any, method: str, inner: Any) -> bool:
    """Whether the environment says what is allowed; the base class declares it without an answer."""
    try:
        return callable(getattr(env, method, None)) and jax.eval_shape(getattr(env, method), inner) is not None
    except NotImplementedError:
        return False
