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
        """See `marlcomm.bridge.task.bridge`; the task is recorded by its name, as one of `make_env`."""
        from marlcomm.bridge.task import name_of
        from marlcomm.envs import make_env

        return make_env(name_of(simulator, options.pop("map_name", None)), **options)


sys.modules[__name__].__class__ = _Bridge
