"""Plays whole episodes with a pool of workers: every row once to its end, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from marlcomm.bridge.acting import Team, of_episodes
from marlcomm.bridge.pool import Event, WorkerPool
from marlcomm.bridge.rows import Rows
from marlcomm.learners.state import Decision
from marlcomm.messages.edits import Edit
from marlcomm.training.drivers import PlayStopped
from marlcomm.training.interrupt import stop_requested
from marlcomm.types import Episodes

PATIENCE = 0.2  # seconds after which waiting looks around, at the latest
SAME_SEED = 5  # tries to play an episode as it was drawn, before another is


class Batch(NamedTuple):
    """What is to be played: rows of B episodes that act together."""

    team: Team
    params: Any
    seed: Sequence[int]  #: decides the simulators' seeds
    exploration: jax.Array  #: []
    edit: Edit | None
    size: int  #: B
    rows: np.ndarray  #: which of them are played


def play_batch(pool: WorkerPool, batch: Batch) -> tuple[Episodes, Decision]:
    """Episodes [len(rows), ...] and what stood behind their actions.

    As many rows as there are workers play at once, step by step together. An episode that is lost plays again when the
    others are done, with the same seed and the same draws, so that it leaves no trace: what is made of row b at step t
    depends on the batch and on t, not on when it is played. Those who have played are shown what they saw.
    """
    rows = Rows(pool.spec, batch.size)
    decisions, tries = batch.team.decisions, np.zeros(batch.size, int)
    missing = batch.rows
    while len(missing):
        slots = _ready(pool, len(missing))
        wave = _Wave(pool, batch, rows, missing[: len(slots)], slots)
        decisions = wave.play(decisions, _seeds(batch.seed, wave.rows, tries))
        tries[wave.lost] += 1
        pool.account.redrawn += int((tries[wave.lost] % SAME_SEED == 0).sum())
        rows.clear(wave.lost)
        missing = np.concatenate([wave.lost, missing[len(slots) :]])
    fields = rows.fields()
    played = Episodes(**fields), of_episodes(decisions, fields["valid"])  # pyright: ignore
    return jax.tree.map(lambda x: x[batch.rows], played) if len(batch.rows) < batch.size else played


def _ready(pool: WorkerPool, wanted: int) -> np.ndarray:
    """Idle slots, at least one and at most so many, once those that start for the first time are there."""
    while len(idle := pool.idle()) < wanted and (len(idle) == 0 or pool.worth_waiting()):
        _wait(pool)
    return idle[:wanted]


def _wait(pool: WorkerPool) -> list[Event]:
    """What happened, if anything did. Raises PlayStopped where the run is to stop."""
    if stop_requested():
        raise PlayStopped
    return pool.wait(PATIENCE)


def _seeds(seed: Sequence[int], rows: np.ndarray, tries: np.ndarray) -> np.ndarray:
    """[len(rows)] the simulators' seeds, 31 bits each."""
    drawn = [np.random.SeedSequence([*seed, int(row), int(tries[row]) // SAME_SEED]) for row in rows]
    return np.array([int(each.generate_state(1)[0]) >> 1 for each in drawn], np.int64)


class _Wave:
    """Some rows, one a slot, from their resets to their ends.

    Attributes:
      rows: which; lost: those of them whose episodes were lost.
    """

    def __init__(self, pool: WorkerPool, batch: Batch, rows: Rows, which: np.ndarray, slots: np.ndarray) -> None:
        self.rows, self.lost = which, which[:0]
        self._pool, self._batch, self._all = pool, batch, rows
        self._slots = slots  # of the rows that go on, beside `_going`
        self._going = which

    def play(self, decisions: Decision, seeds: np.ndarray) -> Decision:
        """Plays; gives the decisions with those of these rows."""
        pool, account, batch, team = self._pool, self._pool.account, self._batch, self._batch.team
        mine = np.zeros(batch.size, bool)
        mine[self.rows] = True
        pool.begin(self._slots, seeds)
        self._answers()
        with account.spent("transfer"):
            self._all.observe(0, self._going, pool.block, self._slots)
        memory, mine = team.memory(), jax.device_put(mine)
        for time in range(pool.spec.horizon):
            if not len(self._going):
                break
            with account.spent("transfer"):
                seen = jax.device_put(self._all.seen[time])
            with account.spent("infer"):
                action, memory, decisions = team.advance(
                    batch.params,
                    seen,
                    memory,
                    decisions,
                    team.keys,
                    np.int32(time),
                    mine,
                    batch.exploration,
                    batch.edit,
                )
                actions = np.asarray(action)
            self._step(time, actions)
        pool.delivered(self._slots)
        return decisions

    def _step(self, time: int, actions: np.ndarray) -> None:
        """One step of all that go on; those whose episodes end with it are handed over."""
        pool = self._pool
        self._drop(event.slot for event in pool.step(self._slots, actions[self._going]))
        self._answers()
        with pool.account.spent("transfer"):
            over = self._all.record(time, self._going, pool.block, self._slots)
        pool.delivered(self._slots[over])
        self._slots, self._going = self._slots[~over], self._going[~over]

    def _answers(self) -> None:
        """Waits until every slot has answered or lost its episode."""
        with self._pool.account.spent("simulate"):
            waiting = set(self._slots.tolist())
            while waiting:
                events = _wait(self._pool)
                waiting.difference_update(event.slot for event in events)
                self._drop(event.slot for event in events if event.lost)

    def _drop(self, lost: Iterable[int]) -> None:
        """Takes the rows of these slots out."""
        gone = np.isin(self._slots, list(lost))
        if gone.any():
            self.lost = np.concatenate([self.lost, self._going[gone]])
            self._slots, self._going = self._slots[~gone], self._going[~gone]
