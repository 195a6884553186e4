"""CommNet (Sukhbaatar et al. 2016): everybody hears the mean of what the others say; REINFORCE with a baseline."""

from functools import partial
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.optimizers import torch_rmsprop
from marlcomm.algorithms.policy_based import REINFORCE, policy_based
from marlcomm.envs.api import Environment
from marlcomm.messages import MeanChannel

# as IC3Net's release trains it, with the paper's learning rate, width and weight of the baseline
PUBLISHED = {
    **REINFORCE,
    "optimizer": partial(torch_rmsprop, decay=0.97, eps=1e-6),
    "learning_rate": 3e-3,
    "discount": 1.0,
    "value_weight": 0.03,
    "entropy": 0.0,
    "hidden": 50,
    "num_envs": 400,
}


@recorded
def commnet(
    env: Environment, *, message_dims: int = 50, rounds: int = 2, paper: bool = False, **settings: Any
) -> Algorithm:
    """CommNet: everybody hears the mean of what the others say (mean x on-policy).

    Args:
      env: the task.
      message_dims: D, the size of what is said.
      rounds: how many times agents talk within a step.
      paper: take the published value of everything that is not given.
      **settings: as for `policy_based`.
    """
    channel = MeanChannel(dims=message_dims, rounds=rounds, reads_memory=True)
    return policy_based("commnet", env, **{"channel": channel, **(PUBLISHED if paper else {}), **settings})
