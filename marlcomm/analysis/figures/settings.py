"""Learning curves of many settings, each over its seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter

from marlcomm.analysis.measures.interquartile import interquartile_mean
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.palette import AGENT_COLORS, agent_color
from marlcomm.envs.render.style import plain_frame

NAMED = len(AGENT_COLORS)  # settings with a color and a name: the best; the others are gray


class SettingCurve(NamedTuple):
    """Evaluations of one setting."""

    steps: np.ndarray  #: [T] environment steps
    values: np.ndarray  #: [T, P] a column a seed


def plot_settings(panels: Mapping[str, Mapping[str, SettingCurve]], measure: str = "return") -> Figure:
    """Interquartile means over seeds with their 95 % bootstrap intervals, a line a setting, a panel a task.

    Args:
      panels: task -> label of a setting -> its curve. A setting has one color in all panels. Of more than eight, those
        with the eight best mean ranks at the end over the panels have colors and names.
      measure: name of the vertical axis.
    """
    figure = Figure(figsize=(5.4 * max(len(panels), 1), 3.8), layout="constrained")
    color = {label: agent_color(number) for number, label in enumerate(_best(panels))}
    for axes, (task, curves) in zip(np.ravel(figure.subplots(1, max(len(panels), 1))), panels.items(), strict=False):
        for label, curve in curves.items():
            _draw(axes, curve, label, color.get(label))
        axes.set(title=task, xlabel="environment steps", ylabel=measure, xlim=(0, None))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        plain_frame(axes)
        if color.keys() & curves.keys():
            axes.legend(fontsize=7, frameon=False)
    return figure


def _best(panels: Mapping[str, Mapping[str, SettingCurve]]) -> list[str]:
    """Labels of the settings that stand highest at the end, by their mean rank over panels."""
    ranks: dict[str, list[int]] = {}
    for curves in panels.values():
        last = {label: interquartile_mean(curve.values[-1], 100).mean for label, curve in curves.items()}
        ordered = sorted(last, key=lambda label: -np.nan_to_num(last[label], nan=-np.inf))
        for rank, label in enumerate(ordered):
            ranks.setdefault(label, []).append(rank)
    return sorted(ranks, key=lambda label: float(np.mean(ranks[label])))[:NAMED]


def _draw(axes: Axes, curve: SettingCurve, label: str, color: str | None) -> None:
    middles = np.array([interquartile_mean(values, 1000) for values in curve.values])
    if color is None:
        axes.plot(curve.steps, middles[:, 0], color="0.8", linewidth=0.8, zorder=1)
        return
    axes.plot(curve.steps, middles[:, 0], color=color, linewidth=2, label=label)
    axes.fill_between(curve.steps, middles[:, 1], middles[:, 2], color=color, alpha=0.15, linewidth=0)
