"""What the instruments found, as figures: pairs as a matrix, worth with its interval, who needs whom, and when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from marlcomm.analysis.figures.curves import plain_frame
from marlcomm.analysis.measures.ablation import Difference, MessageWorth, TalkGraph
from marlcomm.analysis.measures.talk import TalkOverTime
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.frames import draw_messages
from marlcomm.envs.render.shapes import FAINT, FLOOR, INK, agent_color

READABLE = 8  # agents up to which every cell of a matrix has its number
MOST_PAIRS = 20  # that are drawn with their intervals


def plot_pairs(
    table: np.ndarray,
    *,
    title: str = "",
    form: str = "{:.2f}",
    largest: float | None = None,
    marked: np.ndarray | None = None,
    names: Sequence[str] = (),
) -> Figure:
    """A matrix with a row a sender and a column a receiver; the darker the more, grey where there is nothing.

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


def plot_worth(worth: MessageWorth, *, names: Sequence[str] = ()) -> Figure:
    """Return lost without a message: a row a pair with 95 % intervals, the largest first, then all messages together.

    A full dot stands for a message that is cut, a hollow one for a message of another episode in its place.
    """
    cut, swapped = worth.cut, worth.swapped
    called = list(names) or [str(agent) for agent in range(len(cut.sender.mean))]
    pairs = [tuple(pair) for pair in np.argwhere(~np.isnan(cut.pair.mean)).tolist()]
    pairs = sorted(pairs, key=lambda pair: -max(cut.pair.mean[pair], swapped.pair.mean[pair]))[:MOST_PAIRS]
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


def plot_graph(graph: TalkGraph, worth: MessageWorth, *, names: Sequence[str] = ()) -> Figure:
    """The pairs that need to talk as arrows in the sender's color, each with the return lost if it alone is cut."""
    flat = len(graph.pairs) == 2  # side by side
    figure = Figure(figsize=(3.4, 1.2 if flat else 3.2), layout="constrained")
    axes = figure.subplots()
    draw_messages(axes, worth.cut.pair.mean[..., None], graph.pairs[..., None], list(names))
    if flat:
        axes.set_ylim(-0.55, 0.55)
    return figure


def plot_talk_over_time(talk: TalkOverTime, *, names: Sequence[str] = ()) -> Figure:
    """How often each agent says something at each step of an episode, over the share of episodes that get so far."""
    figure = Figure(figsize=(4.8, 3.2), layout="constrained")
    axes = figure.subplots()
    steps = np.arange(len(talk.going))
    axes.fill_between(steps, talk.going, step="mid", color=FLOOR, edgecolor=FAINT, label="episodes still going")
    reached = talk.going >= 0.01  # shares of fewer episodes jump about
    for agent in range(talk.said.shape[1]):
        label = names[agent] if names else f"agent {agent}"
        axes.plot(steps[reached], talk.said[reached, agent], "-o", ms=3.5, color=agent_color(agent), label=label)
    axes.set(xlabel="step of the episode", ylabel="share of episodes", ylim=(-0.03, 1.03))
    axes.set_xlim(-0.5, max(0.5, float(steps[reached].max(initial=0)) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain_frame(axes)
    axes.legend(fontsize=8, frameon=False, loc="best")
    return figure


def shade_text(share: float) -> str:
    """The color of a number on a cell of the color map "Blues"."""
    return "white" if share > 0.6 else INK


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
