"""Value decomposition networks (Sunehag et al. 2018): the team's value is the sum of the agents'."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

PUBLISHED = PYMARL


@recipe("value", {"channel": "silent", "mixer": "sum"}, published=PUBLISHED)
def vdn(env: Environment, **settings: Any) -> Algorithm:
    """Value decomposition: the team's value is the sum of the agents' (silent x sum x value).

    Settings as for the value learner.
    """
    ...
