"""Plays whole episodes with a pool of workers: every row once to its end, whatever fails on the way."""

from __future__ import annotations

import time

import numpy as np

from marlcomm.bridge.pool import WorkerPool
from marlcomm.bridge.wave import Batch, Playing, Wave
from marlcomm.learners.state import Decision
from marlcomm.messages.edits import looks_across
from marlcomm.training.drivers import PlayStopped
from marlcomm.training.interrupt import stop_requested
from marlcomm.types import Episodes

PATIENCE = 0.2  # seconds after which waiting looks around, at the latest
FEWEST_WAVES = 2  # of one the simulators step while the team acts for the other
BUSY = 0.75  # share of its time that a player works, at most, where it can choose


class Player:
    """Plays batches, the oldest first, in several waves of slots, each at a step of its own.

    While the team acts for one wave, the simulators of the others step. More waves wait less for the slowest of their
    simulators, and begin new episodes sooner where some end early; each costs a call of the team at every step. So
    there are as many as the player has time for. An edit that looks across environments needs all of them in one wave.
    """

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._batches: list[Playing] = []
        self._waves = FEWEST_WAVES  # as many as there may be
        self._of_slot: dict[int, Wave] = {}
        self._forget()

    def begin(self, batch: Batch) -> Playing:
        """Takes a batch in, to be played when those before it have no rows left to begin."""
        self._batches.append(Playing(self._pool, batch))
        return self._batches[-1]

    def finish(self, playing: Playing) -> tuple[Episodes, Decision]:
        """Plays until all of a batch is there: episodes [len(rows), ...] and what stood behind their actions.

        Raises:
          PlayStopped: the run is to stop.
          SimulatorsFailed: too few workers are left.
        """
        try:
            while not playing.done:
                self.turn()
        except BaseException:
            self.abandon()
            raise
        self._batches.remove(playing)
        self._choose_waves()
        return playing.result()

    def under_way(self) -> bool:
        """Whether anything is being played."""
        return not all(playing.done for playing in self._batches)

    def abandon(self) -> None:
        """Forgets all batches, with the episodes that are under way."""
        self._batches.clear()
        self._pool.abandon()

    def turn(self, patience: float = PATIENCE) -> None:
        """Begins what can begin, waits for the next thing to happen, and sees to it. Raises as `finish`."""
        if stop_requested():
            raise PlayStopped
        began = time.perf_counter()
        self._begin_waves()
        waits = time.perf_counter()
        with self._pool.account.spent("simulate"):
            events = self._pool.wait(patience)
        goes_on = time.perf_counter()
        for event in events:
            wave = self._of_slot[event.slot]
            wave.waiting -= 1
            if event.lost:
                wave.drop([event.slot])
        self._step_waves()
        self._waited += goes_on - waits
        self._worked += time.perf_counter() - began - (goes_on - waits)

    def _step_waves(self) -> None:
        """Acts for the waves whose slots have all answered."""
        ready = [wave for playing in self._batches for wave in playing.waves if not wave.waiting]
        if not ready:
            return
        self._steps += len(ready)
        self._beside += len(ready) * sum(len(playing.waves) for playing in self._batches)
        for wave in ready:
            wave.decide()
        for wave in ready:
            if len(wave.slots):
                wave.order()
        for playing in self._batches:
            playing.waves = [wave for wave in playing.waves if len(wave.slots)]

    def _begin_waves(self) -> None:
        """Idle slots take rows that nobody has begun; at first when all workers are there."""
        for playing in self._batches:
            under_way = sum(len(each.waves) for each in self._batches)
            most = 1 if looks_across(playing.batch.edit) else self._waves - (under_way - len(playing.waves))
            while len(playing.missing) and len(playing.waves) < most:
                idle = self._pool.idle()
                if not len(idle) or (not under_way and len(idle) < len(playing.missing) and self._pool.worth_waiting()):
                    return
                share = -(-min(len(idle), len(playing.missing)) // (most - len(playing.waves)))
                wave = Wave(self._pool, playing, idle[:share])
                playing.waves.append(wave)
                self._of_slot |= dict.fromkeys(wave.slots.tolist(), wave)
                under_way += 1

    def _choose_waves(self) -> None:
        """As many waves as keep the player busy for a certain share of its time, going by what they cost so far."""
        if self._steps:
            busy = max(self._worked / (self._worked + self._waited), 1e-3)
            self._waves = int(np.clip(self._beside / self._steps * BUSY / busy, FEWEST_WAVES, len(self._pool)))
        self._forget()

    def _forget(self) -> None:
        self._waited = self._worked = 0.0  # seconds
        self._steps = self._beside = 0  # steps of waves, and how many waves there were at each
