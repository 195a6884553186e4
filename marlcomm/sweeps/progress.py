"""How far a sweep is that is trained elsewhere, as its folder tells."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from marlcomm.sweeps.plan import Part, Plan
from marlcomm.training.progress import LiveLine

LAST_LINES = 8192  # bytes in which the last whole line of a metrics file is sought
STEP = 0.05  # share of the sweep after which a line is written where there is no terminal


def share_done(plan: Plan, folder: Path) -> float:
    """The share of all steps of all members that are trained, in [0, 1]."""
    whole = sum(len(part.members) * part.steps for part in plan.parts)
    return sum(share_of_part(part, folder / part.name) * len(part.members) * part.steps for part in plan.parts) / whole


def share_of_part(part: Part, path: Path) -> float:
    """The share of a part's steps that are trained, in [0, 1], by its first member."""
    if (path / "summary.json").exists():
        return 1.0
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError, TypeError):
        with (path / "member_0" / "metrics.jsonl").open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - LAST_LINES, 0))
            last = file.read().rpartition(b"\n")[0].splitlines()[-1]
        return min(json.loads(last)["env_steps"] / part.steps, 1.0)
    return 0.0


class SweepProgress(LiveLine):
    """A live line for a whole sweep; where there is no terminal, a line every so often."""

    def __init__(self, plan: Plan, folder: Path, shown: bool) -> None:
        """Args: what is trained and where, and whether to show anything."""
        super().__init__(1.0, shown, "sweep")
        self._plan, self._folder, self._said = plan, folder, 0.0

    def look(self) -> None:
        """Looks how far the sweep is."""
        share = share_done(self._plan, self._folder)
        self.move(share)
        if share >= self._said + STEP and not self.moves:
            self._said = share
            self.say(f"{share:.0%} of the sweep is done")
