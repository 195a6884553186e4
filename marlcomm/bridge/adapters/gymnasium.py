"""Environments of gymnasium: of one agent, or of several where observations and actions are tuples.

Actions that are a `MultiDiscrete` are those of several agents, of which each sees everything.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from marlcomm.bridge.adapters.spaces import AgentActions, flat_size, flatten, padded
from marlcomm.bridge.simulator import Observed, Outcome, SimulatorSpec

LIMITS = ("horizon", "max_steps", "_max_episode_steps")  # what environments call their limit of steps


def make(name: str, *, horizon: int = 0, **options: Any) -> GymnasiumSimulator:
    """The environment that `gymnasium.make` knows by this name; `module:name` imports a module first."""
    import gymnasium

    return GymnasiumSimulator(gymnasium.make(name, **options), horizon)


class GymnasiumSimulator:
    """See the module. `info` may hold `action_mask`, and `won` or `is_success`."""

    def __init__(self, env: Any, horizon: int = 0) -> None:
        """Args: the environment; T, the most steps of an episode, where the environment has no limit itself.

        Raises:
          ValueError: nobody says how long an episode may be.
        """
        self._env, several = env, type(env.action_space).__name__ in ("Tuple", "MultiDiscrete")
        self._tuple = type(env.observation_space).__name__ == "Tuple" and several
        spaces = _split(env.action_space) if several else [env.action_space]
        self._several, self._actions = several, AgentActions(spaces)
        count = len(spaces)
        self._views = list(env.observation_space.spaces) if self._tuple else [env.observation_space] * count
        size, limit = max(map(flat_size, self._views)), getattr(getattr(env, "spec", None), "max_episode_steps", None)
        # its own limit, which it may call an end: it is none
        self._limit = 0 if limit else next(filter(None, (getattr(env.unwrapped, name, 0) for name in LIMITS)), 0)
        self._time, horizon = 0, horizon or limit or self._limit
        if not horizon:
            raise ValueError("this environment has no limit of steps: set task.horizon (horizon=...)")
        self.spec = SimulatorSpec(
            num_agents=count,
            num_actions=self._actions.count,
            observation_size=size,
            state_size=count * size if self._tuple else size,
            horizon=int(horizon),
            continuous=self._actions.continuous,
        )

    def reset(self, seed: int) -> Observed:
        """See `Simulator`."""
        self._time = 0
        given, info = self._env.reset(seed=seed)
        return self._observed(given, info)

    def step(self, actions: np.ndarray) -> Outcome:
        """See `Simulator`."""
        chosen = [self._actions.of(agent, action) for agent, action in enumerate(actions)]
        given, reward, terminated, truncated, info = self._env.step(self._joint(chosen))
        won = bool(info.get("won", info.get("is_success", False)))
        self._time += 1
        ended, cut = bool(np.all(terminated)), bool(np.any(truncated))  # lists where each agent has its own
        if ended and self._time == self._limit:
            ended, cut = False, True
        return Outcome(self._observed(given, info), np.asarray(reward, np.float32), ended, cut, won)

    def close(self) -> None:
        """See `Simulator`."""
        self._env.close()

    def _joint(self, chosen: list[Any]) -> Any:
        if not self._several:
            return chosen[0]
        return tuple(chosen) if type(self._env.action_space).__name__ == "Tuple" else np.array(chosen)

    def _observed(self, given: Any, info: Any) -> Observed:
        each = given if self._tuple else [given] * len(self._views)
        flat = [flatten(space, value) for space, value in zip(self._views, each, strict=True)]
        views = padded(flat, self.spec.observation_size)
        mask = info.get("action_mask") if isinstance(info, dict) else None
        mask = self._actions.mask if mask is None else np.asarray(mask, bool).reshape(self._actions.mask.shape)
        return Observed(views, views.reshape(-1) if self._tuple else views[0], mask)


def _split(space: Any) -> list[Any]:
    """The space of each agent's action."""
    if type(space).__name__ == "Tuple":
        return list(space.spaces)
    return [Discrete(int(n)) for n in np.ravel(space.nvec)]


class Discrete:
    """Choices of one of several agents, as `gymnasium.spaces.Discrete`."""

    def __init__(self, n: int) -> None:
        self.n = n
