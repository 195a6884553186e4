"""The line to a game: requests go out together, responses come back in their order, and whatever else is a fault."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from marlcomm.bridge.simulator import SimulatorFault
from marlcomm.bridge.starcraft.protocol import ENDED, INSTALL, QUIT, MissingPackage, messages

MOST_WORDS = 200  # letters of what the game says that an error repeats


def websockets_client() -> Any:
    """The module `websockets.sync.client`. Raises MissingPackage with what to type."""
    try:
        from websockets.sync import client
    except ImportError:
        raise MissingPackage(
            f"The package websockets, through which the game is reached, is missing: {INSTALL}"
        ) from None
    return client


def in_words(text: Any) -> str:
    """What the game or a library said, on one line, without control characters, and short."""
    words = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return words if len(words) <= MOST_WORDS else f"{words[: MOST_WORDS - 3]}..."


class Connection:
    """A game's websocket. After any fault it cannot be used any more: the game must be started anew."""

    def __init__(self, port: int, seconds: float) -> None:
        """Connects. Raises OSError, TimeoutError or an error of websockets where nobody answers yet."""
        self._socket = websockets_client().connect(
            f"ws://127.0.0.1:{port}/sc2api",
            compression=None,
            max_size=None,
            open_timeout=seconds,
            close_timeout=1.0,
            ping_interval=None,  # deadlines are per request
            proxy=None,
        )
        self._number = 0
        self.status = 0  #: the game's state at its last response

    def ask(self, requests: Sequence[Any], seconds: float) -> list[Any]:
        """Sends requests together and waits for all responses.

        Args:
          requests: of `protocol`; the game works on them in their order.
          seconds: until when the last response must be there.

        Returns:
          The response to each, of the kind asked for, such as a `ResponseStep`.

        Raises:
          SimulatorFault: "no answer" in time; "disconnected"; "refused" with the game's own words; "bad answer", which
            is no response to what was asked; "ended", since the game has.
        """
        kinds = [each.WhichOneof("request") for each in requests]
        try:
            for each in requests:
                self._number += 1
                each.id = self._number
                self._socket.send(each.SerializeToString())
            until = time.monotonic() + seconds
            return [
                self._response(kind, self._number - len(kinds) + 1 + place, until - time.monotonic())
                for place, kind in enumerate(kinds)
            ]
        except TimeoutError:
            raise SimulatorFault("no answer", f"the game did not answer {kinds} within {seconds:g} seconds") from None
        except SimulatorFault:
            raise
        except Exception as error:  # of websockets or of the system: each means that the line is cut
            raise SimulatorFault("disconnected", f"during {kinds}: {in_words(error)}") from None

    def _response(self, kind: str, number: int, seconds: float) -> Any:
        frame = self._socket.recv(timeout=max(seconds, 0.0), decode=False)
        answer = messages().Response()
        try:
            answer.ParseFromString(frame)
        except Exception as error:  # DecodeError, of which module depends on the version
            raise SimulatorFault("bad answer", f"{len(frame)} bytes after {kind!r}: {in_words(error)}") from None
        given = answer.WhichOneof("response")
        if answer.error:
            raise SimulatorFault("refused", f"{kind!r}: {in_words('; '.join(answer.error))}")
        if not answer.HasField("status"):
            raise SimulatorFault("bad answer", f"to {kind!r}, without the game's state")
        self.status = answer.status
        if answer.status in (ENDED, QUIT):
            raise SimulatorFault("ended", f"the game has ended, as {kind!r} was asked")
        if given != kind or (answer.HasField("id") and answer.id != number):
            raise SimulatorFault("bad answer", f"to {kind!r} number {number}: {given!r} number {answer.id}")
        found = getattr(answer, kind)
        if "error" in found.DESCRIPTOR.fields_by_name and found.HasField("error"):
            what = found.DESCRIPTOR.fields_by_name["error"].enum_type.values_by_number[found.error].name
            raise SimulatorFault("refused", f"{kind!r}: {what} {in_words(found.error_details)}".rstrip())
        return found

    def close(self) -> None:
        """Closes the line; the game itself goes on."""
        self._socket.close()
