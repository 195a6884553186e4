"""The picture of a sweep, of what its runs have recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from marlcomm.analysis.figures.settings import SettingCurve, plot_settings
from marlcomm.sweeps.plan import Part, Plan
from marlcomm.training.record import RunFolder, stack_metrics

MEASURE = "test_return"


def plot_sweep(plan: Plan, folder: Path) -> Any:
    """A figure of every setting's return in evaluations, over its seeds, a panel a task."""
    curves = [each for part in plan.parts for each in _curves(part, folder / part.name)]
    found: dict[str, dict[str, list[SettingCurve]]] = {}
    common = set.intersection(*(set(about) for _, about, _ in curves)) if curves else set()
    for task, about, curve in curves:
        label = ", ".join(f"{name}={value}" for name, value in about if (name, value) not in common)
        found.setdefault(task, {}).setdefault(label or "all", []).append(curve)
    panels = {task: {label: _joined(own) for label, own in of_task.items()} for task, of_task in found.items()}
    return plot_settings(panels)


def _curves(part: Part, path: Path) -> Iterator[tuple[str, list[tuple[str, str]], SettingCurve]]:
    """Task, setting and evaluations of each member that was evaluated."""
    metrics = stack_metrics(RunFolder(path).read_metrics(len(part.members))) if path.is_dir() else {}
    if MEASURE not in metrics:
        return
    options = "".join(f", {name}={value}" for name, value in part.about["task_options"].items())
    for number, (_, changes) in enumerate(part.members):
        rows = np.isfinite(metrics[MEASURE][:, number])
        about = {"algorithm": part.about["algorithm"], **part.about["settings"], **changes}
        if rows.any():
            curve = SettingCurve(metrics["env_steps"][rows, number], metrics[MEASURE][rows, number, None])
            words = [(name, f"{value:g}" if isinstance(value, float) else str(value)) for name, value in about.items()]
            yield part.about["task"] + options, words, curve


def _joined(curves: list[SettingCurve]) -> SettingCurve:
    """The seeds of one setting side by side, as far as all of them go."""
    length = min(len(curve.steps) for curve in curves)
    steps = np.mean([curve.steps[:length] for curve in curves], axis=0)
    return SettingCurve(steps, np.concatenate([curve.values[:length] for curve in curves], axis=1))
