"""SARNet (Rangwala and Williams 2020): what is heard is read against the receiver's memory; REINFORCE."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import REINFORCE
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

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


@recipe("on_policy", {"channel": "memory"}, published=PUBLISHED, short_names={"width": "channel.width"})
def sarnet(env: Environment, **settings: Any) -> Algorithm:
    """SARNet: what is heard is read against the receiver's own memory (memory x on-policy).

    Args:
      env: the task.
      **settings: as for the on-policy learner, and by a short name:
        width: size of queries, keys and values; D is twice that.
    """
    ...
