"""A running game: started on a free port, reached through its socket, and gone when its worker is."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from marlcomm.bridge.simulator import SimulatorFault
from marlcomm.bridge.starcraft.connection import Connection, in_words
from marlcomm.bridge.starcraft.installation import Installation, Version
from marlcomm.bridge.starcraft.protocol import request

PAUSE = 0.1  # seconds between attempts to reach a game that starts
PATIENCE = 5.0  # seconds that a game is given to end by itself
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before a fork: after it, a lock may be held


class GameProcess:
    """The game's process, with a folder of its own for what it writes, in its worker's process group.

    Attributes:
      connection: the line to it.
    """

    def __init__(self, installation: Installation, version: Version, seconds: float) -> None:
        """Starts the game and connects.

        Args:
          installation: where it is.
          version: of that.
          seconds: until when it must answer.

        Raises:
          SimulatorFault: "launch", since it ended at once, or nobody answers in time; with its last words.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="sc2-", ignore_cleanup_errors=True)
        self._log = Path(self._folder.name) / "output.txt"
        self._process: subprocess.Popen[bytes] | None = None
        port, self._reserved = reserve_port()
        command = [str(version.binary), "-listen", "127.0.0.1", "-port", str(port)]
        command += ["-dataDir", f"{installation.folder}/", "-tempDir", f"{self._folder.name}/", "-displayMode", "0"]
        command += ["-dataVersion", version.data] if version.data else []
        try:
            self._process = self._launch(command, installation.folder)
            self.connection = self._connect(self._process, port, seconds)
        except BaseException:
            self.close()
            raise

    def _launch(self, command: list[str], folder: Path) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            try:
                return subprocess.Popen(
                    command,
                    cwd=folder / "Support64" if sys.platform == "win32" else folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    preexec_fn=_die_with_parent if sys.platform == "linux" else None,
                )
            except OSError as error:
                raise SimulatorFault("launch", f"{command[0]} does not start: {in_words(error)}") from None

    def _connect(self, process: subprocess.Popen[bytes], port: int, seconds: float) -> Connection:
        until = time.monotonic() + seconds
        last: object = "nothing"
        while time.monotonic() < until:
            if (code := process.poll()) is not None:
                raise SimulatorFault("launch", f"the game ended at once with code {code}: {self._last_words()}")
            try:
                return Connection(port, max(until - time.monotonic(), PAUSE))
            except Exception as error:  # refused, or 404 until it is ready
                last = error
            time.sleep(PAUSE)
        raise SimulatorFault("launch", f"no connection within {seconds:g} seconds: {in_words(last)}")

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return in_words(lines[-1]) if lines else "it said nothing"

    def close(self) -> None:
        """Ends the game, by force where it does not end by itself, and removes its folder."""
        connection = getattr(self, "connection", None)
        if connection is not None:
            with contextlib.suppress(SimulatorFault):
                connection.ask([request("quit")], 1.0)
            with contextlib.suppress(Exception):
                connection.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reserved.close()
        self._folder.cleanup()


def reserve_port() -> tuple[int, socket.socket]:
    """A free port for a game, and what reserves it until that is closed.

    A game takes seconds to listen, and workers start together: of two on one port, one would play the other's game. The
    port of the same number of UDP, which no game uses, says that it is taken.
    """
    while True:
        reserved = socket.socket(type=socket.SOCK_DGRAM)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with socket.socket() as probe, contextlib.suppress(OSError):  # somebody else has it
            probe.bind(("127.0.0.1", port))
            return port, reserved
        reserved.close()


def _die_with_parent() -> None:
    """Lets Linux kill the game when its worker dies, however that happens."""
    assert LIBC is not None
    LIBC.prctl(DEATH_SIGNAL, signal.SIGKILL)
