"""Stopping a run by Ctrl-C, SIGTERM or a hang-up without losing anything."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # those of them that this system knows
INTERRUPTED = 130  # what shells call the end by Ctrl-C


@contextlib.contextmanager
def stop_between_chunks(say: Callable[[str], Any]) -> Iterator[threading.Event]:
    """Turns the first SIGINT, SIGTERM or SIGHUP into a flag, to be acted on when state is whole, and says so at once;
    a SIGINT after that interrupts at once.

    Signals that are ignored (as under nohup) stay ignored. Outside the main thread signals cannot be caught, and
    nothing changes.
    """
    stopping = threading.Event()
    _asked[:] = [stopping]
    if not _hears_signals():
        yield stopping
        return
    before = {number: handler for number, handler in _handlers() if handler not in (signal.SIG_IGN, None)}

    def stop(number: int, frame: Any) -> None:
        first = not stopping.is_set()
        stopping.set()
        again = ""
        if signal.SIGINT in before:  # where it is ignored it stays so
            signal.signal(signal.SIGINT, signal.default_int_handler)
            again = "; Ctrl-C ends it now"
        if first:
            with contextlib.suppress(RuntimeError):  # it came in the middle of a line that is being written
                say(f"{signal.Signals(number).name}: stopping as soon as what runs now is done{again}")

    for number in before:
        signal.signal(number, stop)
    try:
        yield stopping
    finally:
        _asked.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_requested() -> bool:
    """Whether the run that goes on was asked to stop, so that what takes long may be left undone."""
    return any(event.is_set() for event in _asked)


_asked: list[threading.Event] = []  # of the run that goes on


def interruptibly(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Calls what computes or compiles for long, in such a way that signals are heard while it does.

    Python hears signals only between its own instructions, and so not before such a call is over: it is made in a
    thread of its own, which an interruption leaves behind.
    """
    if not _hears_signals():
        return function(*arguments, **named)
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(function(*arguments, **named))
        except BaseException as error:  # it is the caller's
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="computes", daemon=True)
    thread.start()
    try:
        return outcome.result()
    except KeyboardInterrupt:
        _left_behind.append(thread)
        raise


_left_behind: list[threading.Thread] = []


@atexit.register
def _end_without_waiting() -> None:
    """Ends the process where something left behind still computes: taking down what it works with would crash it."""
    if any(thread.is_alive() for thread in _left_behind):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(INTERRUPTED)


def _hears_signals() -> bool:
    return threading.current_thread() is threading.main_thread()


def _handlers() -> list[tuple[int, Any]]:
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    return [(number, signal.getsignal(number)) for number in numbers]
