"""Starts worker processes: in a session of their own, with a folder and a log of their own, in any interpreter."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marlcomm.bridge.simulator import SimulatorSpec
from marlcomm.names import SIMULATORS
from marlcomm.validation import UsageError

HERE = Path(__file__).parent
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
OF_THE_LEARNER = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")  # what misleads other interpreters
LOG_SHOWN = 2000  # characters


@dataclass(frozen=True)
class Recipe:
    """How a worker makes its simulator; all of it is data.

    Attributes:
      place: `module:function`, or `file.py:function`; see `marlcomm.bridge.simulator`.
      name: what the function is to make.
      options: its keyword arguments: numbers, words, flags, lists of them.
      python: the interpreter; empty for the learner's own.
      imports: modules to import first.
    """

    place: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    python: str = ""
    imports: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What a worker is told of it."""
        path = None if self.python else [*map(os.path.abspath, sys.path), os.getcwd()]
        names = {"place": self.place, "name": self.name, "options": dict(self.options), "import": list(self.imports)}
        return {**names, "path": path}


class Workplace:
    """A private folder for the workers of one pool, and the keeper that ends what outlives the learner."""

    def __init__(self) -> None:
        """Makes the folder, and starts the keeper."""
        self.folder = Path(tempfile.mkdtemp(prefix="marlcomm-bridge-"))
        command = [sys.executable, "-I", "-S", str(HERE / "keeper.py"), str(self.folder)]
        self._keeper = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def watch(self, group: int) -> None:
        """Tells the keeper of a process group; of one that is over where the number is negative."""
        with contextlib.suppress(OSError):  # it is gone: the others still end with the learner, by their sockets
            assert self._keeper.stdin is not None
            self._keeper.stdin.write(b"%d\n" % group)
            self._keeper.stdin.flush()

    def close(self) -> None:
        """Lets the keeper clean up, and waits for it."""
        with contextlib.suppress(OSError):
            assert self._keeper.stdin is not None
            self._keeper.stdin.close()
        try:
            self._keeper.wait(10.0)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class WorkerProcess:
    """One process, and the learner's end of its socket."""

    def __init__(self, recipe: Recipe, workplace: Workplace, label: str, passed: Sequence[int], more: dict) -> None:
        """Starts it.

        Args:
          recipe: its simulator.
          workplace: where it works.
          label: names its log and folder.
          passed: descriptors that it gets, too.
          more: what else it is told.
        """
        self.log = workplace.folder / f"{label}.log"
        self.folder = workplace.folder / label
        self.folder.mkdir(exist_ok=True)
        self.socket, theirs = socket.socketpair()
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "TMPDIR": str(self.folder)}
        if recipe.python:
            environment = {name: value for name, value in environment.items() if name not in OF_THE_LEARNER}
        command = [recipe.python or sys.executable, "-u", str(HERE / "start.py"), str(theirs.fileno())]
        try:
            with theirs, self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(theirs.fileno(), *passed),
                    start_new_session=True,
                    env=environment,
                )
        except OSError as error:
            self.socket.close()
            raise UsageError(f"python={recipe.python!r}: cannot be run: {error.strerror or error}") from error
        self._workplace = workplace
        workplace.watch(self.process.pid)
        with contextlib.suppress(OSError):  # it ended at once; that is noticed where its answer is waited for
            self.socket.sendall(json.dumps({**recipe.as_json(), **more}).encode() + b"\n")

    def last_words(self) -> str:
        """How it ended, if it did, and the end of its log."""
        said = ""
        with contextlib.suppress(OSError):
            said = self.log.read_text(errors="replace")[-LOG_SHOWN:].strip()
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self.process.wait(0.2)  # its end is heard of just before
            return f"{_ending(code)}\n{said}".strip()
        return said

    def kill(self) -> None:
        """Ends it and all that it started, at once."""
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5.0)
        self._workplace.watch(-self.process.pid)
        self.socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.log.unlink()


def _ending(code: int) -> str:
    """What a process's exit status says."""
    if code >= 0:
        return f"it ended with exit status {code}"
    short = ", as the system does where memory is short" if code == -signal.SIGKILL else ""
    return f"signal {-code} ended it ({signal.strsignal(-code)}){short}"


def describe(recipe: Recipe, seconds: float) -> SimulatorSpec:
    """The sizes of a simulator, which a process of its own is asked for.

    Raises:
      UsageError: it cannot be made, or does not say within so many seconds.
    """
    workplace = Workplace()
    process = None
    try:
        process = WorkerProcess(recipe, workplace, "describe", (), {})
        said = _line(process.socket, seconds)
        if said is None:
            raise UsageError(f"{_what(recipe)} did not start within start_seconds={seconds:g}. {process.last_words()}")
        if "spec" not in said:
            words = said.get("trace")
            if words is None:
                words = process.last_words() or "it said nothing"
            raise UsageError(
                f"{_what(recipe)} cannot be made: {said.get('error', 'it ended at once')}\n{words}".strip()
            )
        return SimulatorSpec.from_json(said["spec"])
    finally:
        if process is not None:
            process.kill()
        workplace.close()


def _what(recipe: Recipe) -> str:
    """The simulator by the name that users call it by."""
    schemes = [scheme for scheme in SIMULATORS.schemes() if SIMULATORS.place(scheme) == recipe.place]
    return f"the simulator {':'.join([*schemes[:1], recipe.name])!r}"


def _line(channel: socket.socket, seconds: float) -> dict[str, Any] | None:
    """What a process says in one line of JSON; nothing in it where it ends first, None where it takes too long."""
    until, said = time.monotonic() + seconds, b""
    while not said.endswith(b"\n"):
        channel.settimeout(max(until - time.monotonic(), 0.001))
        try:
            part = channel.recv(65536)
        except TimeoutError:
            return None
        except OSError:
            return {}
        if not part:
            return {}
        said += part
    return json.loads(said)
