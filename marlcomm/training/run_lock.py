"""Who writes to a run folder: one process at a time."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path

import filelock

LOCK, PROCESS = ".lock", ".process"  # the second says who holds the first


class RunFolderError(RuntimeError):
    """A run folder is missing, in the way, in use, or holds another run; the message says what to do."""


class RunInUseError(RunFolderError):
    """Another process writes to a run folder."""


class RunLock:
    """An advisory lock on a folder. The system lets go of it when its process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Names the folder; nothing is touched yet."""
        self._folder = folder
        self._lock = filelock.FileLock(folder / LOCK, blocking=False, thread_local=False)

    def acquire(self) -> None:
        """Takes the lock.

        Raises:
          RunInUseError: somebody else has it; the message names the process.
        """
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise RunInUseError(
                f"{self._folder} is in use by {self._holder()}: wait for it to end, or choose another folder"
            ) from None
        (self._folder / PROCESS).write_text(json.dumps({"process": os.getpid(), "host": socket.gethostname()}))

    def release(self) -> None:
        """Lets go, if this process holds it."""
        if self._lock.is_locked:
            for step in ((self._folder / PROCESS).unlink, self._lock.release):
                with contextlib.suppress(OSError):  # the folder may be gone, or no longer ours to change
                    step()

    def _holder(self) -> str:
        try:
            holder = json.loads((self._folder / PROCESS).read_text())
            return f"process {holder['process']} on {holder['host']}"
        except (OSError, ValueError, KeyError, TypeError):  # it has only just begun
            return "another process"
