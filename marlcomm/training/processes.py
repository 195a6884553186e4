"""Processes that train one population together: all do the same, and the first of them speaks and writes.

One that would wait for another that has failed would wait for ever: what can fail on one of them fails on all.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

T = TypeVar("T")


class ProcessError(RuntimeError):
    """Another process of the same run has failed; that one says why."""


def is_first() -> bool:
    """Whether this process speaks and writes."""
    return jax.process_index() == 0


def agree(*flags: bool) -> np.ndarray:
    """[processes, flags] bool: what each process says, known to all."""
    if jax.process_count() == 1:
        return np.array([flags], bool)
    return multihost_utils.process_allgather(np.array(flags, bool))


def together(function: Callable[[], T]) -> T:
    """What `function` gives on this process, once it was called on all.

    Raises:
      ProcessError: it has failed on another process.
    """
    if jax.process_count() == 1:
        return function()
    try:
        found = function()
    except Exception:
        agree(True)
        raise
    failed = np.flatnonzero(agree(False)[:, 0])
    if failed.size:
        raise ProcessError(f"process {failed[0]} of this run has failed, and says why")
    return found


def of_first(tree: Any) -> Any:
    """A pytree of arrays as it is on the first process, to the bit; shapes and types are the same on all."""
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(_array_of_first, tree)


def value_of_first(value: T) -> T:
    """What the first process has, as JSON can hold it."""
    if jax.process_count() == 1:
        return value
    text = np.frombuffer(json.dumps(value if is_first() else None).encode(), np.uint8)
    length = int(_array_of_first(np.array(text.size)))
    return json.loads(_array_of_first(np.resize(text, length)).tobytes())


def _array_of_first(array: Any) -> np.ndarray:
    given = np.ascontiguousarray(array)
    as_bytes = given.reshape(-1).view(np.uint8)  # what is added up on the way has no minus zero
    return multihost_utils.broadcast_one_to_all(as_bytes).view(given.dtype).reshape(np.shape(array))
