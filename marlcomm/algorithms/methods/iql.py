"""Independent Q-learning (Tan 1993): every agent for itself."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

PUBLISHED = PYMARL


@recipe("value", {"channel": "silent", "mixer": "none"}, published=PUBLISHED)
def iql(env: Environment, **settings: Any) -> Algorithm:
    """Independent Q-learning: every agent for itself (silent x none x value).

    Settings as for the value learner.
    """
    ...
