"""Learning curves. Figures are made without pyplot: nothing here opens a window or needs a display."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PANELS = {
    "test_return": "return (greedy)",
    "test_won": "episodes won (greedy)",
    "test_bits_per_step": "bits sent per step",
    "temporal_difference": "temporal-difference loss",
}


def plot_curves(runs: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Curves over environment steps: every member thin, the mean over members thick, a colour a run.

    Args:
      runs: label -> metrics as `TrainResult.metrics` or `SavedRun.metrics()`: name -> [time, P].
    """
    panels = {name: title for name, title in PANELS.items() if any(_has(run, name) for run in runs.values())}
    figure = Figure(figsize=(4.4 * max(len(panels), 1), 3.6), layout="constrained")
    colours = mpl.colormaps["tab10"].colors  # pyright: ignore[reportAttributeAccessIssue]
    for axes, (name, title) in zip(
        np.ravel(figure.subplots(1, max(len(panels), 1))), panels.items(), strict=False
    ):
        for number, (label, run) in enumerate(runs.items()):
            if _has(run, name):
                _draw(axes, run["env_steps"], run[name], label, colours[number % len(colours)])
        axes.set(title=title, xlabel="environment steps")
        axes.grid(alpha=0.3)
        if name == "test_won":
            axes.set_ylim(-0.02, 1.02)
        if name == "temporal_difference":
            axes.set_yscale("log")
        if len(runs) > 1:
            axes.legend(fontsize=8)
    return figure


def _has(run: Mapping[str, np.ndarray], name: str) -> bool:
    return name in run and bool(np.isfinite(run[name]).any())


def _draw(axes: Axes, steps: np.ndarray, values: np.ndarray, label: str, colour: tuple) -> None:
    rows = np.isfinite(values).any(1)
    steps, values = steps[rows], values[rows]
    for member in range(values.shape[1]):
        axes.plot(steps[:, member], values[:, member], color=colour, alpha=0.35, linewidth=0.8)
    axes.plot(np.nanmean(steps, 1), np.nanmean(values, 1), color=colour, linewidth=2, label=label)
