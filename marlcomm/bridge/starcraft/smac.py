"""`smac:`, the package of SMAC itself (oxwhirl/smac) with pysc2 under it, in an interpreter of its own if need be.

What the package does in silence is a fault here: it answers a game that it lost and started anew with an empty `info`,
which looks like an end, and then scales rewards by another number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from marlcomm.bridge.simulator import Observed, Outcome, SimulatorFault, SimulatorSpec
from marlcomm.bridge.starcraft.packages import check_options, load
from marlcomm.validation import UsageError, as_type, check_above_zero, check_choice, nearest

SETTINGS: dict[str, dict[str, Any]] = {  # as of the battles in JAX, which other interpreters need not load
    "smac": {"sight_range": 9.0, "shoot_range": 6.0},
    "ndq": {"sight_range": 2.0, "shoot_range": 6.0, "obs_all_health": False},
}
OF_NDQ = {  # what NDQ adds to the package's own table of maps, of what the package can play
    "5z_vs_1ul": {
        "n_agents": 5, "n_enemies": 1, "limit": 150, "a_race": "P", "b_race": "Z", "unit_type_bits": 0,
        "map_type": "stalkers",
    },
}  # fmt: skip
ONLY_OURS = {"bane_vs_hM": "3b_vs_1h1m", "1o_2r_vs_4r": "1o2r_vs_4r", "1o_10b_vs_1r": "1o10b_vs_1r"}


def make(
    name: str,
    *,
    settings: str | None = None,
    sight_range: float | None = None,
    shoot_range: float | None = None,
    game_version: str | None = None,
    seconds: float = 30.0,
    **options: Any,
) -> SMACSimulator:
    """A map of SMAC, played by its own package.

    Args:
      name: a map of SMAC, such as "3s_vs_5z", or "5z_vs_1ul" of NDQ.
      settings: what agents see: "smac", or "ndq", 2 cells far, and nobody's health but their own; by default as the
        map was published.
      sight_range, shoot_range: cells, in place of what the settings say.
      game_version: such as "4.10"; by default the newest that there is.
      seconds: that the game has for an answer.
      **options: of `StarCraft2Env`, such as step_mul=8.

    Raises:
      MissingPackage: the package is missing, or another of its name is there; the message says what to type.
      UsageError: the map or an option is not known.
    """
    if name in {*ONLY_OURS, *ONLY_OURS.values()}:
        raise UsageError(
            f"The package smac cannot play {name!r}: it does not know these units and endings. Our own client does: "
            f"sc2:{ONLY_OURS.get(name, name)}"
        )
    maps = load("smac", "smac.env.starcraft2.maps.smac_maps")
    for ours, parameters in OF_NDQ.items():
        if ours not in maps.get_smac_map_registry():
            maps.get_smac_map_registry()[ours] = parameters
            setattr(maps, ours, type(ours, (maps.SMACMap,), {"filename": ours}))
    known = maps.get_smac_map_registry()
    if name not in known:
        raise UsageError(f"SMAC has no map {name!r}.{nearest(name, sorted(known))}")
    base = load("smac", "smac.env").StarCraft2Env
    check_options(base.__init__, options, "The package smac")
    set_patience(seconds)
    wanted = check_choice(
        "settings", ("ndq" if name in OF_NDQ else "smac") if settings is None else settings, [*SETTINGS]
    )
    chosen = SETTINGS[wanted] | version_of(game_version) | options
    sight, shoot = chosen.pop("sight_range"), chosen.pop("shoot_range")
    ranges = {
        "unit_sight_range": check_above_zero("sight_range", sight if sight_range is None else sight_range),
        "unit_shoot_range": check_above_zero("shoot_range", shoot if shoot_range is None else shoot_range),
    }
    methods = {method: lambda self, agent, length=length: length for method, length in ranges.items()}
    played = type(base.__name__, (base,), methods)
    chosen.setdefault("continuing_episode", True)
    return SMACSimulator(lambda seed: played(map_name=name, seed=seed, **chosen))


def version_of(game_version: str | None) -> dict[str, str]:
    """The argument of the packages' environments that asks for a version of the game."""
    return {} if game_version is None else {"game_version": as_type("game_version", game_version, str)}


def set_patience(seconds: float) -> None:
    """How long pysc2 waits for a game, in place of six minutes."""
    from absl import flags

    flags.FLAGS.sc2_timeout = int(np.ceil(check_above_zero("seconds", seconds)))


class SMACSimulator:
    """An environment of the interface of `StarCraft2Env`, made anew with every process."""

    def __init__(self, make_env: Callable[[int | None], Any], same_scale: bool = True) -> None:
        """Args: what makes it from a seed, without starting the game; whether rewards have one scale for ever."""
        self._make, self._same_scale = make_env, same_scale
        self._env: Any = None
        info = make_env(None).get_env_info()
        self.spec = SimulatorSpec(
            num_agents=int(info["n_agents"]),
            num_actions=int(info["n_actions"]),
            observation_size=int(info["obs_shape"]),
            state_size=int(info["state_shape"]),
            horizon=int(info["episode_limit"]),
            reports_won=True,
        )

    def reset(self, seed: int) -> Observed:
        """Starts an episode. Only the first seed counts: the game gets it as it is created."""
        if self._env is not None and not self._finished_one:
            self.close()  # reset before any episode has ended, it would start a second game beside the first
            self._env = None
        if self._env is None:
            self._env, self._finished_one = self._make(seed), False
        self._env.reset()  # what it returns is not always there
        self._check()
        self._steps, self._won = 0, False
        return self._observed()

    def step(self, actions: np.ndarray) -> Outcome:
        """Plays one step."""
        reward, terminated, info = self._env.step([int(action) for action in actions])
        self._check()
        if not info:
            raise SimulatorFault("restart", "the game was lost and started anew in the middle of an episode")
        self._steps += 1
        self._finished_one |= bool(terminated)
        self._won |= bool(info.get("battle_won", False))
        late = self._steps >= self.spec.horizon
        over = bool(terminated) and not info.get("episode_limit", False)
        return Outcome(self._observed(), float(reward), terminated=over, truncated=late, won=self._won)

    def close(self) -> None:
        """Ends the game."""
        if self._env is not None:
            self._env.close()

    def _check(self) -> None:
        """Raises SimulatorFault where the game was started anew unasked, or rewards have another scale."""
        if getattr(self._env, "force_restarts", 0):
            raise SimulatorFault("restart", "the game was lost and started anew")
        if not self._same_scale:
            return
        enemies = self._env.enemies.values()
        most = self._env.n_enemies * self._env.reward_death_value + self._env.reward_win
        most += sum(enemy.health_max + enemy.shield_max for enemy in enemies)
        if abs(most - self._env.max_reward) > 1e-3:
            raise SimulatorFault("reward scale", f"it is {self._env.max_reward:g}, and should be {most:g}")

    def _observed(self) -> Observed:
        mask = np.array(self._env.get_avail_actions(), bool)
        alive = ~mask[:, 0]  # the dead, and only they, may do nothing
        return Observed(np.array(self._env.get_obs(), np.float32), self._env.get_state(), mask, alive)
