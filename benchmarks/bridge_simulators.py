"""Simulators for `benchmarks.bridge`, which worker processes import: without JAX."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import gymnasium
import numpy as np

from marlcomm.bridge.simulator import Observed, Outcome, SimulatorFault, SimulatorSpec

PLACE = "benchmarks.bridge_simulators"  # of this module
MMM = SimulatorSpec(10, 16, 160, 290, 150)  # sizes of the battle
FAULTS = ("crash", "restart", "killed", "exit", "nan", "shape", "mask", "hang")


class Nothing:
    """A simulator of which nothing comes, for `sleep` seconds a step, give or take a share `spread` of them.

    With `early` its episodes end somewhere between a third of the horizon and all of it; with `busy` it takes these
    seconds from a processor, in place of waiting.
    """

    spec = MMM

    def __init__(
        self, name: str = "", sleep: float = 0.0, spread: float = 0.0, early: bool = False, busy: bool = False
    ) -> None:
        del name
        self._random, self._spread, self._early, self._last = random.Random(0), spread, early, MMM.horizon
        self._spend = _compute if busy else time.sleep
        view, state = (np.ones(shape, np.float32) for shape in ((10, 160), 290))
        self._seen, self._sleep, self._time = Observed(view, state, np.ones((10, 16), bool)), sleep, 0

    def reset(self, seed: int) -> Observed:
        """See `Simulator`."""
        self._time, self._random = 0, random.Random(seed)
        if self._early:
            self._last = self._random.randint(MMM.horizon // 3, MMM.horizon)
        return self._seen

    def step(self, actions: np.ndarray) -> Outcome:
        """See `Simulator`."""
        self._time += 1
        if self._sleep:
            self._spend(self._sleep * (1.0 + self._spread * self._random.uniform(-1.0, 1.0)))
        return Outcome(self._seen, 1.0, truncated=self._time == self._last)

    def close(self) -> None:
        """See `Simulator`."""


def _compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


class NothingInGymnasium(gymnasium.Env):
    """The same for gymnasium."""

    def __init__(self, **how: Any) -> None:
        box = gymnasium.spaces.Box
        shapes = {"view": (10, 160), "state": (290,), "mask": (10, 16)}
        self.observation_space = gymnasium.spaces.Dict({k: box(0, 1, shape) for k, shape in shapes.items()})
        self.action_space = gymnasium.spaces.MultiDiscrete([16] * 10)
        self._seen = {k: np.ones(s, np.float32) for k, s in shapes.items()}
        self._nothing = Nothing(**how)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        """See `gymnasium.Env`."""
        self._nothing.reset(seed or 0)
        return self._seen, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        """See `gymnasium.Env`."""
        return self._seen, 1.0, False, self._nothing.step(action).truncated, {}


class Target:
    """A game in which agent 0 sees where agent 1 should go, and things go wrong at moments that no seed decides."""

    num_agents, num_actions, horizon, reports_won = 2, 3, 4, True

    def __init__(self, chance: float = 0.0) -> None:
        self._chance, self._random, self._resets = chance, random.Random(os.urandom(8)), 0
        self._target = self._time = 0
        self._wrong = ""

    def reset(self, seed: int) -> np.ndarray:
        """Starts an episode."""
        self._target, self._time = int(np.random.default_rng(seed).integers(3)), 0
        self._resets += 1
        return self._seen(self._resets > 1)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        """Moves on."""
        self._time += 1
        found = bool(action[1] == self._target)
        return self._seen(True), float(found), found, self._time == self.horizon, {"won": found}

    def action_mask(self) -> np.ndarray:
        """[N, A] all of them."""
        return np.full((2, 3), self._wrong != "mask")

    def _seen(self, may_fail: bool) -> np.ndarray:
        views = np.zeros((2, 4), np.float32)
        views[0, self._target], views[:, -1] = 1.0, self._time / self.horizon
        fails = may_fail and self._random.random() < self._chance
        self._wrong = self._random.choice(FAULTS) if fails else ""
        return _gone_wrong(self._wrong, views)


def _gone_wrong(wrong: str, views: np.ndarray) -> np.ndarray:
    if wrong == "crash":
        raise RuntimeError("the game is gone")
    if wrong == "restart":
        raise SimulatorFault("restart", "it began anew")
    if wrong == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if wrong == "exit":
        os._exit(0)
    if wrong == "hang":
        time.sleep(3600)
    return views + np.nan if wrong == "nan" else views[:, 1:] if wrong == "shape" else views
