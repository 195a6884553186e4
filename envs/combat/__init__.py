"""Battles of StarCraft II units: SMAC's and NDQ's maps without the game, and scenarios of your own."""

from __future__ import annotations

from typing import Any

import lazy_loader

_attribute, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """What the stub names; or the task of a scenario, by the scenario's name, such as `3m`."""
    if name in __all__:
        return _attribute(name)
    from marlcomm.envs.combat.scenarios import SCENARIOS

    if name in SCENARIOS:
        from marlcomm.envs.combat.registry import task_of

        return task_of(SCENARIOS[name])
    return _attribute(name)
