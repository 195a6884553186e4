"""TarMAC (Das et al. 2019): receivers attend to what they hear by its signature; actor and centralized critic."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.policy_based import REINFORCE, policy_based
from marlcomm.envs.api import Environment
from marlcomm.messages import AttentionChannel
from marlcomm.networks import CentralCritic

# no code was released by the authors; the paper's numbers, the critic sees the state instead of all memories
PUBLISHED = {
    **REINFORCE,
    "optimizer": "rmsprop",
    "learning_rate": 7e-4,
    "discount": 0.99,
    "value_weight": 0.5,
    "entropy": 0.01,
    "gradient_clip": 0.5,
    "hidden": 128,
    "num_envs": 16,
}


@recorded
def tarmac(
    env: Environment,
    *,
    signature: int = 16,
    message_dims: int = 32,
    rounds: int = 1,
    paper: bool = False,
    **settings: Any,
) -> Algorithm:
    """TarMAC: receivers attend to what they hear by its signature (attention x on-policy).

    Args:
      env: the task.
      signature: size of signatures and queries.
      message_dims: size of the value that is sent beside the signature.
      rounds: how many times agents talk within a step.
      paper: take the published value of everything that is not given.
      **settings: as for `policy_based`.
    """
    channel = AttentionChannel(signature=signature, value=message_dims, rounds=rounds, reads_memory=True)
    given = {"channel": channel, "critic": CentralCritic(), **(PUBLISHED if paper else {}), **settings}
    return policy_based("tarmac", env, **given)
