"""SARNet (Rangwala and Williams 2020): what is heard is read against the receiver's memory; REINFORCE."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.policy_based import REINFORCE, policy_based
from marlcomm.envs.api import Environment
from marlcomm.messages import MemoryChannel

# the on-policy mode of the release; it clips each variable's gradient by itself
PUBLISHED = {
    **REINFORCE,
    "learning_rate": 1e-3,
    "discount": 0.96,
    "value_weight": 1.0,
    "entropy": 0.0,
    "gradient_clip": 0.5,
    "hidden": 128,
    "num_envs": 200,
}


@recorded
def sarnet(env: Environment, *, width: int = 32, paper: bool = False, **settings: Any) -> Algorithm:
    """SARNet: what is heard is read against the receiver's own memory (memory x on-policy).

    Args:
      env: the task.
      width: size of queries, keys and values; D is twice that.
      paper: take the published value of everything that is not given.
      **settings: as for `policy_based`.
    """
    channel = MemoryChannel(width=width)
    return policy_based("sarnet", env, **{"channel": channel, **(PUBLISHED if paper else {}), **settings})
