"""IC3Net (Singh et al. 2019): CommNet whose agents decide when to take part, each paid for itself."""

from functools import partial
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import REINFORCE
from marlcomm.algorithms.optimizers import torch_rmsprop
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

# as released; 16 processes of 500 steps are 400 episodes of 20 steps
PUBLISHED = {
    **REINFORCE,
    "optimizer": partial(torch_rmsprop, decay=0.97, eps=1e-6),
    "learning_rate": 1e-3,
    "discount": 1.0,
    "value_weight": 0.01,
    "entropy": 0.0,
    "hidden": 128,
    "num_envs": 400,
}


@recipe(
    "on_policy",
    {
        "channel": "gated",
        "channel.dims": 128,
        "channel.reads_memory": True,
        "channel.sampled": True,
        "team_share": 0.0,
    },
    published=PUBLISHED,
    short_names={"message_dims": "channel.dims", "talk_price": "weights.talk"},
)
def ic3net(env: Environment, **settings: Any) -> Algorithm:
    """IC3Net: agents decide when to talk, by a gate that is drawn like an action (gated x on-policy).

    Args:
      env: the task.
      **settings: as for the on-policy learner, with `team_share` 0 (each agent has its own reward), and by short names:
        message_dims: D, the size of a message.
        talk_price: cost of an open gate a step, in deviations of the return; grows over half the run. Published: 0.
    """
    ...
