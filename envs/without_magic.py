"""Imports that leave a notebook as it is."""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def without_notebook_magic() -> Iterator[None]:
    """Imports of jumanji inside do not see IPython.

    Where it does, jumanji runs `%matplotlib` for an interactive backend that none of us depends on: the import fails
    where that is missing, and plots are no longer shown in the page where it is not.
    """
    before = builtins.__dict__.pop("__IPYTHON__", None)
    try:
        yield
    finally:
        if before is not None:
            builtins.__dict__["__IPYTHON__"] = before
