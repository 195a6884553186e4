"""Faults on request: what a real game has been seen to do, at any request of any kind.

A fault is written `kind@request:number`, such as `crash@step:5`: at the fifth `step` that a process is asked. `any`
counts all requests. Each happens once.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from marlcomm.bridge.starcraft.protocol import messages
from marlcomm.validation import UsageError, check_choice

KINDS = {
    "crash": "the process ends",
    "drop": "the connection is closed",
    "hang": "no answer comes",
    "error": "an error in place of an answer",
    "empty": "an answer of no bytes",
    "garbage": "an answer that is no message",
    "no_status": "an answer without the game's state",
    "ended": "the game says that it has ended",
    "bad_id": "the answer to another request",
}


class Fault(NamedTuple):
    """One fault."""

    kind: str  #: of `KINDS`
    request: str  #: kind of request, such as "step", or "any"
    number: int  #: which of these, from 1

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Reads `kind@request:number`. Raises UsageError where it is not that, or there is no such kind or request."""
        kind, at, rest = text.strip().partition("@")
        request, colon, number = rest.partition(":")
        if not (at and colon and kind and request and number.isdecimal() and int(number) > 0):
            raise UsageError(f"fault {text!r} must be kind@request:number, such as crash@step:5.")
        requests = [field.name for field in messages().Request.DESCRIPTOR.oneofs_by_name["request"].fields]
        check_choice("request of a fault", request, ("any", *requests))
        return cls(check_choice("fault", kind, tuple(KINDS)), request, int(number))

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.kind}@{self.request}:{self.number}"


class Faults:
    """Those that are still to happen."""

    def __init__(self, *faults: Fault | str, file: Path | None = None) -> None:
        """Faults by themselves, or one a line of a file, from which each is taken as it happens, by one process.

        Raises:
          UsageError: there is no such file, or something in it is no fault.
        """
        self._left = [Fault.parse(each) if isinstance(each, str) else each for each in faults]
        self._file = file
        self._asked: Counter[str] = Counter()
        self.happened: list[Fault] = []  #: in their order
        self._waiting()

    def at(self, request: str) -> str:
        """Counts a request; the kind of the fault that happens at it, or nothing."""
        self._asked.update((request, "any"))
        for fault in self._waiting():
            if fault.request in (request, "any") and self._asked[fault.request] == fault.number and self._take(fault):
                self.happened.append(fault)
                return fault.kind
        return ""

    def _waiting(self) -> list[Fault]:
        if self._file is None:
            return [*self._left]
        try:
            lines = self._file.read_text().splitlines()
        except OSError as error:
            raise UsageError(f"the file of faults cannot be read: {error}") from None
        return [Fault.parse(line) for line in lines if line.strip()]

    def _take(self, fault: Fault) -> bool:
        """Whether nobody else has taken it."""
        if self._file is None:
            self._left.remove(fault)
            return True
        with FileLock(f"{self._file}.lock"):
            left = self._waiting()
            if fault not in left:
                return False
            left.remove(fault)
            new = Path(f"{self._file}.new")
            new.write_text("".join(f"{each}\n" for each in left))
            os.replace(new, self._file)  # others read meanwhile
        return True
