"""The frontier of communication: return against bits a step, of every member of several runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from marlcomm.messages.edits import Edit, parse_edits
from marlcomm.short_repr import ShortRepr
from marlcomm.training.curves import run_labels
from marlcomm.training.evaluate import Trained, evaluate
from marlcomm.training.saved import as_population
from marlcomm.validation import UsageError

AnyRun = Trained | str | Path


@dataclass(frozen=True, repr=False)
class Frontier(ShortRepr):
    """Return and bits of every member of every run under every edit: E entries, in that order.

    Attributes:
      task: that all were trained on.
      run: [E] label of the run.
      member: [E] its place in the run; name: [E] what the run calls it, such as "seed 3, weights.bits=0.01".
      edit: [E] what happened to messages; "" for nothing.
      bits_per_step: [E] bits of the whole team in an environment step.
      team_return: [E] undiscounted return; won: [E] share of episodes won, NaN where the task knows no winning.
      silent: return of the best silent team, NaN where nobody said; informed: of the best fully informed one.
      measure: what entries are compared by, "return" or "won".
    """

    task: str
    run: np.ndarray
    member: np.ndarray
    name: np.ndarray
    edit: np.ndarray
    bits_per_step: np.ndarray
    team_return: np.ndarray
    won: np.ndarray
    silent: float
    informed: float
    measure: str = "return"

    @property
    def normalized(self) -> bool:
        """Whether `worth` is on the scale of the best teams: both are known, and talk makes a difference."""
        return self.measure == "return" and bool(self.informed > self.silent)

    @property
    def worth(self) -> np.ndarray:
        """[E] the return, 0 for the best silent and 1 for the best informed team where `normalized`; else as it is.

        Where the measure is "won", that share.
        """
        if self.measure == "won":
            return self.won
        if not self.normalized:
            return self.team_return
        return (self.team_return - self.silent) / (self.informed - self.silent)

    @property
    def best(self) -> np.ndarray:
        """[E] bool: entries on the Pareto front. It takes every evaluation at its word, lucky ones too."""
        return pareto_front(self.bits_per_step, self.worth)

    @property
    def axis(self) -> str:
        """What `worth` is, in words."""
        if self.measure == "won":
            return "episodes won"
        return "return (0: best silent, 1: best informed)" if self.normalized else "return"

    def as_json(self) -> dict[str, Any]:
        """What JSON can hold of it: the scale, and an entry for each member and edit; None for what is not known."""

        def plain(value: Any) -> Any:
            value = value.item() if hasattr(value, "item") else value
            return None if isinstance(value, float) and not np.isfinite(value) else value

        columns = ("run", "member", "name", "edit", "bits_per_step", "team_return", "won", "worth", "best")
        rows = zip(*(getattr(self, column) for column in columns), strict=True)
        entries = [dict(zip(columns, map(plain, row), strict=True)) for row in rows]
        scale = {"silent": plain(self.silent), "informed": plain(self.informed), "normalized": self.normalized}
        return {"task": self.task, "measure": self.measure, **scale, "entries": entries}


def frontier(
    runs: AnyRun | Sequence[AnyRun] | Mapping[str, AnyRun],
    *,
    edits: Edit | str | Sequence[Edit | str | Sequence[Edit | str]] = (),
    silent: float | None = None,
    informed: float | None = None,
    measure: Literal["return", "won"] = "return",
    episodes: int = 1000,
    seed: int = 0,
) -> Frontier:
    """Return against bits a step for every member of several runs of one task, without edits and with each of them.

    Bits can be traded in training, by members that differ in `weights.bits` (with `quantization_step`), and afterwards,
    by edits.

    Args:
      runs: one or several, or by their labels: run folders, or what `train` or `load_run` gave.
      edits: what else is tried, each by itself, beside no edit at all: edits or their names, such as "quantize:4"; or
        several in a row for one.
      silent: return of the best silent team, which is 0 on the scale; by default what the task knows of it
        (`Environment.best_returns`).
      informed: the same of the best fully informed team, which is 1.
      measure: "return", or "won" for the share of episodes won, which has a scale of its own.
      episodes: for each member and edit.
      seed: decides everything.

    Returns:
      a `Frontier`; where not both returns are known, or they are the same, its scale is the return itself.

    Raises:
      UsageError: no run, runs of several tasks, an edit that does not exist, `informed` below `silent`, or what
        `evaluate` refuses.
    """
    if measure not in ("return", "won"):
        raise UsageError(f"measure={measure!r} must be 'return' or 'won'.")
    labelled = {label: as_population(run) for label, run in _labelled(runs).items()}
    tried = [("", ()), *((_edit_label(edit), edit) for edit in _alternatives(edits))]
    tasks = list(dict.fromkeys(repr(run.algorithm.env) for run in labelled.values()))
    if len(tasks) > 1:
        raise UsageError(f"runs={list(labelled)} play {' and '.join(tasks)}: a frontier is of one task.")
    env = next(iter(labelled.values())).algorithm.env
    low, high = _scale(env.best_returns(), silent, informed)
    if measure == "won" and not env.reports_won:
        raise UsageError(f"measure='won': {tasks[0]} knows no winning; use measure='return'.")
    rows: list[tuple[Any, ...]] = []
    for label, run in labelled.items():
        for edit_label, edit in tried:
            found = evaluate(run, edits=edit, episodes=episodes, seed=seed)
            for member in range(len(run.population)):
                measured = (float(found[name][member]) for name in ("bits_per_step", "return", "won"))
                rows.append((label, member, run.population.name(member), edit_label, *measured))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Frontier(tasks[0], *columns, silent=low, informed=high, measure=measure)


def pareto_front(cost: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """[E] bool: entries than which no other is as cheap and worth more, or cheaper and worth as much.

    Args:
      cost, worth: [E]; what is NaN in either is on no front, and keeps nothing from it.
    """
    cost, worth = np.asarray(cost, float), np.asarray(worth, float)
    front = np.zeros(cost.shape, bool)
    order = np.lexsort((-worth, cost))  # the cheapest first, of equals the best
    best, paid = -np.inf, np.nan
    for entry in order[~np.isnan(cost[order]) & ~np.isnan(worth[order])]:
        if worth[entry] > best or (worth[entry] == best and cost[entry] == paid):
            front[entry], best, paid = True, worth[entry], cost[entry]
    return front


def _labelled(runs: AnyRun | Sequence[AnyRun] | Mapping[str, AnyRun]) -> dict[str, AnyRun]:
    """Runs by their labels: those of folders as in a legend of curves, others by their algorithms, and by number."""
    if isinstance(runs, Mapping):
        found = dict(runs)
    else:
        listed: list[Any] = list(runs) if isinstance(runs, list | tuple) else [runs]
        folders = [run for run in listed if isinstance(run, str | Path)]
        if len(set(map(str, folders))) < len(folders):
            raise UsageError(f"runs={list(map(str, folders))} must name each run once.")
        names = dict(zip(map(str, folders), run_labels(folders), strict=True))
        found = {}
        for run in listed:
            name = names[str(run)] if isinstance(run, str | Path) else as_population(run).algorithm.name
            found[name if name not in found else f"{name} {len(found) + 1}"] = run
    if not found:
        raise UsageError("runs=[] must be one run at least.")
    return found


def _alternatives(edits: Any) -> list[tuple[Edit | str, ...]]:
    """Each alternative as a row of edits. Raises UsageError where one does not exist, before anything is played."""
    listed = list(edits) if isinstance(edits, list | tuple) else [edits]
    rows = [tuple(edit) if isinstance(edit, list | tuple) else (edit,) for edit in listed]
    for row in rows:
        parse_edits(row)
    return rows


def _edit_label(edits: Sequence[Edit | str]) -> str:
    return " + ".join(edit if isinstance(edit, str) else repr(edit) for edit in edits)


def _scale(known: Any, silent: float | None, informed: float | None) -> tuple[float, float]:
    low, high = known or (np.nan, np.nan)
    low, high = low if silent is None else float(silent), high if informed is None else float(informed)
    if high < low:
        raise UsageError(f"informed={high:g} must be at least silent={low:g}: who knows more can do as well.")
    return low, high
