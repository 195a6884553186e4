"""Return over the share of message entries that is not sent, as more and more is cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from marlcomm.analysis.measures.cuts import CutCurve
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.palette import agent_color
from marlcomm.envs.render.style import draw_references, plain_frame

# how a kind of cut is drawn and called
_KINDS = {"cut": ("-", "o", "fixed threshold"), "rank_cut": ("--", "s", "rank at every step")}


def plot_cut_curve(
    curves: Mapping[str, CutCurve],
    *,
    measure: Literal["team_return", "won"] = "team_return",
    references: Mapping[str, float] | None = None,
) -> Figure:
    """Return over the share of message entries that is not sent: members thin, their mean thick.

    That share is what was reached, not what was asked for. It counts what is cut and what the channel withholds by
    itself: a gated team begins where its gates leave it.

    Args:
      curves: label -> from `cut_curve`; a solid line is a fixed threshold, a dashed one a rank at every step.
      measure: the vertical axis.
      references: label -> height of a thin line, such as the return of a silent team.
    """
    figure = Figure(figsize=(4.8, 3.6), layout="constrained")
    axes = figure.subplots()
    for number, (label, curve) in enumerate(curves.items()):
        style, marker, _ = _KINDS[curve.kind]
        heights, color = getattr(curve, measure), agent_color(number)
        unsent = 100 * (1 - curve.sent_fraction)  # [F, P]
        for member in range(heights.shape[1]):
            axes.plot(unsent[:, member], heights[:, member], style, color=color, alpha=0.25, linewidth=0.8)
        axes.plot(unsent.mean(1), heights.mean(1), style, marker=marker, ms=4.5, color=color, linewidth=2, label=label)
    title = {"team_return": "return", "won": "episodes won"}[measure]
    axes.set(xlabel="message entries not sent, %", ylabel=title, xlim=(-3, 103))
    if measure == "won":
        axes.set_ylim(-0.03, 1.03)
    draw_references(axes, references or {})
    plain_frame(axes)
    axes.legend(fontsize=8, frameon=False, loc="lower left")
    return figure


def cut_label(name: str, kind: str) -> str:
    """What to call a cut curve, such as "ndq, fixed threshold"."""
    return f"{name}, {_KINDS[kind][2]}"
