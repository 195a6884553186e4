"""What the codes of one sender mean: what it sees when it says them, and what the receiver does when told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from marlcomm.analysis.figures.instruments import shade_text
from marlcomm.analysis.figures.message_space import view_in_numbers
from marlcomm.analysis.measures.codes import Codes
from marlcomm.analysis.measures.intervention import Intervention
from marlcomm.analysis.measures.recorded import RecordedEpisodes
from marlcomm.envs.render.figure import Figure
from marlcomm.envs.render.shapes import INK
from marlcomm.short_repr import ShortRepr

MAX_CODES = 8
MAX_COLUMNS = 10  # views, features or actions


@dataclass(frozen=True, repr=False)
class Dictionary(ShortRepr):
    """The codes of one pair, the most frequent first; C columns.

    Attributes:
      pair: sender, receiver.
      codes: [K] what to call them.
      share: [K] how often each is said.
      columns: [C] what to call the views, or the features of a view.
      seen: [K, C] how often the sender has each view when it says the code; or how far each feature then lies from its
        mean, in standard deviations.
      usual: [C] the same over all codes.
      by_view: whether columns are whole views (at most 10 different ones) or features.
    """

    pair: tuple[int, int]
    codes: tuple[str, ...]
    share: np.ndarray
    columns: tuple[str, ...]
    seen: np.ndarray
    usual: np.ndarray
    by_view: bool
    order: np.ndarray  # [K] the codes' numbers in `Codes`


def make_dictionary(
    recorded: RecordedEpisodes,
    codes: Codes,
    pair: tuple[int, int],
    *,
    describe: Callable[[np.ndarray], str] | None = None,
) -> Dictionary:
    """What a sender sees when it says each of its codes to a receiver; at most the 8 most frequent codes.

    Args:
      recorded: from `record_episodes`.
      codes: from `find_codes`, of the same episodes.
      pair: sender, receiver.
      describe: what to call a view [O]; by default its numbers. Views of one name are one.

    Raises:
      ValueError: this pair says nothing.
    """
    sender, receiver = pair
    label = codes.label[:, :, sender, receiver]
    told = label >= 0
    if not told.any() or not codes.content.shape[-1]:
        raise ValueError(f"make_dictionary: agent {sender} tells agent {receiver} nothing")
    count = np.bincount(label[told], minlength=codes.count[pair])
    order = np.argsort(-count, kind="stable")[:MAX_CODES]
    views = np.asarray(recorded.episodes.agents_view)[:, :-1, sender][told]
    columns, values, by_view = _columns(views, describe or view_in_numbers)
    seen = np.stack([values[label[told] == code].mean(0) for code in order])
    usual = values.mean(0)
    if len(columns) > MAX_COLUMNS:  # the features that codes tell most about
        best = np.sort(np.argsort(-np.abs(seen).max(0), kind="stable")[:MAX_COLUMNS])
        columns, seen, usual = [columns[i] for i in best], seen[:, best], usual[best]
    called = tuple(name_code(codes.content[pair][code], int(code)) for code in order)
    return Dictionary(pair, called, count[order] / told.sum(), tuple(columns), seen, usual, by_view, order)


def plot_dictionary(
    dictionary: Dictionary,
    intervention: Intervention,
    *,
    actions: Sequence[str] = (),
    names: Sequence[str] = (),
) -> Figure:
    """A row a code: on the left what the sender sees when it says it, on the right what the receiver does when told.

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


def name_code(content: np.ndarray, number: int) -> str:
    """What to call a code [D]: its numbers; where there are many, the place of its only entry, or its own number."""
    if not content.any():
        return "silence"
    if len(content) <= 3:
        return " ".join(f"{value:g}" if float(value).is_integer() else f"{value:+.1f}" for value in content)
    only = np.flatnonzero(content)
    return f"label {only[0]}" if len(only) == 1 else f"code {number}"


def _columns(views: np.ndarray, describe: Callable[[np.ndarray], str]) -> tuple[list[str], np.ndarray, bool]:
    """Names, values [M, C] whose mean over a code is to be shown, and whether columns are whole views."""
    rows, which = np.unique(np.round(views, 3), axis=0, return_inverse=True)
    called = [describe(row) for row in rows] if len(rows) <= 10 * MAX_COLUMNS else []
    labels = list(dict.fromkeys(called))
    if called and len(labels) <= MAX_COLUMNS:
        group = np.array([labels.index(name) for name in called])[which.reshape(-1)]
        return labels, np.eye(len(labels))[group], True
    spread = views.std(0)
    varied = np.flatnonzero(spread > 1e-6)
    return [f"[{i}]" for i in varied], (views[:, varied] - views[:, varied].mean(0)) / spread[varied], False


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
