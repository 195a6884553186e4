"""What the off-policy actor-critic learner can be told: fixed config, and numbers that may be traced."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from flax import struct

from marlcomm.types import Scalar

CRITICS_SEE = ("state", "observations")
DISCRETE_GRADIENTS = ("expected", "drawn")


@dataclass(frozen=True)
class ActorCriticConfig:
    """What fixes a shape or a branch; a change recompiles.

    Attributes:
      num_envs: B, environments played at once; each step of training plays one episode in every one.
      batch_steps: environment steps in a learning batch, drawn one by one; where agents remember, as many whole
        episodes as hold at least that many.
      replay_steps: environment steps kept for replay, at least.
      update_interval: environment steps between gradient steps, as if every episode lasted to the horizon.
      critics_see: "state" (the task's global state) or "observations" (all agents' views).
      noise: standard deviation of the Gaussian noise that explores continuous actions, in epsilons.
      discrete_gradient: what actors of discrete actions climb: "expected", the mean of their critic over their own
        choices, or "drawn", one choice by Gumbel noise with the gradient of a softmax (published).
      agent_id: whether an agent's input carries its id.
      last_action: whether it carries its own last action.
    """

    num_envs: int = 8
    batch_steps: int = 256
    replay_steps: int = 200_000
    update_interval: int = 8
    critics_see: str = "state"
    noise: float = 1.0
    discrete_gradient: str = "expected"
    agent_id: bool = True
    last_action: bool = False

    def __post_init__(self) -> None:
        for name in ("num_envs", "batch_steps", "replay_steps", "update_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: must be at least 1")
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


class ActorCriticHParams(struct.PyTreeNode):
    """Numbers that may be traced: a sweep over them is a vmap, never a recompile."""

    learning_rate: Scalar = 1e-3  #: of the actors and their channel
    critic_learning_rate: Scalar = 1e-3
    learning_rate_decay_to: Scalar = 0.1  #: share of both that is left at the end, falling over the run's second half
    discount: Scalar = 0.95
    gradient_clip: Scalar = 10.0  #: global norm, of actors and of critics; 0: no clipping
    exploration_start: Scalar = 0.3  #: exploration, linear in environment steps: share of random actions, size of noise
    exploration_final: Scalar = 0.05
    exploration_steps: Scalar = 100_000
    target_rate: Scalar = 0.01  #: how far the target networks move at every gradient step
    temperature: Scalar = 1.0  #: of the softmax that gives discrete actions their gradient
    team_share: Scalar = 1.0  #: of the team's mean in each agent's reward; 0: each is paid for itself
    weights: Mapping[str, Scalar] = struct.field(default_factory=dict)  #: loss name -> weight

    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = {
        "learning_rate": (0.0, math.inf),
        "critic_learning_rate": (0.0, math.inf),
        "learning_rate_decay_to": (0.0, 1.0),
        "discount": (0.0, 1.0),
        "gradient_clip": (0.0, math.inf),
        "exploration_start": (0.0, 1.0),
        "exploration_final": (0.0, 1.0),
        "exploration_steps": (1.0, math.inf),
        "target_rate": (0.0, 1.0),
        "temperature": (1e-3, math.inf),
        "team_share": (0.0, 1.0),
    }
