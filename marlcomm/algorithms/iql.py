"""Independent Q-learning (Tan 1993): every agent for itself."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.value_based import value_based
from marlcomm.envs.api import Environment
from marlcomm.networks import IndependentMixer


@recorded
def iql(env: Environment, **settings: Any) -> Algorithm:
    """Independent Q-learning: every agent for itself (silent x none x value).

    Settings as for `value_based`.
    """
    return value_based("iql", env, **{"mixer": IndependentMixer(), **settings})
