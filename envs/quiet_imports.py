"""Imports that leave a notebook, and what is printed, as they are."""

from __future__ import annotations

import builtins
import contextlib
import io
import sys
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


@contextlib.contextmanager
def without_prints() -> Iterator[None]:
    """Imports of JaxMARL inside print nothing, and leave standard output and error where they were.

    It prints what else it would like to have, also where that is set to go elsewhere: it puts back the process's own
    streams, so that in a notebook nothing that is printed later would be seen.
    """
    names = ("stdout", "stderr", "__stdout__", "__stderr__")
    before = {name: getattr(sys, name) for name in names}
    sys.stdout = sys.__stdout__ = io.StringIO()
    try:
        yield
    finally:
        for name, stream in before.items():
            setattr(sys, name, stream)
