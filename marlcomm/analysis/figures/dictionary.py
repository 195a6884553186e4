"""A dictionary of codes as a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from marlcomm.analysis.measures.dictionary import MAX_COLUMNS, Dictionary
from marlcomm.analysis.measures.intervention import Intervention
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.palette import INK
from marlcomm.envs.render.style import shade_text


def plot_dictionary(
    dictionary: Dictionary,
    intervention: Intervention,
    *,
    actions: Sequence[str] = (),
    names: Sequence[str] = (),
) -> Figure:
    """A row for each code: left, what the sender observes when it sends it; right, what its receiver does.

    Args:
      dictionary: from `make_dictionary`.
      intervention: from `intervene`, with the same codes.
      actions: [A] what to call the actions; their numbers by default.
      names: [N] what to call the agents.
    """
    sender, receiver = dictionary.pair
    called = list(names) or [f"agent {agent}" for agent in range(len(intervention.usual))]
    done = intervention.response[sender, receiver][dictionary.order]
    kinds = list(actions) or [f"action {number}" for number in range(done.shape[1])]
    some = np.sort(np.argsort(-np.nan_to_num(done).max(0), kind="stable")[:MAX_COLUMNS])
    columns = len(dictionary.columns), len(some)
    rows = [f"“{code}”, {share:.0%}" for code, share in zip(dictionary.codes, dictionary.share, strict=True)]
    figure = Figure(figsize=(2.0 + 0.62 * sum(columns), 1.7 + 0.34 * len(rows)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=columns)
    seen = np.vstack([dictionary.seen, dictionary.usual])
    _table(left, seen, dictionary.columns, [*rows, "any"], signed=not dictionary.by_view)
    _table(right, np.vstack([done, intervention.usual[receiver]])[:, some], [kinds[i] for i in some], [])
    left.set_title(f"what {called[sender]} sees when it says …", fontsize=9, color=INK)
    right.set_title(f"what {called[receiver]} does when told …", fontsize=9, color=INK)
    return figure


def _table(axes: Axes, values: np.ndarray, columns: Sequence[str], rows: Sequence[str], signed: bool = False) -> None:
    top = max(1.0, float(np.nanmax(np.abs(values)))) if signed else 1.0
    axes.imshow(values, cmap="PuOr" if signed else "Blues", vmin=-top if signed else 0.0, vmax=top, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        text = "–" if np.isnan(value) else f"{value:+.1f}" if signed else f"{value:.0%}"
        share = 0.9 * abs(value) / top if signed else value
        axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color=shade_text(share))
    axes.axhline(len(values) - 1.5, color="white", linewidth=4)
    longest = max(map(len, columns))
    axes.set_xticks(range(len(columns)), columns, fontsize=8, rotation=0 if longest <= 6 else 30)
    for tick in axes.get_xticklabels():
        tick.set(horizontalalignment="center" if longest <= 6 else "right")
    axes.set_yticks(range(len(values)), rows or [""] * len(values), fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
