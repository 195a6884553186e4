"""Return over bits a step, with the Pareto front."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from marlcomm.analysis.measures.frontier import Frontier
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.palette import AGENT_COLORS, INK, agent_color
from marlcomm.envs.render.style import draw_references, plain_frame

_LOWEST = -0.5  # on the scale of the best teams; what is below says nothing about talk
_MARKERS = ("o", "s", "^", "D", "p", "P", "X", "*")  # no edit, and each edit
_PALE = 0.25  # of what another entry beats


def plot_frontier(frontier: Frontier, *, title: str = "") -> Figure:
    """Return of every member under every edit over the bits that it spends; the Pareto front is a line.

    Runs have colors, the ninth and later ones hollow, edits have markers; entries that another one beats are pale. The
    axis of bits is linear below 1 and logarithmic above, so that silence has its place. The line is what can be had for
    as many bits, or fewer. On the scale of the best teams, entries below -0.5 stand there, under their own heights.

    Args:
      frontier: from `frontier`.
      title: above the picture; by default the task.
    """
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("symlog", linthresh=1.0)  # before anything is drawn, so that margins are of this scale
    axes.update_datalim([(0.0, 0.0)], updatey=False)
    runs, edits = (list(dict.fromkeys(names.tolist())) for names in (frontier.run, frontier.edit))
    bits, worth, best = frontier.bits_per_step, frontier.worth, frontier.best
    low = frontier.normalized & (worth < _LOWEST) & ~np.isnan(bits)
    _tell_heights(axes, bits[low], worth[low])
    worth = np.where(low, _LOWEST, worth)
    for number, run in enumerate(runs):
        for marker, edit in zip(_repeated(len(edits)), edits, strict=True):
            own = (frontier.run == run) & (frontier.edit == edit)
            for which, alpha, size in ((own & ~best, _PALE, 18), (own & best, 1.0, 34)):
                look = {"alpha": alpha, "s": size, "marker": marker, "zorder": 3 if alpha == 1.0 else 2}
                face = "none" if _hollow(number) else agent_color(number)
                axes.scatter(bits[which], worth[which], facecolors=face, edgecolors=agent_color(number), **look)
    _draw_front(axes, bits[best], worth[best], float(np.nanmax(bits, initial=1.0)))
    if frontier.normalized:
        draw_references(axes, {"best silent": 0.0, "best informed": 1.0})
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="bits a step", ylabel=frontier.axis, title=title or frontier.task)
    axes.title.set_fontsize(9)
    plain_frame(axes)
    handles = [_sign(run, agent_color(number), "o", _hollow(number)) for number, run in enumerate(runs)]
    if len(edits) > 1:
        markers = zip(_repeated(len(edits)), edits, strict=True)
        handles += [_sign(edit or "no edit", INK, marker) for marker, edit in markers]
    if (~best & np.isfinite(bits) & np.isfinite(worth)).any():
        handles.append(_sign("pale: beaten by another", INK, "o", alpha=_PALE))
    if low.any():
        handles.append(_sign("lower than drawn:\nits height is written", INK, "v", alpha=_PALE))
    figure.legend(handles=handles, loc="outside right upper", fontsize=7, frameon=False)
    return figure


def _tell_heights(axes: Axes, bits: np.ndarray, worth: np.ndarray) -> None:
    """Writes at the lower edge how far below it entries are, once for those of as many bits."""
    for place in np.unique(bits):
        heights = worth[bits == place]
        lowest, highest = f"{heights.min():.3g}", f"{heights.max():.3g}"
        words = lowest if lowest == highest else f"{lowest} to {highest}"
        axes.annotate(  # turned, the triangle points down
            f"\u25c0 {words}", (place, _LOWEST), xytext=(5, -3), textcoords="offset points", rotation=90,
            ha="left", va="bottom", fontsize=7, color=INK,
        )  # fmt: skip


def _draw_front(axes: Axes, bits: np.ndarray, worth: np.ndarray, most: float) -> None:
    """Steps from the cheapest entry on: what is reached for some bits can be had for more."""
    if not len(bits):
        return
    order = np.argsort(bits, kind="stable")
    x, y = np.append(bits[order], max(most, bits.max())), np.append(worth[order], worth.max())
    axes.plot(x, y, drawstyle="steps-post", color=INK, linewidth=1.2, zorder=1.5, label="_front")


def _sign(label: str, color: str, marker: str, hollow: bool = False, alpha: float = 1.0) -> Line2D:
    """A line of the legend."""
    fill = "none" if hollow else "full"
    return Line2D([], [], linestyle="", label=label, color=color, marker=marker, fillstyle=fill, alpha=alpha)


def _hollow(number: int) -> bool:
    """Whether a run must be told from one of the same color, of which there are eight."""
    return number >= len(AGENT_COLORS)


def _repeated(count: int) -> list[str]:
    return [_MARKERS[number % len(_MARKERS)] for number in range(count)]
