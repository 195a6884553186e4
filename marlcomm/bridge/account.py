"""What became of all episodes that were begun, and of the time."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

PARTS = ("simulate", "infer", "transfer", "learn")  # of the learner's time; to simulate is to wait for simulators


class Account:
    """Counts of episodes, and seconds by part of the work.

    Attributes:
      begun: episodes that simulators were asked to begin.
      delivered: those that were played to their ends, and handed on, each once.
      abandoned: those that were under way when a run was interrupted.
      lost: cause -> how many that were dropped, as something went wrong in them.
      redrawn: how often an episode had been lost so many times that another was drawn in its place; as long as this is
        0, what was lost has left no trace.
      failures: cause -> how often a worker was replaced, in an episode or between two.
      recycled: how often a worker was replaced because it had played its number of episodes.
      ages: gradient steps that the learner was ahead of the policy that played -> how many episodes it learned from so.
      seconds: part -> seconds of the learner's time; to learn is only what nothing is played beside.
      busy: seconds that simulators computed, all of them together.
    """

    def __init__(self) -> None:
        self.begun = self.delivered = self.abandoned = self.redrawn = self.recycled = 0
        self.lost: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.ages: Counter[int] = Counter()
        self.seconds: dict[str, float] = dict.fromkeys(PARTS, 0.0)
        self.busy = 0.0

    def add(self, other: Account, times: int = 1) -> None:
        """Counts so many times what another has counted, too; but for the learner's time, of which each has its own."""
        for name in ("begun", "delivered", "abandoned", "redrawn", "recycled", "busy"):
            setattr(self, name, getattr(self, name) + times * getattr(other, name))
        for mine, theirs in ((self.lost, other.lost), (self.failures, other.failures)):
            for cause, count in theirs.items():
                mine[cause] += times * count

    @contextlib.contextmanager
    def spent(self, part: str) -> Iterator[None]:
        """Counts the time within as spent on a part of the work."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - began

    def shares(self) -> dict[str, float]:
        """Part -> its share of the time; zeros before anything was done."""
        total = sum(self.seconds.values()) or 1.0
        return {part: seconds / total for part, seconds in self.seconds.items()}

    def as_json(self) -> dict[str, Any]:
        """All of it, as a summary holds it."""
        return {
            "episodes": self.delivered,
            "lost_episodes": dict(sorted(self.lost.items())),
            "redrawn_episodes": self.redrawn,
            "abandoned_episodes": self.abandoned,
            "restarts": sum(self.failures.values()),
            "restarts_by_cause": dict(sorted(self.failures.items())),
            "recycled": self.recycled,
            "policy_age": {str(age): count for age, count in sorted(self.ages.items())},
            "time": {part: round(share, 4) for part, share in self.shares().items()},
        }

    def line(self) -> str:
        """The same in a few words."""
        lost = sum(self.lost.values())
        causes = ", ".join(f"{cause} {count}" for cause, count in self.lost.most_common())
        times = " ".join(f"{part} {share:.0%}" for part, share in self.shares().items())
        return f"{times}  lost {lost}{f' ({causes})' if lost else ''}  restarts {sum(self.failures.values())}"
