"""Engines: who trains the parts of a sweep. This process does, or nodes of a cluster do."""

from __future__ import annotations

import importlib
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from marlcomm.sweeps.jobs import Job, Outcome
from marlcomm.training.interrupt import stop_between_chunks
from marlcomm.validation import UsageError, check_choice, nearest

ENGINES = {"ray": "marlcomm.sweeps.ray_engine:RayEngine", "submitit": "marlcomm.sweeps.submitit_engine:SubmititEngine"}
POLL = 1.0  # seconds between looks at what is trained elsewhere
Say = Callable[[str], None]


class Task(Protocol):
    """A part that an engine was given."""

    def done(self) -> bool:
        """Whether it has ended, in whichever way."""
        ...

    def result(self) -> Outcome:
        """How it ended. Raises whatever made the engine lose it."""
        ...

    def cancel(self) -> None:
        """Lets it save and stop; it is `done` when it has."""
        ...


class Engine(Protocol):
    """Who trains parts of a sweep."""

    #: whether parts are trained in other processes, whose progress is to be read from the sweep's folder
    elsewhere: bool

    def submit(self, jobs: Sequence[Job], say: Say) -> Sequence[Task]:
        """Begins, or will begin, to train each; `say` tells a person what is worth knowing.

        Raises:
          UsageError: what the engine was asked for cannot be.
          ImportError: it is not installed.
        """
        ...


class ThisProcess:
    """Trains one part after the other here."""

    elsewhere = False

    def __init__(self, progress: bool = True) -> None:
        """Args: whether each run shows its progress."""
        self._progress = progress

    def submit(self, jobs: Sequence[Job], say: Say) -> Sequence[Task]:
        """See `Engine`."""
        return [_Here(job, self._progress, say) for job in jobs]


class _Here:
    def __init__(self, job: Job, progress: bool, say: Say) -> None:
        self._job, self._progress, self._say = job, progress, say

    def done(self) -> bool:
        return True

    def result(self) -> Outcome:
        self._say(f"{self._job.title}: {len(self._job.part['members'])} members")
        return Outcome(self._job.train(self._progress))

    def cancel(self) -> None: ...


def make_engine(name: str, options: Mapping[str, Any] | None = None) -> Engine:
    """The engine called `name`. Raises UsageError: there is none, or it has no such option."""
    module, _, attribute = ENGINES[check_choice("engine", name, tuple(ENGINES))].partition(":")
    make = getattr(importlib.import_module(module), attribute)
    known = inspect.signature(make).parameters
    for key in options or {}:
        if key not in known and not any(each.kind is each.VAR_KEYWORD for each in known.values()):
            raise UsageError(f"engine {name!r} has no setting {key!r}.{nearest(key, tuple(known))}")
    return make(**(options or {}))


def follow(engine: Engine, jobs: Sequence[Job], say: Say, look: Callable[[], None]) -> Iterator[tuple[Job, Outcome]]:
    """Trains every job, and gives each with how it ended as soon as it has.

    Args:
      engine: who trains them.
      jobs: in the order in which they are to begin.
      say: tells a person a line.
      look: is called between looks at what is trained.

    Raises:
      KeyboardInterrupt: SIGINT, SIGTERM or SIGHUP came; whatever was trained has saved and stopped.

    What is still trained when whoever asks stops asking is cancelled, too.
    """
    with stop_between_chunks(say) as stopping:
        waiting = dict(zip(engine.submit(jobs, say), jobs, strict=True)) if jobs else {}
        cancelled = False
        try:
            while waiting:
                if stopping.is_set() and not cancelled:
                    cancelled = True
                    if not engine.elsewhere:
                        break
                    _cancel(waiting)
                ended = next((task for task in waiting if task.done()), None)
                if ended is not None:
                    job, outcome = waiting.pop(ended), _outcome(ended)
                    if not (cancelled and outcome.error):  # what was stopped has not failed
                        yield job, outcome
                    continue
                look()
                _pause(stopping)
        except BaseException:
            _cancel(waiting)
            raise
    if cancelled:
        raise KeyboardInterrupt


def _cancel(tasks: Iterable[Task]) -> None:
    for task in tasks:
        task.cancel()


def _outcome(task: Task) -> Outcome:
    try:
        return task.result()
    except Exception as error:  # a node is lost for good, or killed what it trained
        return Outcome(f"{type(error).__name__}: {' '.join(str(error).split())}")


def _pause(stopping: threading.Event) -> None:
    threading.Event().wait(0.2) if stopping.is_set() else stopping.wait(POLL)
