"""`smaclite:`, SMAC's battles without the game in numpy (uoe-agents/smaclite): slow, and no StarCraft II needed."""

from __future__ import annotations

from typing import Any

import numpy as np

from marlcomm.bridge.simulator import Observed, Outcome, SimulatorSpec
from marlcomm.bridge.starcraft.packages import load
from marlcomm.validation import UsageError, check_count, nearest

LIMITS = {  # SMAC's, since the package has none
    "10m_vs_11m": 150, "27m_vs_30m": 180, "3s5z_vs_3s6z": 170, "2s3z": 120, "3s5z": 150, "MMM": 150, "MMM2": 180,
    "2c_vs_64zg": 400, "bane_vs_bane": 200, "corridor": 400, "2s_vs_1sc": 300, "3s_vs_5z": 250,
}  # fmt: skip


def make(name: str, *, horizon: int = 0, **options: Any) -> SMACliteSimulator:
    """A map of SMAClite.

    Args:
      name: such as "MMM"; or "custom", with map_file=... and horizon=...
      horizon: steps after which an episode is cut; by default SMAC's limit of the map.
      **options: of `SMACliteEnv`, such as use_cpp_rvo2=True.

    Raises:
      MissingPackage: the package is missing; the message says what to type.
      UsageError: the map is not known, or has no limit.
    """
    load("smaclite", "smaclite")
    import gymnasium

    known = {each.removeprefix("smaclite/").removesuffix("-v0") for each in gymnasium.registry if "smaclite/" in each}
    here = {each.lower(): each for each in known}
    if name.lower() not in here:
        raise UsageError(f"SMAClite has no map {name!r}.{nearest(name, sorted(known))}")
    limit = horizon or LIMITS.get(name) or {key.lower(): value for key, value in LIMITS.items()}.get(name.lower(), 0)
    check_count(f"{name}: horizon", limit)
    env = gymnasium.make(f"smaclite/{here[name.lower()]}-v0", disable_env_checker=True, **options)
    return SMACliteSimulator(env, limit)


class SMACliteSimulator:
    """See the module."""

    def __init__(self, env: Any, horizon: int) -> None:
        """Args: the environment, and the steps after which an episode is cut."""
        self._env, self._whole = env, env.unwrapped
        whole = self._whole
        self.spec = SimulatorSpec(
            num_agents=int(whole.n_agents),
            num_actions=int(whole.n_actions),
            observation_size=int(whole.obs_size),
            state_size=int(whole.state_size),
            horizon=horizon,
            reports_won=True,
        )

    def reset(self, seed: int) -> Observed:
        """See `Simulator`."""
        views, _ = self._env.reset(seed=seed)
        self._steps, self._won = 0, False
        return self._observed(views)

    def step(self, actions: np.ndarray) -> Outcome:
        """See `Simulator`."""
        views, reward, over, _, info = self._env.step([int(action) for action in actions])
        self._steps += 1
        self._won |= bool(info.get("battle_won", False))
        late = self._steps >= self.spec.horizon
        return Outcome(self._observed(views), float(reward), terminated=bool(over), truncated=late, won=self._won)

    def close(self) -> None:
        """See `Simulator`."""
        self._env.close()

    def _observed(self, views: Any) -> Observed:
        mask = np.array(self._whole.get_avail_actions(), bool)
        return Observed(np.array(views, np.float32), self._whole.get_state(), mask, ~mask[:, 0])
