"""What a person sees while a run goes on: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Standing(NamedTuple):
    """How far a population is. Numbers are those of Python, which no sum can overflow.

    What is done is what the slowest member has done that goes on, or the furthest, if none does.
    """

    env_steps: np.ndarray  # [P]
    healthy: np.ndarray  # [P] bool
    all_steps: int  # of all members together
    done: int  # steps
    done_episodes: int
    done_updates: int


def standing(env_steps: np.ndarray, healthy: np.ndarray, episodes: np.ndarray, updates: np.ndarray) -> Standing:
    """How far members are whose counters these are, each [P]."""
    slowest = np.flatnonzero(healthy)[env_steps[healthy].argmin()] if healthy.any() else env_steps.argmax()
    done = (int(count[slowest]) for count in (env_steps, episodes, updates))
    return Standing(env_steps, healthy, sum(env_steps.tolist()), *done)


class HarmlessStream:
    """Writes to another stream until that fails, as when its reader is gone or a disk full; from then on to nothing."""

    def __init__(self, stream: Any) -> None:
        """Args: where to write; None for nowhere."""
        self._stream = stream
        self.encoding = getattr(stream, "encoding", "utf-8")

    def write(self, text: str) -> int:
        """As of any stream, but never fails."""
        self._try("write", text)
        return len(text)

    def flush(self) -> None:
        """As of any stream, but never fails."""
        self._try("flush")

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return bool(self._try("isatty"))

    def fileno(self) -> int:
        """As of any stream; raises OSError where there is none."""
        if self._stream is None:
            raise OSError("writes to nothing")
        return self._stream.fileno()

    def _try(self, method: str, *arguments: Any) -> Any:
        if self._stream is None:
            return None
        try:
            return getattr(self._stream, method)(*arguments)
        except (OSError, ValueError):  # a pipe without reader, a full disk, a terminal that is gone, a closed file
            self._stream = None
            return None


class LiveLine:
    """A line that moves while something goes on, where there is a terminal, and lines that stay behind.

    Where it cannot be shown any more, as behind a pipe that nobody reads, what it tells of goes on without it.
    """

    def __init__(self, total: float, shown: bool, title: str) -> None:
        """Args: what there is to do, whether to show anything, and what it is called."""
        self._console = Console(file=HarmlessStream(sys.stderr), quiet=not shown)  # pyright: ignore[reportArgumentType]
        self.moves = shown and self._console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            disable=not self.moves,
        )
        self._task = self._bar.add_task(title, total=total, note="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def say(self, text: str, style: str = "") -> None:
        """Leaves one line behind."""
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def move(self, done: float, note: str = "") -> None:
        """Moves the live line to what is done, with a word beside it."""
        self._bar.update(self._task, completed=done, note=note)


class ProgressReport(LiveLine):
    """A live line with speed, time left and the population's scores; every evaluation leaves a line behind."""

    def __init__(self, steps: int, members: int, shown: bool = True, title: str = "training") -> None:
        """Args: steps each member is to take, how many members, whether to show anything, and the live line's title."""
        super().__init__(steps, shown, title)
        self._steps, self._members = steps, members

    def advance(self, now: Standing, speed: float, metrics: Mapping[str, np.ndarray], more: str = "") -> None:
        """Moves the live line; `speed`: steps a second of all members; `more`: what the driver tells."""
        speeds = f"{now.done_updates:,} updates  {speed:,.0f} steps/s"
        parts = filter(None, [speeds, spread("training return", metrics["return"]), more])
        self.move(min(now.done, self._steps), "  ".join(parts))

    def evaluated(self, now: Standing, speed: float, found: Mapping[str, np.ndarray], more: str = "") -> None:
        """Leaves a line with what an evaluation found, over the population, and what the driver tells."""
        parts = [spread("return", found["return"])]
        if not np.isnan(found["won"]).all():
            parts.append(spread("won", found["won"]))
        parts.append(spread("bits/step", found["bits_per_step"]))
        parts += filter(None, [f"{speed:,.0f} steps/s", more])
        self.say(f"{now.done:>11,} steps  {now.done_updates:,} updates  {'  '.join(parts)}")


def spread(name: str, values: np.ndarray) -> str:
    """Mean over the population, with the least and the greatest where there are several."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return f"{name} -"
    text = f"{name} {_short(finite.mean())}"
    return text if values.size == 1 else f"{text} ({_short(finite.min())} .. {_short(finite.max())})"


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
