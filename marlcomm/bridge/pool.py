"""Worker processes, the orders that they are given, and what is done when one fails."""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from marlcomm.bridge.account import Account
from marlcomm.bridge.block import CLOSE, HELLO, RESET, STEP, SharedBlock, layout, read_trouble, sentinels
from marlcomm.bridge.launch import Recipe, WorkerProcess, Workplace
from marlcomm.bridge.simulator import SimulatorSpec
from marlcomm.training.drivers import CannotPlay

ABSENT, STARTING, READY, BUSY, CLOSING, GONE = range(6)  # what a slot's worker is
DIED, SILENT, FROZEN, ILLEGAL, NOT_STARTED = "died", "no answer", "no heartbeat", "illegal action", "did not start"
CLOSE_SECONDS, STALE_SECONDS = 5.0, 10.0
FIRST_TRIES = 2  # of each worker: where none starts at all, more would not help


class SimulatorsFailed(CannotPlay):
    """Fewer workers are left than a run needs; the message says why they failed."""


@dataclass(frozen=True)
class Limits:
    """When a worker counts as failed, and what is done then.

    Attributes:
      start_seconds, reset_seconds, step_seconds: how long each may take.
      failures: of a worker in a row, without an episode between them, after which it is given up; others go on.
      min_workers: a run stops where fewer are left.
      recycle: episodes after which a worker is replaced in good health, against what leaks; 0 for never.
      backoff: seconds before the second try in a row, doubled with each further one; the first is made at once.
      longest_backoff: seconds.
      starting: workers that start at the same time, at most.
    """

    start_seconds: float = 180.0
    reset_seconds: float = 180.0
    step_seconds: float = 60.0
    failures: int = 8
    min_workers: int = 1
    recycle: int = 0
    backoff: float = 1.0
    longest_backoff: float = 60.0
    starting: int = max(os.cpu_count() or 1, 2)

    def wait_before(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        return 0.0 if failures < 2 else min(self.backoff * 2.0 ** (failures - 2), self.longest_backoff)

    def seconds(self, kind: int) -> float:
        """How long an order may take."""
        return {HELLO: self.start_seconds, RESET: self.reset_seconds, STEP: self.step_seconds}[kind]


class Event(NamedTuple):
    """Something happened in a slot: its order was done, or its episode is lost."""

    slot: int
    lost: str = ""  #: the cause


class WorkerPool:
    """W slots, each with a worker that is kept alive, and a shared block.

    Single-threaded: workers are started, watched and replaced within `wait`.

    Attributes:
      block: what orders and answers are written into.
      account: counts what becomes of episodes.
      news: sentences that a person should read, oldest first; whoever shows them takes them out.
    """

    def __init__(self, recipe: Recipe, spec: SimulatorSpec, workers: int, limits: Limits | None = None) -> None:
        """Prepares W = `workers` slots; processes start at the first `wait`."""
        self.recipe, self.spec, self.limits = recipe, spec, limits or Limits()
        self.block, self.account = SharedBlock(spec, workers), Account()
        self.news: list[str] = []
        self._workplace = Workplace()
        self._done, self._tell_done = os.pipe()
        os.set_blocking(self._done, False)
        self._poll = select.poll()
        self._poll.register(self._done, select.POLLIN)
        self._processes: list[WorkerProcess | None] = [None] * workers
        self._slot_of: dict[int, int] = {}  # descriptor of a socket -> its slot
        self._state = np.full(workers, ABSENT, np.int8)
        self._until = np.zeros(workers)  # deadline of what goes on; of an absent one, when to start it
        self._failures, self._played = np.zeros(workers, int), np.zeros(workers, int)
        self._playing = np.full(workers, -1, np.int64)  # number of the episode
        self._ordered, self._answered = self.block.order["number"], self.block.answer["number"]
        self._last, self._any_started = ("", ""), False
        self._closed = False

    def __len__(self) -> int:
        """W."""
        return len(self._processes)

    def idle(self) -> np.ndarray:
        """The slots whose workers are ready to begin an episode."""
        return np.flatnonzero((self._state == READY) & (self._playing < 0))

    def worth_waiting(self) -> bool:
        """Whether more workers will be ready soon: some start, or are about to, that did not just fail."""
        return bool((np.isin(self._state, (ABSENT, STARTING, CLOSING)) & (self._failures == 0)).any())

    def processes(self) -> list[int | None]:
        """The ids of the workers' processes."""
        return [None if each is None else each.process.pid for each in self._processes]

    def begin(self, slots: np.ndarray, seeds: np.ndarray) -> None:
        """Orders resets: an episode begins in each slot."""
        self._playing[slots] = self.account.begun + np.arange(len(slots))
        self.account.begun += len(slots)
        self.block.order["episode"][slots] = self._playing[slots]
        self.block.order["seed"][slots] = seeds
        self._order(slots, RESET)

    def step(self, slots: np.ndarray, actions: np.ndarray) -> list[Event]:
        """Orders a step with actions [len(slots), N, ...].

        An action that the mask of its slot forbids is not sent: the episode is lost, as the events say that come back.
        """
        legal = self._legal(slots, actions)
        self.block.action[slots] = actions
        self.block.order["action_of"][slots] = self._answered[slots]
        self._order(slots[legal], STEP)
        return [event for slot in slots[~legal] for event in self._failed(int(slot), ILLEGAL, "", replace=False)]

    def delivered(self, slots: np.ndarray) -> None:
        """Says that the episodes in these slots have ended, and all of them is taken."""
        self.account.delivered += len(slots)
        self._playing[slots] = -1
        self._failures[slots] = 0
        self._played[slots] += 1
        if self.limits.recycle:
            for slot in slots[self._played[slots] >= self.limits.recycle]:
                self.account.recycled += 1
                self._close(int(slot))

    def abandon(self) -> None:
        """Forgets episodes that are under way; their workers are replaced, or begin anew."""
        for slot in np.flatnonzero(self._playing >= 0):
            self.account.abandoned += 1
            self._playing[slot] = -1
            if self._state[slot] == BUSY:
                self._replace(int(slot), time.monotonic())

    def wait(self, seconds: float) -> list[Event]:
        """What happened, as soon as anything did; nothing after so many seconds.

        Raises:
          SimulatorsFailed: too few workers are left.
        """
        until = time.monotonic() + seconds
        while True:
            settled = self._state.min() >= READY and self._state.max() <= BUSY
            if not settled:
                self._check_enough()
                self._start_due()
            events = self._look(until, settled)
            if events or time.monotonic() >= until:
                return events

    def close(self) -> None:
        """Ends all workers and what they started. May be called again."""
        if self._closed:
            return
        self._closed = True
        self.account.abandoned += int((self._playing >= 0).sum())
        for slot in np.flatnonzero(self._state == READY):
            self._close(int(slot))
        until = time.monotonic() + CLOSE_SECONDS
        while (self._state == CLOSING).any() and time.monotonic() < until:
            self._look(until)
        for slot in range(len(self)):
            self._end(slot)
        self._workplace.close()
        self.block.close()
        os.close(self._done)
        os.close(self._tell_done)

    def _order(self, slots: np.ndarray, kind: int) -> None:
        self.block.order["kind"][slots] = kind
        self._ordered[slots] += np.uint64(1)
        self._state[slots] = BUSY
        self._until[slots] = time.monotonic() + self.limits.seconds(kind)
        for slot in slots:
            self._signal(slot)

    def _signal(self, slot: int) -> None:
        process = self._processes[slot]
        assert process is not None
        with contextlib.suppress(OSError):  # it died: that is noticed next
            process.socket.send(b"o")

    def _legal(self, slots: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """[len(slots)] whether every agent's action is allowed; of one to whom nothing is allowed, any is."""
        if self.spec.continuous:
            return np.asarray(np.isfinite(actions).all((1, 2)))
        mask, known = self.block.action_mask[slots], (actions >= 0) & (actions < self.spec.num_actions)
        chosen = np.take_along_axis(mask, np.where(known, actions, 0)[..., None], -1)[..., 0]
        return np.asarray(((known & chosen) | ~mask.any(-1)).all(-1))

    def _look(self, until: float, settled: bool = False) -> list[Event]:
        """Waits for the next thing to happen, at most until then, and sees to it; `settled`: none is to be replaced."""
        now, busy = time.monotonic(), self._state == BUSY
        waiting = busy
        if not settled:
            waiting = np.isin(self._state, (BUSY, STARTING, CLOSING)) | ((self._state == ABSENT) & (self._until > now))
        nearest = min(until, float(self._until[waiting].min(initial=until)))
        ready = self._poll.poll(max(nearest - now, 0.0) * 1000.0 + 0.5 if nearest > now else 0)
        silent = [fd for fd, _ in ready if fd != self._done]
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._done, 4096)) == 4096:
                pass
        answered = np.asarray(self._answered == self._ordered)
        well = answered & busy & (self.block.answer["fault"] == 0)
        self._state[well] = READY
        self.account.busy += float(self.block.answer["simulated"][well].sum())
        events = [Event(slot) for slot in np.flatnonzero(well).tolist()]
        if not settled or answered[busy & ~well].any():
            others = answered & ~well & (busy | (self._state == STARTING))
            events += [each for slot in np.flatnonzero(others).tolist() for each in self._take(slot)]
        events += [each for fd in silent if fd in self._slot_of for each in self._ended(self._slot_of[fd])]
        if nearest <= time.monotonic():
            events += self._overdue(time.monotonic())
        return events

    def _take(self, slot: int) -> list[Event]:
        """A worker says that it is there, or that something went wrong."""
        if self.block.answer["fault"][slot]:
            return self._failed(slot, *read_trouble(self.block.trouble[slot]))
        self._state[slot], wrong = READY, self._misplaced(slot)
        self._any_started |= not wrong
        return self._failed(slot, "handshake", f"{wrong} do not arrive where they should") if wrong else []

    def _misplaced(self, slot: int) -> str:
        """The first field whose sentinels did not arrive; nothing where all did."""
        for name, (dtype, shape) in layout(self.spec).items():
            if name in ("order", "answer", "trouble", "action"):
                continue
            if not np.array_equal(getattr(self.block, name)[slot], sentinels(name, slot, dtype, shape)):
                return name
        return ""

    def _ended(self, slot: int) -> list[Event]:
        """A worker's socket has something to say, which it only does as it ends."""
        process = self._processes[slot]
        assert process is not None
        said = b""
        with contextlib.suppress(OSError, ValueError):
            process.socket.setblocking(False)
            while part := process.socket.recv(65536):
                said += part
        if self._state[slot] == CLOSING:
            self._replace(slot, time.monotonic())
            return []
        text = process.last_words()
        with contextlib.suppress(ValueError):
            words = json.loads(said)
            text = f"{words['error']}\n{words['trace']}"
        return self._failed(slot, NOT_STARTED if self._state[slot] == STARTING else DIED, text)

    def _overdue(self, now: float) -> list[Event]:
        events: list[Event] = []
        for slot in np.flatnonzero((self._until <= now) & np.isin(self._state, (BUSY, STARTING, CLOSING))):
            if self._state[slot] == CLOSING:
                self._replace(int(slot), now)
                continue
            stale = now - float(self.block.answer["heartbeat"][slot]) > STALE_SECONDS
            cause = NOT_STARTED if self._state[slot] == STARTING else FROZEN if stale else SILENT
            events += self._failed(int(slot), cause, "it did not answer in time")
        return events

    def _failed(self, slot: int, cause: str, text: str, replace: bool = True) -> list[Event]:
        """Counts what went wrong in a slot, and sees to another worker there; `replace` False keeps this one."""
        playing, self._playing[slot] = self._playing[slot], -1
        if playing >= 0:
            self.account.lost[cause] += 1
        if replace:
            self.account.failures[cause] += 1
            self._failures[slot] += 1
            self._last = (cause, text)
            if self.account.failures[cause] == 1:
                self._say(slot, cause, text)
            self._replace(slot, time.monotonic() + self.limits.wait_before(int(self._failures[slot])))
            if self._failures[slot] >= self.limits.failures:
                self._give_up(slot)
        return [Event(slot, cause)] if playing >= 0 else []

    def _say(self, slot: int, cause: str, text: str) -> None:
        words = text.strip().splitlines()
        self.news.append(f"worker {slot}: {cause}{f': {words[0]}' if words else ''}; it is replaced")

    def _give_up(self, slot: int) -> None:
        self._state[slot] = GONE
        left = int((self._state != GONE).sum())
        self.news.append(
            f"worker {slot} failed {self._failures[slot]} times in a row, and is given up: {left} are left"
        )

    def _check_enough(self) -> None:
        """Raises SimulatorsFailed where too few workers are left."""
        left, (cause, text) = int((self._state != GONE).sum()), self._last
        last = f"The last failed by {cause!r}: {text.strip() or 'it said nothing'}"
        if left < self.limits.min_workers:
            raise SimulatorsFailed(
                f"{left} of {len(self)} workers are left, and min_workers={self.limits.min_workers}. {last}"
            )
        if not self._any_started and (self._failures >= FIRST_TRIES).all():
            raise SimulatorsFailed(f"none of {len(self)} workers could be started. {last}")

    def _start_due(self) -> None:
        now = time.monotonic()
        for slot in np.flatnonzero((self._state == ABSENT) & (self._until <= now)):
            if int((self._state == STARTING).sum()) >= self.limits.starting:
                break
            self._start(int(slot), now)

    def _start(self, slot: int, now: float) -> None:
        for name, (dtype, shape) in layout(self.spec).items():
            if name == "action":
                self.block.action[slot] = sentinels(name, slot, dtype, shape)
        self.block.answer["heartbeat"][slot] = now
        self.block.order["kind"][slot] = HELLO
        self._ordered[slot] += np.uint64(1)
        facts = {"slot": slot, "slots": len(self), "block": self.block.descriptor, "done": self._tell_done}
        passed = (self.block.descriptor, self._tell_done)
        process = WorkerProcess(
            self.recipe, self._workplace, f"worker-{slot}", passed, {**facts, "spec": asdict(self.spec)}
        )
        self._processes[slot] = process
        self._slot_of[process.socket.fileno()] = slot
        self._poll.register(process.socket, select.POLLIN)
        self._state[slot], self._until[slot] = STARTING, now + self.limits.start_seconds
        self._signal(slot)

    def _close(self, slot: int) -> None:
        """Asks a worker to end in good order."""
        self.block.order["kind"][slot] = CLOSE
        self._ordered[slot] += np.uint64(1)
        self._state[slot], self._until[slot] = CLOSING, time.monotonic() + CLOSE_SECONDS
        self._signal(slot)

    def _replace(self, slot: int, start_at: float) -> None:
        """Ends a worker, for another to start at that time."""
        self._end(slot)
        self._state[slot], self._until[slot], self._played[slot] = ABSENT, start_at, 0

    def _end(self, slot: int) -> None:
        process, self._processes[slot] = self._processes[slot], None
        if process is not None:
            self._poll.unregister(process.socket)
            del self._slot_of[process.socket.fileno()]
            process.kill()
