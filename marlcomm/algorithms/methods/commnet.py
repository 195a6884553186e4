"""CommNet (Sukhbaatar et al. 2016): everybody hears the mean of what the others say; REINFORCE with a baseline."""

from functools import partial
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import REINFORCE
from marlcomm.algorithms.optimizers import torch_rmsprop
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

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


@recipe(
    "on_policy",
    {"channel": "mean", "channel.dims": 50, "channel.rounds": 2, "channel.reads_memory": True},
    published=PUBLISHED,
    short_names={"message_dims": "channel.dims", "rounds": "channel.rounds"},
)
def commnet(env: Environment, **settings: Any) -> Algorithm:
    """CommNet: everybody hears the mean of what the others say (mean x on-policy).

    Args:
      env: the task.
      **settings: as for the on-policy learner, and by short names:
        message_dims: D, the size of what is said.
        rounds: how many times agents talk within a step.
    """
    ...
