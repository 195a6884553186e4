"""QPLEX (Wang et al. 2021): the team's value weighs the agents' advantages by state and joint action."""

from collections.abc import Mapping
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

# as released for StarCraft
PUBLISHED: Mapping[str, Any] = {**PYMARL, "mixer.heads": 4, "mixer.attention_layers": 1}


@recipe("value", {"channel": "silent", "mixer": "qplex"}, published=PUBLISHED, short_names={"heads": "mixer.heads"})
def qplex(env: Environment, **settings: Any) -> Algorithm:
    """QPLEX: all team values whose best is what greedy agents do (silent x duplex dueling x value).

    Args:
      env: the task.
      **settings: as for the value learner, and by a short name:
        heads: of the attention that weighs advantages; see `QPLEXMixer`.
    """
    ...
