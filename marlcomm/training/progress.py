"""What a person sees while a run goes on: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class ProgressReport:
    """A live line with speed, time left and the population's scores; every evaluation leaves a line behind."""

    def __init__(self, steps: int, members: int, shown: bool = True) -> None:
        """Args: steps each member is to take, how many members, and whether to show anything."""
        self._console = Console(stderr=True, quiet=not shown)
        self._steps = steps
        self._members = members
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[speed]}  {task.fields[score]}"),
            console=self._console,
            disable=not shown or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=steps, speed="", score="")

    def __enter__(self) -> ProgressReport:
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def say(self, text: str, style: str = "") -> None:
        """Leaves one line behind."""
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def advance(self, done: int, speed: float, metrics: Mapping[str, np.ndarray]) -> None:
        """Moves the live line. `done`: the slowest member's steps; `speed`: steps a second of all members."""
        self._bar.update(
            self._task,
            completed=min(done, self._steps),
            speed=f"{speed:,.0f} steps/s",
            score=spread("training return", metrics["return"]),
        )

    def evaluated(self, done: int, speed: float, found: Mapping[str, np.ndarray]) -> None:
        """Leaves a line with what an evaluation found, over the population."""
        parts = [spread("return", found["return"])]
        if not np.isnan(found["won"]).all():
            parts.append(spread("won", found["won"]))
        parts.append(spread("bits/step", found["bits_per_step"]))
        self.say(f"{done:>11,} steps  {'  '.join(parts)}  {speed:,.0f} steps/s")


def spread(name: str, values: np.ndarray) -> str:
    """Mean over the population, with the least and the greatest where there are several."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return f"{name} -"
    text = f"{name} {_short(finite.mean())}"
    return text if values.size == 1 else f"{text} ({_short(finite.min())} .. {_short(finite.max())})"


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
