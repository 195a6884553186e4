"""QTRAN (Son et al. 2019): a joint action value of its own teaches the agents' sum to have the same best action."""

from collections.abc import Mapping
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

# the authors weigh both losses by 1, which is the mixer's default, and PyMARL the second by 0.1
PUBLISHED: Mapping[str, Any] = PYMARL


@recipe(
    "value",
    {"channel": "silent", "mixer": "qtran"},
    published=PUBLISHED,
    short_names={"alternative": "mixer.alternative"},
)
def qtran(env: Environment, **settings: Any) -> Algorithm:
    """QTRAN: any joint action value, and agents whose greedy actions are its best (silent x transformed x value).

    The agents, and their channel, learn by two losses beside the TD loss, `optimality` and `nonoptimality`.

    Args:
      env: the task.
      **settings: as for the value learner, and by a short name:
        alternative: QTRAN-alt in place of QTRAN-base; see `QTRANMixer`.
    """
    ...
