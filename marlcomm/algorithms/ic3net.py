"""IC3Net (Singh et al. 2019): CommNet whose agents decide when to take part, each paid for itself."""

from functools import partial
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.optimizers import torch_rmsprop
from marlcomm.algorithms.policy_based import REINFORCE, policy_based
from marlcomm.envs.api import Environment
from marlcomm.messages import GatedChannel

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


@recorded
def ic3net(
    env: Environment, *, message_dims: int = 128, talk_price: float = 0.0, paper: bool = False, **settings: Any
) -> Algorithm:
    """IC3Net: agents decide when to talk, by a gate that is drawn like an action (gated x on-policy).

    Args:
      env: the task.
      message_dims: D, the size of what is said.
      talk_price: what an open gate costs its agent at a step, in deviations of the return. Published: nothing; then
        nothing shuts the gate of one whose messages are useless, but do no harm. It grows over the run's first half.
      paper: take the published value of everything that is not given.
      **settings: as for `policy_based`; `team_share` is 0 here, so that each agent is paid for itself.
    """
    channel = GatedChannel(dims=message_dims, reads_memory=True, sampled=True)
    given = {
        "channel": channel,
        "team_share": 0.0,
        "talk_price": talk_price,
        **(PUBLISHED if paper else {}),
        **settings,
    }
    return policy_based("ic3net", env, **given)
