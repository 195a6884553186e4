"""What the off-policy actor-critic learner can be told: fixed fields, and numbers that may be traced."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from marlcomm.learners.config import LearnerConfig, OffPolicyHParams, Ranges
from marlcomm.learners.packing import EXACT, check_precision
from marlcomm.types import Scalar

CRITICS_SEE = ("state", "observations")
DISCRETE_GRADIENTS = ("expected", "drawn")


@dataclass(frozen=True)
class ActorCriticConfig(LearnerConfig):
    """What fixes a shape or a branch; a change recompiles.

    Attributes:
      num_envs, agent_id, last_action: see `LearnerConfig`.
      batch_steps: environment steps in a learning batch, drawn one by one; where agents remember, as many whole
        episodes as hold at least that many.
      replay_steps: environment steps kept for replay, at least.
      update_interval: environment steps between gradient steps, as if every episode lasted to the horizon; a
        collection is followed by one at least.
      critics_see: "state" (the task's global state) or "observations" (all agents' views).
      noise: standard deviation of the Gaussian noise that explores continuous actions, at full exploration.
      discrete_gradient: what actors of discrete actions climb: "expected", the mean of their critic over their own
        choices, or "drawn", one choice by Gumbel noise with the gradient of a softmax (published).
      replay_precision: as in `ValueConfig`.
    """

    num_envs: int = 8
    batch_steps: int = 256
    replay_steps: int = 200_000
    update_interval: int = 8
    critics_see: str = "state"
    noise: float = 1.0
    discrete_gradient: str = "expected"
    replay_precision: str = EXACT

    COUNTS: ClassVar[tuple[str, ...]] = ("num_envs", "batch_steps", "replay_steps", "update_interval")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_precision(self.replay_precision)
        if self.replay_steps < self.batch_steps:
            raise ValueError(
                f"replay_steps is {self.replay_steps}: must hold at least batch_steps ({self.batch_steps})"
            )
        if self.critics_see not in CRITICS_SEE:
            raise ValueError(f"critics_see is {self.critics_see!r}: must be one of {', '.join(CRITICS_SEE)}")
        if self.discrete_gradient not in DISCRETE_GRADIENTS:
            raise ValueError(
                f"discrete_gradient is {self.discrete_gradient!r}: must be one of {', '.join(DISCRETE_GRADIENTS)}"
            )
        if self.noise < 0:
            raise ValueError(f"noise is {self.noise}: must be at least 0")


class ActorCriticHParams(OffPolicyHParams):
    """Numbers that may be traced; see `LearnerHParams`.

    Exploration is a share of random actions, and the size of the noise on continuous ones.
    """

    critic_learning_rate: Scalar = 1e-3  #: `learning_rate` is that of the actors and their channel
    learning_rate_decay_to: Scalar = 0.1
    discount: Scalar = 0.95
    exploration_start: Scalar = 0.3
    exploration_steps: Scalar = 100_000
    temperature: Scalar = 1.0  #: of the softmax that gives drawn discrete actions their gradient; "expected" has none
    team_share: Scalar = 1.0  #: of the team's mean in each agent's reward; 0: each is paid for itself

    RANGES: ClassVar[Ranges] = OffPolicyHParams.RANGES | {
        "critic_learning_rate": (0.0, math.inf),
        "temperature": (1e-3, math.inf),
        "team_share": (0.0, 1.0),
    }
