"""Short representations of results: one line in a terminal, a small table in a notebook."""

from __future__ import annotations

import dataclasses
import html
import reprlib
from collections.abc import Sequence
from typing import Any


class _Short(reprlib.Repr):
    """Writes arrays as their shapes, tuples with names as their names, and cuts what is long."""

    def __init__(self) -> None:
        super().__init__()
        self.maxother = 80  # characters

    def repr_instance(self, x: Any, level: int) -> str:
        if getattr(x, "shape", ()):
            return f"[{', '.join(map(str, x.shape))}]"
        if hasattr(x, "_fields"):
            return f"{type(x).__name__}(...)"
        return " ".join(super().repr_instance(x, level).split())


short = _Short().repr


class ShortRepr:
    """Gives a dataclass (made with `repr=False`) a line in which arrays stand by their shapes."""

    def __repr__(self) -> str:
        fields = dataclasses.fields(self)  # pyright: ignore[reportArgumentType]
        return f"{type(self).__name__}({', '.join(f'{f.name}={short(getattr(self, f.name))}' for f in fields)})"


def html_table(title: str, rows: Sequence[Sequence[Any]], head: Sequence[str] = ()) -> str:
    """A table for `_repr_html_`; fractions with four digits, None as a dash."""
    lines = ["".join(f"<th>{_cell(cell)}</th>" for cell in head)] if head else []
    lines += ["".join(f"<td>{_cell(cell)}</td>" for cell in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><caption>{html.escape(title)}</caption>{body}</table>"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else html.escape(str(value))
