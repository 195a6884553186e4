"""What the codes of one sender mean: what it observes when it sends each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from marlcomm.analysis.measures.codes import Codes
from marlcomm.analysis.measures.recorded import RecordedEpisodes
from marlcomm.short_repr import ShortRepr

MAX_CODES = 8
MAX_COLUMNS = 10  # views, features or actions


@dataclass(frozen=True, repr=False)
class Dictionary(ShortRepr):
    """Codes of one sender and receiver, the most frequent first, with what the sender observes; C columns.

    Attributes:
      pair: sender, receiver.
      codes: [K] names.
      share: [K] how often each is sent.
      columns: [C] names of views, or of features of a view.
      seen: [K, C] distribution of the sender's view given the code; or the mean of each feature given the code, in
        standard deviations from its overall mean.
      usual: [C] the same over all codes.
      by_view: whether columns are whole views (if at most 10 are distinct) or features.
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
    """What a sender observes when it sends each of its codes to a receiver; at most the 8 most frequent codes.

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


def name_code(content: np.ndarray, number: int) -> str:
    """What to call a code [D]: its numbers; where there are many, the place of its only entry, or its own number."""
    if not content.any():
        return "silence"
    if len(content) <= 3:
        return " ".join(f"{value:g}" if float(value).is_integer() else f"{value:+z.1f}" for value in content)
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


def view_in_numbers(view: np.ndarray) -> str:
    """What to call a view [O]: its numbers."""
    return "(" + ", ".join(f"{value:g}" for value in view) + ")" if len(view) > 1 else f"{view[0]:g}"
