"""Simulators of your own: whatever a function of yours makes, by its methods."""

from __future__ import annotations

from typing import Any

import numpy as np

from marlcomm.bridge.adapters.gymnasium import GymnasiumSimulator
from marlcomm.bridge.adapters.pettingzoo import PettingZooSimulator
from marlcomm.bridge.simulator import Observed, Outcome, Simulator, SimulatorSpec
from marlcomm.bridge.worker import import_place

WANTED = (
    "num_agents, num_actions and horizon, reset(seed) and step(actions); or be an environment of gymnasium, a parallel "
    "one of PettingZoo, or a marlcomm.bridge.Simulator"
)


def make(name: str, *, horizon: int = 0, **options: Any) -> Simulator:
    """What `module:function`, or `file.py:function`, makes of the options."""
    module, _, function = name.rpartition(":")
    return as_simulator(getattr(import_place(module), function)(**options), horizon)


def as_simulator(made: Any, horizon: int = 0) -> Simulator:
    """A simulator, whatever kind of environment it is.

    Raises:
      TypeError: it is none.
    """
    if hasattr(made, "possible_agents"):
        return PettingZooSimulator(made, horizon)
    if hasattr(made, "action_space") and hasattr(made, "observation_space"):
        return GymnasiumSimulator(made, horizon)
    if isinstance(made, Simulator) and isinstance(made.spec, SimulatorSpec):
        return made
    lacking = [name for name in ("num_agents", "num_actions", "reset", "step") if not hasattr(made, name)]
    if lacking:
        raise TypeError(f"{type(made).__name__} has no {', '.join(lacking)}: a simulator must have {WANTED}")
    return PlainSimulator(made, horizon)


class PlainSimulator:
    """An object with `num_agents`, `num_actions` and `horizon` (and `continuous`, if so), and two methods.

    `reset(seed)` gives the agents' views [N, O], `step(actions)` gives (views, reward [] or [N], terminated, truncated,
    info), as of gymnasium. It may also have `state()` [S], which else is all views in a row, `action_mask()` [N, A],
    `alive()` [N], and `info["won"]`, where it says `reports_won = True`.
    """

    def __init__(self, env: Any, horizon: int = 0) -> None:
        """Args: the object; T, in place of its own. Raises ValueError where neither is there."""
        self._env = env
        horizon = horizon or getattr(env, "horizon", 0)
        if not horizon:
            raise ValueError(f"{type(env).__name__} has no horizon, the most steps of an episode: give it one")
        first = self._observed(env.reset(0))
        self.spec = SimulatorSpec(
            num_agents=int(env.num_agents),
            num_actions=int(env.num_actions),
            observation_size=first.agents_view.shape[-1],
            state_size=len(first.global_state),
            horizon=int(horizon),
            continuous=bool(getattr(env, "continuous", False)),
            reports_won=bool(getattr(env, "reports_won", False)),
            action_names=tuple(getattr(env, "action_names", ())),
        )

    def reset(self, seed: int) -> Observed:
        """See `Simulator`."""
        return self._observed(self._env.reset(seed))

    def step(self, actions: np.ndarray) -> Outcome:
        """See `Simulator`."""
        views, reward, terminated, truncated, info = self._env.step(actions)
        return Outcome(self._observed(views), reward, terminated, truncated, bool(info.get("won", False)))

    def close(self) -> None:
        """See `Simulator`."""
        if hasattr(self._env, "close"):
            self._env.close()

    def _observed(self, views: Any) -> Observed:
        views = np.asarray(views, np.float32)
        state, mask, alive = (getattr(self._env, name, None) for name in ("state", "action_mask", "alive"))
        return Observed(
            views,
            views.reshape(-1) if state is None else np.asarray(state()),
            None if mask is None else mask(),
            None if alive is None else alive(),
        )
