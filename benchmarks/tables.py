"""What benchmarks print: the spread of repeated measurements, ratios turn by turn, markdown tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def spread(values: Sequence[float], form: str = ",.0f") -> str:
    """The median, with the lowest and the highest."""
    return f"{np.median(values):{form}} ({min(values):{form}} .. {max(values):{form}})"


def ratio(values: Sequence[float], to: Sequence[float]) -> str:
    """The spread of one variant's values over another's, turn by turn."""
    return spread((np.array(values) / np.array(to)).tolist(), ".2f")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a markdown table."""
    return [line(cells) for cells in (head, ["---"] * len(head), *rows)]


def line(cells: Sequence[str]) -> str:
    """One line of a markdown table."""
    return "| " + " | ".join(cells) + " |"
