"""A number for each sender and receiver, as a matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.palette import FAINT, FLOOR, INK, agent_color
from marlcomm.envs.render.style import shade_text

READABLE = 8  # agents up to which every cell of a matrix has its number


def plot_pairs(
    table: np.ndarray,
    *,
    title: str = "",
    form: str = "{:.2f}",
    largest: float | None = None,
    marked: np.ndarray | None = None,
    names: Sequence[str] = (),
) -> Figure:
    """A matrix with a row for each sender and a column for each receiver; darker is more, gray is no number.

    Args:
      table: [N, N], NaN where there is no number.
      title: a line above.
      form: how to write a number.
      largest: what the darkest color stands for; by default the largest number.
      marked: [N, N] bool, cells with a frame and bold print.
      names: [N] what to call the agents; their numbers by default.
    """
    count = len(table)
    size = 1.1 + 0.52 * min(count, READABLE)
    figure = Figure(figsize=(size + 0.1, size), layout="constrained")
    axes = figure.subplots()
    known = table[~np.isnan(table)]
    top = max(known.max(initial=0.0), 1e-9) if largest is None else largest
    axes.set_facecolor(FLOOR)
    image = axes.imshow(np.ma.masked_invalid(table), cmap="Blues", vmin=0.0, vmax=top)
    if count <= READABLE:
        bold = np.zeros(table.shape, bool) if marked is None else marked
        for (row, column), value in np.ndenumerate(table):
            _cell(axes, row, column, value, form, value / top, bool(bold[row, column]))
    else:
        figure.colorbar(image, ax=axes, shrink=0.8)
    _agent_ticks(axes, names or [str(agent) for agent in range(count)])
    axes.set(xlabel="receiver", ylabel="sender")
    axes.set_title(title, fontsize=9, color=INK)
    return figure


def _cell(axes: Axes, row: int, column: int, value: float, form: str, share: float, marked: bool) -> None:
    if np.isnan(value):
        axes.text(column, row, "–", ha="center", va="center", color=FAINT)
        return
    weight = "bold" if marked else "normal"
    axes.text(
        column, row, form.format(value), ha="center", va="center", fontsize=9, color=shade_text(share), weight=weight
    )
    if marked:
        axes.add_patch(Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor=INK, linewidth=1.6))


def _agent_ticks(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for agent, label in enumerate(labels):
            label.set(color=agent_color(agent), fontweight="bold")
