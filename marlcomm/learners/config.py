"""What every learner can be told: fixed fields, and numbers that may be traced. Each kind adds its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from flax import struct

from marlcomm.types import Scalar

Ranges = dict[str, tuple[float, float]]  # name -> lowest, highest

GROUPS = ("weights", "training_edit")  # hyper-parameters that are several, by name


@dataclass(frozen=True)
class LearnerConfig:
    """What fixes a shape or a branch; a change recompiles.

    Attributes:
      num_envs: B, environments played at once; each step of training plays one episode in every one.
      agent_id: whether an agent's input carries its id.
      last_action: whether it carries its own last action.
    """

    num_envs: int = 16
    agent_id: bool = True
    last_action: bool = False

    COUNTS: ClassVar[tuple[str, ...]] = ("num_envs",)  # fields that are at least 1

    def __post_init__(self) -> None:
        for name in self.COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: must be at least 1")


class LearnerHParams(struct.PyTreeNode):
    """Numbers that may be traced: a sweep over them is a vmap, never a recompile.

    RANGES gives the limits of each; those of `training_edit` stand with the edit schedule.
    """

    learning_rate: Scalar = 1e-3
    learning_rate_decay_to: Scalar = 1.0  #: share of it that is left at the end, falling over the run's second half
    discount: Scalar = 0.99
    gradient_clip: Scalar = 10.0  #: global norm; 0: no clipping
    weights: Mapping[str, Scalar] = struct.field(default_factory=dict)  #: loss name -> weight
    training_edit: Mapping[str, Scalar] = struct.field(default_factory=dict)  #: numbers of the edit schedule

    RANGES: ClassVar[Ranges] = {
        "learning_rate": (0.0, math.inf),
        "learning_rate_decay_to": (0.0, 1.0),
        "discount": (0.0, 1.0),
        "gradient_clip": (0.0, math.inf),
    }


class OffPolicyHParams(LearnerHParams):
    """With those of learners that explore by random actions, and that have target networks."""

    exploration_start: Scalar = 1.0  #: share of random actions, or size of noise, linear in environment steps
    exploration_final: Scalar = 0.05
    exploration_steps: Scalar = 50_000
    target_rate: Scalar = 0.01  #: how far target networks move at a gradient step, where they move softly

    RANGES: ClassVar[Ranges] = LearnerHParams.RANGES | {
        "exploration_start": (0.0, 1.0),
        "exploration_final": (0.0, 1.0),
        "exploration_steps": (1.0, math.inf),
        "target_rate": (0.0, 1.0),
    }


def check_range(ranges: Ranges, name: str, value: object) -> None:
    """Raises ValueError where a hyper-parameter, as a plain number, lies outside its range."""
    low, high = ranges.get(name, (-math.inf, math.inf))
    if not isinstance(value, int | float):
        return
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}: must be in {low:g} .. {high:g}")
    if math.isinf(value) and (name not in ranges or name.endswith("_rate")):
        raise ValueError(f"{name} is {value}: must be finite")
