"""The figure that all pictures here are drawn on."""

from __future__ import annotations

import io

import matplotlib.figure


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that a notebook shows, whatever its backend, when it is the last thing in a cell.

    It is made without pyplot: nothing opens a window or needs a display, and it goes when nobody holds it any more.
    """

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()
