"""Value decomposition networks (Sunehag et al. 2018): the team's value is the sum of the agents'."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.value_based import value_based
from marlcomm.envs.api import Environment
from marlcomm.networks import SumMixer


@recorded
def vdn(env: Environment, **settings: Any) -> Algorithm:
    """Value decomposition: the team's value is the sum of the agents' (silent x sum x value).

    Settings as for `value_based`.
    """
    return value_based("vdn", env, **{"mixer": SumMixer(), **settings})
