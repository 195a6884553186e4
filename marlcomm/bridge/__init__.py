"""Simulators outside JAX: worker processes that run them, and a task that they stand behind.

`marlcomm.bridge("pettingzoo:mpe2.simple_spread_v3")` makes such a task: see `marlcomm.bridge.task.bridge`. What a
worker imports (`simulator`, `worker`, the adapters) needs numpy and nothing else.
"""

import sys
import types
from typing import Any


class _Bridge(types.ModuleType):
    """This package, which can be called: it and the function that it is about have one name."""

    def __call__(self, simulator: Any, **options: Any) -> Any:
        """See `marlcomm.bridge.task.bridge`."""
        from marlcomm.bridge.task import bridge

        return bridge(simulator, **options)


sys.modules[__name__].__class__ = _Bridge
