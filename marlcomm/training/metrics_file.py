"""metrics.jsonl of one member: a line a chunk, of which none is lost without a word."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]


class MetricsFile:
    """One member's lines, and a checksum over all that was written."""

    def __init__(self, path: Path) -> None:
        """Names a file; nothing is touched yet."""
        self.path = path
        self._restart(b"")

    def append(self, row: Row) -> None:
        """Adds a line."""
        line = (json.dumps(row) + "\n").encode()
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("ab") as file:
            file.write(line)
        self._written += len(line)
        self._total.update(line)

    def mark(self) -> dict[str, Any]:
        """How far the file goes and a checksum over it, for `rewind`; what it holds is on disk then."""
        if self._written:
            with self.path.open("ab") as file:
                os.fsync(file.fileno())
        return {"bytes": self._written, "digest": self._total.hexdigest()[:16]}

    def rewind(self, chunk: int, mark: Any, set_aside: Callable[[Path], Path]) -> tuple[list[Row], str]:
        """Goes back to what was recorded up to `chunk`, to be appended to; gives the rows, and what was lost.

        Args:
          chunk: the last one to keep; 0 for none.
          mark: what `mark` gave after that chunk; None where nothing says how the file was (older versions).
          set_aside: moves a file away and gives its new path.
        """
        content = self.path.read_bytes() if self.path.exists() else b""
        if chunk == 0:
            self._restart(b"")
            if not content:
                return [], ""
            return [], f"{self.path}: its rows begin anew; the old ones are kept as {set_aside(self.path)}"
        whole = _up_to(content, mark)
        if whole is not None:
            if self.path.exists():
                os.truncate(self.path, len(whole))
            self._restart(whole)
            return _parse(whole)[0], ""
        rows, bad = _parse(content)
        rows = [row for row in rows if row["chunk"] <= chunk]
        lost = missing(rows, chunk)
        said = f"{self.path}: {lost}" if lost else ""
        if (mark is not None or bad) and not lost:
            said = f"{self.path} was changed after it was written; every row is there"
        if said and self.path.exists():
            said += f"; the file as it was is kept as {set_aside(self.path)}"
        self.path.parent.mkdir(exist_ok=True)
        kept = "".join(json.dumps(row) + "\n" for row in rows).encode()
        replace_file(self.path, kept)
        self._restart(kept)
        return rows, said

    def _restart(self, content: bytes) -> None:
        self._written, self._total = len(content), hashlib.sha256(content)


def read_rows(path: Path) -> tuple[list[Row], int]:
    """The rows of a file in order of their chunks, and how many lines are none; one that is being written is no row."""
    return _parse(path.read_bytes() if path.exists() else b"")


def missing(rows: Iterable[Row], last: int) -> str:
    """Says which of the chunks 1 .. `last` have no row; empty where all have one."""
    gaps, before = [], 0
    for chunk in sorted({row["chunk"] for row in rows if row["chunk"] <= last} | {last + 1}):
        if chunk > before + 1:
            gaps.append(str(before + 1) if chunk == before + 2 else f"{before + 1}-{chunk - 1}")
        before = chunk
    return f"no readable row for chunk {', '.join(gaps)} of {last}" if gaps else ""


def stack_metrics(lines: list[list[Row]]) -> dict[str, np.ndarray]:
    """Every metric as an array [time, P], a row a chunk; NaN where a member has no row of that chunk, or it lacks it.

    Rows that do not say their chunk stand by their position.
    """
    placed = [{row.get("chunk", place): row for place, row in enumerate(rows, 1)} for rows in lines]
    names = dict.fromkeys(name for rows in lines for row in rows for name in row)
    times = sorted(set().union(*placed))
    table = {name: np.full((len(times), len(lines)), np.nan) for name in names}
    for member, rows in enumerate(placed):
        for time, chunk in enumerate(times):
            for name, value in rows.get(chunk, {}).items():
                table[name][time, member] = np.nan if value is None else value
    return table


def replace_file(path: Path, content: bytes) -> None:
    """Replaces a file whole: a reader sees the old or the new one, never half."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _parse(content: bytes) -> tuple[list[Row], int]:
    rows: dict[int, Row] = {}
    *lines, last = content.split(b"\n")
    bad = 0
    for line in lines:
        row = _row(line)
        if row is None or row["chunk"] in rows:
            bad += 1
        else:
            rows[row["chunk"]] = row
    row = _row(last)  # a file cut exactly at a line's end, or a line that is being written
    if row is not None:
        rows.setdefault(row["chunk"], row)
    return [rows[chunk] for chunk in sorted(rows)], bad


def _row(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:  # no JSON, or no text at all
        return None
    if not isinstance(row, dict) or not all(isinstance(value, int | float | None) for value in row.values()):
        return None
    chunk = row.get("chunk")
    return row if isinstance(chunk, int) and not isinstance(chunk, bool) and chunk >= 1 else None


def _up_to(content: bytes, mark: Any) -> bytes | None:
    """What a mark stands for, if the file still begins with it."""
    if not isinstance(mark, dict) or not isinstance(mark.get("bytes"), int) or not 0 <= mark["bytes"] <= len(content):
        return None
    kept = content[: mark["bytes"]]
    return kept if hashlib.sha256(kept).hexdigest()[:16] == mark.get("digest") else None
