"""The driver of a task that simulators in worker processes play."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import os
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
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
from marlcomm.training.drivers import CannotPlay, DriverReport, Played, Program
from marlcomm.training.host_driver import HostDriver, Result
from marlcomm.training.population import Population
from marlcomm.types import Episodes, Scalar

MOST_WORKERS = 8  # where nobody says how many
GLANCE = 0.005  # seconds between looks at whether the learner is done


class Asked(NamedTuple):
    """Some of B episodes that act together, of one team."""

    params: Any
    key: jax.Array  #: decides what the team does, and the simulators' seeds
    size: int  #: B
    rows: np.ndarray  #: which of them are to be played
    exploration: Scalar = 0.0
    edit: Edit | None = None
    training: bool = False


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
        return self.begin(
            algorithm, params, key, episodes, exploration=exploration, edit=edit, progress=progress, training=training
        )()

    def begin(
        self, algorithm: Algorithm, params: Any, key: jax.Array, episodes: int, **how: Any
    ) -> Callable[[], Played]:
        """See `HostDriver`."""
        how.pop("progress", None)
        training = how.get("training", False)
        with self._plays():
            together = episodes if training else min(episodes, self.workers(episodes))
            parts = -(-episodes // together)
            keys = [key] if parts == 1 else list(jax.random.split(key, parts))
            begun = []
            for part, own in enumerate(keys):
                rows = np.arange(min(together, episodes - part * together))
                begun.append(self.begin_rows(algorithm, Asked(params, own, together, rows, **how)))
        return functools.partial(self._finish, begun)

    def meanwhile(self, work: Callable[[], Result]) -> Result:
        """See `HostDriver`: work is done in a thread of its own."""
        player = self._player
        if player is None or not player.under_way():
            return work()
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            done = executor.submit(work)
            # who waits for these episodes hears of it if they cannot be played
            with contextlib.suppress(CannotPlay), self._plays():
                while player.under_way() and not done.done():
                    player.turn(GLANCE)
            return done.result()

    def learns_from(self, episodes: int, age: int) -> None:
        """See `HostDriver`: it is counted."""
        self.account.ages[age] += episodes

    def trainer(self, algorithm: Algorithm, population: Population) -> Program:
        """See `HostDriver`; the time that is not spent playing is spent learning."""
        return _Timed(self, super().trainer(algorithm, population))

    def report(self) -> DriverReport:
        """See `Driver`."""
        return report_of(self._pool.account, self._pool.news, len(self._pool)) if self._pool else DriverReport()

    @contextlib.contextmanager
    def _plays(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self._playing += time.perf_counter() - began

    def _finish(self, begun: Sequence[Callable[[], tuple[Episodes, Decision]]]) -> Played:
        with self._plays():
            played = [each() for each in begun]
            if len(played) == 1:
                return Played(*played[0], states=None)
            seen, decisions = zip(*played, strict=True)
            whole = Episodes(*(np.concatenate(each) for each in zip(*seen, strict=True)))  # pyright: ignore
            return Played(whole, jax.tree.map(lambda *x: jnp.concatenate(x), *decisions), states=None)

    def play_rows(self, algorithm: Algorithm, asked: Asked) -> tuple[Episodes, Decision]:
        """Episodes [len(rows), ...], and what stood behind their actions."""
        return self.begin_rows(algorithm, asked)()

    def begin_rows(self, algorithm: Algorithm, asked: Asked) -> Callable[[], tuple[Episodes, Decision]]:
        """Begins to play them; gives what waits for them."""
        self.pool(asked.size)
        player, acting = self._player, self.acting(algorithm, asked.edit, asked.training)
        assert player is not None
        # members of a population may lie on several devices
        wanted = asked.params, asked.key, acting.edit, jnp.float32(asked.exploration)
        params, key, edit, explored = jax.device_put(wanted, device())
        team = make_team(algorithm, acting._replace(edit=edit), params, asked.size, key, explored)
        seed = np.asarray(key).astype(np.uint32).tolist()
        playing = player.begin(Batch(team, params, seed, explored, edit, asked.size, asked.rows))
        return functools.partial(player.finish, playing)


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
