"""QMIX (Rashid et al. 2018): the team's value is a monotonic network of the agents'."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

PUBLISHED = PYMARL


@recipe(
    "value",
    {"channel": "silent", "mixer": "monotonic"},
    published=PUBLISHED,
    short_names={"hypernet_layers": "mixer.hypernet_layers"},
)
def qmix(env: Environment, **settings: Any) -> Algorithm:
    """QMIX: the team's value is a monotonic network of the agents' (silent x monotonic x value).

    Settings as for the value learner; `hypernet_layers` of the mixer is 1 as NDQ released it, or 2 as in PyMARL.
    """
    ...
