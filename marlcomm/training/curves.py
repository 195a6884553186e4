"""Learning curves. Figures are made without pyplot: nothing here opens a window or needs a display."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter

from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.palette import agent_color
from marlcomm.envs.render.style import draw_references, plain_frame
from marlcomm.training.record import RunFolder, stack_metrics
from marlcomm.training.saved import members_of
from marlcomm.validation import UsageError, check_choice

PANELS = {
    "test_return": "return (greedy)",
    "test_won": "episodes won (greedy)",
    "test_bits_per_step": "bits sent per step",
    "temporal_difference": "temporal-difference loss",
}


def plot_curves(
    runs: Any,
    *,
    panels: Sequence[str] | None = None,
    references: Mapping[str, float] | None = None,
) -> Figure:
    """Curves over environment steps: every member thin, the mean over seeds thick, a color a run.

    A run that sweeps hyper-parameters has a color for each of its settings: a mean over them would be of nothing.

    Args:
      runs: label -> a run: what `train` or `load_run` gave, a run folder, or metrics as `TrainResult.metrics`: name ->
        [time, P]. One run alone needs no label.
      panels: metrics to draw: any that a run has, such as "exploration"; by default those of `PANELS` that some run
        has. One of `PANELS` that no run has is left out, such as "test_won" where the task knows no winning.
      references: label -> height of a thin line in the panel of returns.

    Raises:
      UsageError: a panel that no run has, or something that is no run.
      RunFolderError: a path that is no run folder.
    """
    labelled = runs if isinstance(runs, Mapping) and not _are_metrics(runs) else {"": runs}
    tables = {name: own for label, run in labelled.items() for name, own in _by_setting(str(label), run).items()}
    recorded = [name for run in tables.values() for name in run if name not in ("chunk", "env_steps")]
    wanted = dict.fromkeys(PANELS if panels is None else panels)
    for name in wanted:
        check_choice("panels", name, list(dict.fromkeys([*PANELS, *recorded])))
    wanted = {name: PANELS.get(name, name) for name in wanted}
    shown = {name: title for name, title in wanted.items() if any(_has(run, name) for run in tables.values())}
    figure = Figure(figsize=(4.4 * max(len(shown), 1), 3.6), layout="constrained")
    for axes, (name, title) in zip(np.ravel(figure.subplots(1, max(len(shown), 1))), shown.items(), strict=False):
        for number, (label, run) in enumerate(tables.items()):
            if _has(run, name):
                _draw(axes, run["env_steps"], run[name], label, agent_color(number))
        axes.set(title=title, xlabel="environment steps", xlim=(0, None))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # 500k, 2M
        if name == "test_won":
            axes.set_ylim(-0.03, 1.03)
        if name == "test_bits_per_step":
            axes.set_ylim(0, None)
        if name == "test_return":
            draw_references(axes, references or {})
        if name == "temporal_difference":
            axes.set_yscale("log")
        plain_frame(axes)
        if len(tables) > 1:
            axes.legend(fontsize=8, frameon=False)
    return figure


def run_labels(paths: Sequence[str | Path]) -> list[str]:
    """What to call each run folder in a legend: its name, with as many folders before it as tell it from the others."""
    parts = [Path(os.path.abspath(path)).parts for path in paths]

    def label(own: tuple[str, ...]) -> str:
        others = {other for other in parts if other != own}
        depth = next(d for d in range(1, len(own) + 1) if all(other[-d:] != own[-d:] for other in others))
        return "/".join(own[-depth:]).replace("//", "/")

    return [label(own) for own in parts]


def _are_metrics(run: Any) -> TypeGuard[Mapping[str, np.ndarray]]:
    if not isinstance(run, Mapping) or not all(isinstance(values, np.ndarray) for values in run.values()):
        return False
    return not run or "env_steps" in run  # nothing, before the first chunk


def _metrics_of(run: Any) -> Mapping[str, np.ndarray]:
    """What was recorded of a run: of a folder, or of a run read back from one, what lies there now."""
    if _are_metrics(run):
        return run
    if _are_metrics(metrics := getattr(run, "metrics", None)):
        return metrics
    path = getattr(run, "path", run)
    if not isinstance(path, str | Path):
        raise UsageError(
            f"runs has {type(run).__name__} {run!r:.80}: give label -> what train or load_run gave, a run folder, or "
            "metrics as TrainResult.metrics"
        )
    return stack_metrics(RunFolder(path).read_metrics(len(members_of(run))))


def _by_setting(label: str, run: Any) -> dict[str, Mapping[str, np.ndarray]]:
    """Label -> metrics of the members with one setting; the run's own label where it sweeps nothing."""
    metrics = _metrics_of(run)
    settings = _settings_of(run)
    if len(set(settings)) < 2:
        return {label: metrics}
    which = {setting: [own == setting for own in settings] for setting in settings}
    return {
        ", ".join(filter(None, (label, setting))): {name: values[:, own] for name, values in metrics.items()}
        for setting, own in which.items()
    }


def _settings_of(run: Any) -> list[str]:
    """[P] what each member of a run sweeps, such as "beta=0.001"; nothing where that is not known."""
    if not (isinstance(run, str | Path) or hasattr(run, "population")):
        return []
    swept = [{name: value for name, value in member.items() if name != "seed"} for member in members_of(run)]
    return [", ".join(f"{name}={value:g}" for name, value in own.items()) for own in swept]


def _has(run: Mapping[str, np.ndarray], name: str) -> bool:
    return name in run and bool(np.isfinite(run[name]).any())


def _draw(axes: Axes, steps: np.ndarray, values: np.ndarray, label: str, color: str) -> None:
    rows = np.isfinite(values).any(1)
    steps, values = steps[rows], values[rows]
    for member in range(values.shape[1]):
        axes.plot(steps[:, member], values[:, member], color=color, alpha=0.3, linewidth=0.8)
    axes.plot(np.nanmean(steps, 1), np.nanmean(values, 1), color=color, linewidth=2, label=label)
