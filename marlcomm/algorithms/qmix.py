"""QMIX (Rashid et al. 2018): the team's value is a monotonic network of the agents'."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.value_based import value_based
from marlcomm.envs.api import Environment
from marlcomm.networks import MonotonicMixer


@recorded
def qmix(env: Environment, *, hypernet_layers: int = 1, **settings: Any) -> Algorithm:
    """QMIX: the team's value is a monotonic network of the agents' (silent x monotonic x value).

    Settings as for `value_based`.
    """
    mixer = MonotonicMixer(hypernet_layers=hypernet_layers)
    return value_based("qmix", env, **{"mixer": mixer, **settings})
