"""Rows of a batch that play together, a slot each: from their resets to their ends, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from marlcomm.bridge.acting import Team, device, of_episodes
from marlcomm.bridge.pool import WorkerPool
from marlcomm.bridge.rows import Rows
from marlcomm.learners.state import Decision
from marlcomm.messages.edits import Edit
from marlcomm.types import Episodes

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


class Playing:
    """A batch that is being played.

    What is made of row b at step t depends on the batch and on t, not on when it is played, nor on who plays beside it:
    an episode that is lost plays again, with the same seed and the same draws, and leaves no trace.

    Attributes:
      batch: which.
      rows: what was played so far; decisions: what stood behind it, [T, B, ...].
      missing: rows that nobody has begun.
      waves: those under way.
    """

    def __init__(self, pool: WorkerPool, batch: Batch) -> None:
        self.batch, self.rows = batch, Rows(pool.spec, batch.size)
        self.decisions, self.missing = batch.team.decisions, batch.rows
        self.waves: list[Wave] = []
        self._account, self._tries = pool.account, np.zeros(batch.size, int)

    @property
    def done(self) -> bool:
        """Whether all rows were played to their ends."""
        return not (len(self.missing) or self.waves)

    def take(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """So many rows that nobody has begun, and the simulators' seeds for them, 31 bits each."""
        rows, self.missing = self.missing[:count], self.missing[count:]
        drawn = [
            np.random.SeedSequence([*self.batch.seed, int(row), int(self._tries[row]) // SAME_SEED]) for row in rows
        ]
        return rows, np.array([int(each.generate_state(1)[0]) >> 1 for each in drawn], np.int64)

    def lose(self, rows: np.ndarray) -> None:
        """Takes rows back that were lost: as if nobody had begun them."""
        self._tries[rows] += 1
        self._account.redrawn += int((self._tries[rows] % SAME_SEED == 0).sum())
        self.rows.clear(rows)
        self.missing = np.concatenate([rows, self.missing])

    def result(self) -> tuple[Episodes, Decision]:
        """Episodes [len(batch.rows), ...] and what stood behind their actions."""
        fields, batch = self.rows.fields(), self.batch
        played = Episodes(**fields), of_episodes(self.decisions, fields["valid"])  # pyright: ignore
        return jax.tree.map(lambda x: x[batch.rows], played) if len(batch.rows) < batch.size else played


class Wave:
    """Some rows of a batch, at the same step of their episodes.

    A step is `decide`, which asks the device for actions and does not wait for them, and `order`, once all slots have
    answered what was ordered last.

    Attributes:
      slots: that its rows play in, of those that go on.
      waiting: how many of them have not answered yet.
    """

    def __init__(self, pool: WorkerPool, playing: Playing, slots: np.ndarray) -> None:
        """Orders the resets."""
        self._pool, self._playing, self.slots = pool, playing, slots
        self._rows, seeds = playing.take(len(slots))  # beside `slots`
        self._memory, self._time = playing.batch.team.memory(), -1  # -1: they are being reset
        self._action: jax.Array | None = None
        self._mine = self._as_mask()
        self.waiting = len(slots)
        pool.begin(slots, seeds)

    def drop(self, lost: Iterable[int]) -> None:
        """Takes the rows of these slots out; they play anew, later."""
        gone = np.isin(self.slots, list(lost))
        rows = self._rows[gone]
        self.slots, self._rows = self.slots[~gone], self._rows[~gone]
        self._mine = self._as_mask()
        self._playing.lose(rows)

    def decide(self) -> None:
        """Takes the answers, hands over the episodes that have ended, and asks for the actions of the others."""
        pool, rows, account, batch = self._pool, self._playing.rows, self._pool.account, self._playing.batch
        with account.spent("transfer"):
            if self._time < 0:
                rows.observe(0, self._rows, pool.block, self.slots)
            else:
                over = rows.record(self._time, self._rows, pool.block, self.slots)
                over |= self._time + 1 == pool.spec.horizon
                pool.delivered(self.slots[over])
                self.slots, self._rows = self.slots[~over], self._rows[~over]
            self._time += 1
            if not len(self.slots):
                return
            seen = jax.device_put(rows.seen[self._time])
        with account.spent("infer"):
            self._action, self._memory, self._playing.decisions = batch.team.advance(
                batch.params,
                seen,
                self._memory,
                self._playing.decisions,
                batch.team.keys,
                np.int32(self._time),
                self._mine,
                batch.exploration,
                batch.edit,
            )

    def order(self) -> None:
        """Orders the actions that `decide` asked for."""
        with self._pool.account.spent("infer"):
            actions = np.asarray(self._action)
        unsent = self._pool.step(self.slots, actions[self._rows])
        if unsent:
            self.drop(event.slot for event in unsent)
        self.waiting = len(self.slots)

    def _as_mask(self) -> jax.Array:
        """[B] which rows are its own, on the device."""
        mine = np.zeros(self._playing.batch.size, bool)
        mine[self._rows] = True
        return jax.device_put(mine, device())
