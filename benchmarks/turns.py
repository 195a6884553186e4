"""Work in processes of its own, each library in one that knows no other, called in turns."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any


class WorkerError(RuntimeError):
    """What was called in a worker failed, or took too long; the message says which and why."""


class Worker:
    """A fresh process that holds what its first call made, and does nothing between calls."""

    def __init__(self, environment: Mapping[str, str] | None = None, path: Sequence[str] = ()) -> None:
        """Starts it.

        Args:
          environment: variables that are set before anything else is imported.
          path: folders to import from first.
        """
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self.started = time.perf_counter()
        given = (theirs, dict(environment or {}), list(path))
        self._process = context.Process(target=_serve, args=given, daemon=True)
        self._process.start()
        theirs.close()

    def call(self, function: Callable[..., Any], *arguments: Any, limit: float = 600.0) -> Any:
        """What `function` of a module gives in the worker, waited for up to `limit` seconds.

        The function is given what the first call returned, before its arguments; the first is given None.

        Raises:
          WorkerError: it failed or took too long; the worker is gone then.
        """
        name = f"{function.__module__}.{function.__qualname__}"
        try:
            self._ours.send((function, arguments))
            if not self._ours.poll(limit):
                raise WorkerError(f"{name} gave nothing within {limit:.0f} s")
            well, found = self._ours.recv()
        except (EOFError, OSError) as error:
            self.close()
            raise WorkerError(f"{name}: its process ended ({type(error).__name__})") from error
        except WorkerError:
            self.close()
            raise
        if not well:
            self.close()
            raise WorkerError(f"{name}: {found}")
        return found

    def close(self) -> None:
        """Ends the process."""
        self._ours.close()
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection, environment: Mapping[str, str], path: Sequence[str]) -> None:
    """Answers calls until nobody is there; what is printed meanwhile goes where errors go."""
    os.environ.update(environment)
    sys.path[:0] = path
    os.dup2(2, 1)  # also for libraries that put standard output back
    held = None
    while True:
        try:
            function, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            found = function(held, *arguments)
            if held is None:
                held, found = found, None
            pipe.send((True, found))
        except Exception as error:
            traceback.print_exc()
            lines = str(error).strip().splitlines()
            pipe.send((False, f"{type(error).__name__}: {lines[0] if lines else ''}"))
