"""Networks without communication: mixers, critics, and the layers under them."""

import importlib
import warnings
from typing import Any

from marlcomm.networks.critics import ActionCritic, CentralCritic, DecomposedCritic, LocalCritic
from marlcomm.networks.joint_critic import JointCritic
from marlcomm.networks.mixers import IndependentMixer, MonotonicMixer, QPLEXMixer, QTRANMixer, SumMixer

__all__ = [
    "ActionCritic",
    "CentralCritic",
    "DecomposedCritic",
    "IndependentMixer",
    "JointCritic",
    "LocalCritic",
    "MonotonicMixer",
    "QPLEXMixer",
    "QTRANMixer",
    "SumMixer",
]

_MOVED = ("CommunicatingAgent", "FeedForwardAgent", "from_torch", "ndq_from_torch")


def __getattr__(name: str) -> Any:
    """What stands in `marlcomm.agents` now: it is found here for one release, with a warning."""
    if name not in _MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(f"marlcomm.networks.{name} is marlcomm.agents.{name} now", FutureWarning, stacklevel=2)
    return getattr(importlib.import_module("marlcomm.agents"), name)
