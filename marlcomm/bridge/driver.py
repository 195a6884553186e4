"""The driver of a task that simulators in worker processes play."""

from __future__ import annotations

import os
import time
import weakref
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.bridge.account import PARTS, Account
from marlcomm.bridge.acting import device, make_team
from marlcomm.bridge.launch import Recipe
from marlcomm.bridge.player import Player
from marlcomm.bridge.pool import Limits, WorkerPool
from marlcomm.bridge.simulator import SimulatorSpec
from marlcomm.bridge.wave import Batch
from marlcomm.learners.state import Decision
from marlcomm.messages.edits import Edit
from marlcomm.training.drivers import DriverReport, Played, Program
from marlcomm.training.host_driver import HostDriver
from marlcomm.training.population import Population
from marlcomm.types import Episodes, Scalar

MOST_WORKERS = 8  # where nobody says how many


class Asked(NamedTuple):
    """Some of B episodes that act together, of one team."""

    params: Any
    key: jax.Array  #: decides what the team does, and the simulators' seeds
    size: int  #: B
    rows: np.ndarray  #: which of them are to be played
    exploration: Scalar
    edit: Edit | None
    training: bool


class BridgeDriver(HostDriver):
    """Plays with worker processes, which start when the first episodes are asked for and stay until `close`.

    In training the learner's `num_envs` episodes act together, in turns where there are fewer workers; elsewhere as
    many episodes as there are workers.
    """

    steps_at_once = 1

    def __init__(self, recipe: Recipe, spec: SimulatorSpec, workers: int, limits: Limits) -> None:
        """Args: how to make the simulator; its sizes; how many workers (0: one a core, up to 8); when they fail."""
        self._recipe, self._spec, self._limits, self._workers = recipe, spec, limits, workers
        self._pool: WorkerPool | None = None
        self._player: Player | None = None
        self._playing = 0.0  # seconds
        self._closing: Any = None

    def pool(self, episodes: int) -> WorkerPool:
        """The workers, made if there are none: no more than episodes, where nobody said how many."""
        if self._pool is None:
            self._pool = WorkerPool(
                self._recipe,
                self._spec,
                self._workers or min(default_workers(os.cpu_count() or 1), episodes),
                self._limits,
            )
            self._player = Player(self._pool)
            self._closing = weakref.finalize(self, self._pool.close)
        return self._pool

    def workers(self, episodes: int) -> int:
        """How many play at once, where so many episodes are wanted."""
        return len(self.pool(episodes))

    @property
    def account(self) -> Account:
        """Of all episodes so far."""
        return self.pool(1).account

    def close(self) -> None:
        """Ends the workers; the next episodes start new ones."""
        if self._closing is not None:
            self._closing()
        self._pool = self._player = self._closing = None

    def play(
        self,
        algorithm: Algorithm,
        params: Any,
        key: jax.Array,
        episodes: int,
        *,
        exploration: Scalar = 0.0,
        edit: Edit | None = None,
        progress: Scalar = 1.0,
        training: bool = False,
    ) -> Played:
        """See `HostDriver`."""
        del progress
        began = time.perf_counter()
        try:
            return self._play(algorithm, params, key, episodes, exploration, edit, training)
        finally:
            self._playing += time.perf_counter() - began

    def trainer(self, algorithm: Algorithm, population: Population) -> Program:
        """See `HostDriver`; the time that is not spent playing is spent learning."""
        return _Timed(self, super().trainer(algorithm, population))

    def report(self) -> DriverReport:
        """See `Driver`."""
        return report_of(self._pool.account, self._pool.news, len(self._pool)) if self._pool else DriverReport()

    def _play(
        self,
        algorithm: Algorithm,
        params: Any,
        key: jax.Array,
        episodes: int,
        exploration: Scalar,
        edit: Edit | None,
        training: bool,
    ) -> Played:
        together = episodes if training else min(episodes, self.workers(episodes))
        parts, played = -(-episodes // together), []
        keys = [key] if parts == 1 else list(jax.random.split(key, parts))
        for part, own in enumerate(keys):
            rows = np.arange(min(together, episodes - part * together))
            played.append(self.play_rows(algorithm, Asked(params, own, together, rows, exploration, edit, training)))
        if parts == 1:
            return Played(*played[0], states=None)
        seen, decisions = zip(*played, strict=True)
        whole = Episodes(*(np.concatenate(each) for each in zip(*seen, strict=True)))  # pyright: ignore
        return Played(whole, jax.tree.map(lambda *x: jnp.concatenate(x), *decisions), states=None)

    def play_rows(self, algorithm: Algorithm, asked: Asked) -> tuple[Episodes, Decision]:
        """Episodes [len(rows), ...], and what stood behind their actions."""
        self.pool(asked.size)
        player, acting = self._player, self.acting(algorithm, asked.edit, asked.training)
        assert player is not None
        # members of a population may lie on several devices
        wanted = asked.params, asked.key, acting.edit, jnp.float32(asked.exploration)
        params, key, edit, explored = jax.device_put(wanted, device())
        team = make_team(algorithm, acting._replace(edit=edit), params, asked.size, key, explored)
        seed = np.asarray(key).astype(np.uint32).tolist()
        return player.finish(player.begin(Batch(team, params, seed, explored, edit, asked.size, asked.rows)))


def default_workers(cores: int) -> int:
    """How many, where nobody says it."""
    return min(cores, MOST_WORKERS)


def report_of(account: Account, news: list[str], workers: int) -> DriverReport:
    """What there is to tell of so many workers; the news are taken."""
    told, news[:] = list(news), []
    return DriverReport(account.line(), told, account.as_json() | {"workers": workers})


class _Timed:
    """Training steps, of which the time is counted that playing does not take; not the first, in which all compiles."""

    def __init__(self, driver: BridgeDriver, program: Program) -> None:
        self._driver, self._program, self._compiled = driver, program, False

    def compile(self, *arguments: Any) -> Any:
        """See `Program`."""
        return self._program.compile(*arguments)

    def __call__(self, *arguments: Any) -> Any:
        """See `Program`."""
        driver, began = self._driver, time.perf_counter()
        playing = driver._playing
        found = jax.block_until_ready(self._program(*arguments))
        learning = time.perf_counter() - began - (driver._playing - playing)
        if self._compiled:
            driver.account.seconds["learn"] += learning
        else:
            driver.account.seconds = dict.fromkeys(PARTS, 0.0)
        self._compiled = True
        return found
