"""TarMAC (Das et al. 2019): receivers attend to what they hear by its signature; actor and centralized critic."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import REINFORCE
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

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


@recipe(
    "on_policy",
    {"channel": "attention", "channel.reads_memory": True, "critic": "central"},
    published=PUBLISHED,
    short_names={"signature": "channel.signature", "message_dims": "channel.value", "rounds": "channel.rounds"},
)
def tarmac(env: Environment, **settings: Any) -> Algorithm:
    """TarMAC: receivers attend to what they hear by its signature (attention x on-policy).

    Args:
      env: the task.
      **settings: as for the on-policy learner, and by short names:
        signature: size of signatures and queries.
        message_dims: size of the value that is sent beside the signature.
        rounds: how many times agents talk within a step.
    """
    ...
