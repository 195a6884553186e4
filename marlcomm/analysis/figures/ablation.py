"""Return lost without messages, with its confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from marlcomm.analysis.measures.ablation import Difference, MessageWorth
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.palette import FAINT, INK, agent_color
from marlcomm.envs.render.style import plain_frame

MAX_PAIRS = 20  # that are drawn with their intervals


def plot_worth(worth: MessageWorth, *, names: Sequence[str] = ()) -> Figure:
    """Return lost without messages: a row for each pair with 95 % intervals, the largest first, then all messages.

    A full dot stands for a message that is cut, a hollow one for a message of another episode in its place.
    """
    cut, swapped = worth.cut, worth.swapped
    called = list(names) or [str(agent) for agent in range(len(cut.sender.mean))]
    pairs = [tuple(pair) for pair in np.argwhere(~np.isnan(cut.pair.mean)).tolist()]
    pairs = sorted(pairs, key=lambda pair: -max(cut.pair.mean[pair], swapped.pair.mean[pair]))[:MAX_PAIRS]
    figure = Figure(figsize=(4.8, 1.2 + 0.34 * len(pairs)), layout="constrained")
    axes = figure.subplots()
    for height, pair in enumerate(pairs):
        _intervals(axes, height, cut.pair, swapped.pair, pair, agent_color(pair[0]))
    _intervals(axes, len(pairs), cut.everything, swapped.everything, (), INK)
    axes.axvline(0, color=INK, linewidth=0.8, linestyle=":", zorder=1)
    axes.axhline(len(pairs) - 0.5, color=FAINT, linewidth=0.8)
    axes.set_yticks(range(len(pairs) + 1), [*(f"{called[i]} → {called[j]}" for i, j in pairs), "all"])
    axes.set(xlabel="return lost", ylim=(len(pairs) + 0.5, -0.6))
    plain_frame(axes)
    figure.legend(
        handles=[
            Line2D([], [], marker="o", color=INK, label="message cut"),
            Line2D([], [], marker="o", color=INK, markerfacecolor="white", label="of another episode"),
        ],
        loc="outside upper center", ncols=2, fontsize=8, frameon=False,
    )  # fmt: skip
    return figure


def _intervals(axes: Axes, height: float, cut: Difference, swapped: Difference, where: tuple, color: str) -> None:
    for found, aside, face in ((cut, -0.14, color), (swapped, 0.14, "white")):
        mean, low, high = (float(array[where]) for array in (found.mean, found.low, found.high))
        axes.plot([low, high], [height + aside] * 2, color=color, linewidth=1.6, solid_capstyle="butt")
        axes.plot([mean], [height + aside], "o", color=color, markerfacecolor=face, markersize=5)
