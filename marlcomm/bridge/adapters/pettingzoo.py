"""Parallel environments of PettingZoo."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from marlcomm.bridge.adapters.spaces import AgentActions, flat_size, flatten, padded
from marlcomm.bridge.simulator import Observed, Outcome, SimulatorSpec

LIMITS = ("max_cycles", "max_steps", "horizon")  # what environments call their limit of steps


def make(name: str, *, horizon: int = 0, **options: Any) -> PettingZooSimulator:
    """The environment that the module `name`, such as mpe2.simple_spread_v3, makes by `parallel_env`."""
    for place in (name, f"pettingzoo.{name}"):
        try:
            module = importlib.import_module(place)
            break
        except ModuleNotFoundError as error:
            if error.name is None or not place.startswith(error.name):  # something that the module needs
                raise
    else:
        raise ModuleNotFoundError(f"there is no module {name}, and none pettingzoo.{name}: install it, or see its name")
    if not hasattr(module, "parallel_env"):
        raise ValueError(f"{name} has no parallel_env: agents that act in turn cannot be played")
    return PettingZooSimulator(module.parallel_env(**options), horizon)


class PettingZooSimulator:
    """See the module. Agents that have left are not alive; the state is `env.state()`, or all views in a row."""

    def __init__(self, env: Any, horizon: int = 0) -> None:
        """Args: the environment; T, the most steps of an episode, where the environment has no limit itself.

        Raises:
          ValueError: nobody says how long an episode may be.
        """
        self._env, self._agents = env, list(env.possible_agents)
        self._actions = AgentActions([env.action_space(agent) for agent in self._agents])
        self._masked = [_is_masked(env.observation_space(agent)) for agent in self._agents]
        self._views = [_view_space(env.observation_space(agent)) for agent in self._agents]
        size, limit = max(map(flat_size, self._views)), next(filter(None, (_found(env, name) for name in LIMITS)), 0)
        if not (horizon or limit):
            raise ValueError("this environment says no limit of steps: set task.horizon (horizon=...)")
        self._states = getattr(env, "state_space", None)
        self.spec = SimulatorSpec(
            num_agents=len(self._agents),
            num_actions=self._actions.count,
            observation_size=size,
            state_size=len(self._agents) * size if self._states is None else flat_size(self._states),
            horizon=int(horizon or limit),
            continuous=self._actions.continuous,
        )

    def reset(self, seed: int) -> Observed:
        """See `Simulator`."""
        given, infos = self._env.reset(seed=seed)
        return self._observed(given, infos)

    def step(self, actions: np.ndarray) -> Outcome:
        """See `Simulator`."""
        acting = set(self._env.agents)
        chosen = {
            agent: self._actions.of(number, actions[number])
            for number, agent in enumerate(self._agents)
            if agent in acting
        }
        given, rewards, terminations, truncations, infos = self._env.step(chosen)
        reward = np.array([rewards.get(agent, 0.0) for agent in self._agents], np.float32)
        over = not self._env.agents
        ended = over and any(terminations.get(agent, False) for agent in acting)
        cut = over and not ended
        won = any(bool(info.get("won", False)) for info in infos.values())
        del truncations  # an end without a termination
        return Outcome(self._observed(given, infos), reward, ended, cut, won)

    def close(self) -> None:
        """See `Simulator`."""
        self._env.close()

    def _observed(self, given: dict, infos: dict) -> Observed:
        flat, mask, there = [], self._actions.mask.copy(), set(self._env.agents) or set(given)
        for number, agent in enumerate(self._agents):
            value, own = given.get(agent), infos.get(agent, {}).get("action_mask")
            if self._masked[number] and value is not None:
                value, own = value["observation"], value["action_mask"]
            flat.append(np.zeros(0, np.float32) if value is None else flatten(self._views[number], value))
            if own is not None:
                mask[number, : len(own)] = np.asarray(own, bool)
        alive = np.array([agent in there for agent in self._agents])
        views = padded(flat, self.spec.observation_size)
        state = views.reshape(-1) if self._states is None else flatten(self._states, self._env.state())
        return Observed(views, state, mask, alive)


def _is_masked(space: Any) -> bool:
    return type(space).__name__ == "Dict" and set(space.spaces) == {"observation", "action_mask"}


def _view_space(space: Any) -> Any:
    return space.spaces["observation"] if _is_masked(space) else space


def _found(env: Any, name: str) -> int:
    """A number of the environment, or of one that it wraps; 0 where it has none."""
    while env is not None:
        value = getattr(env, name, None)
        if isinstance(value, int | np.integer) and value > 0:
            return int(value)
        env = next((vars(env)[inner] for inner in ("aec_env", "par_env", "env") if inner in vars(env)), None)
    return 0
