"""VBC (Zhang et al. 2019): the unsure ask, and those whose messages vary answer; on QMIX."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import Same, recipe
from marlcomm.envs.api import Environment

# as first released; the later thresholds, 10 and 0, let everybody ask and answer. The loss is 1.7 times a mean over
# agents and actions of standard deviations, ours a sum over agents of variances: for 6h_vs_8z, with 6 agents and 14
# actions, 1.7 / 84 weighs as much where deviations are 1. The released delta 2 is a deviation, 0.2, ours its square
PUBLISHED = {**PYMARL, "weights.variance": 0.02, "channel.ask_below": 0.23, "channel.answer_above": 0.04}


@recipe(
    "value",
    {"channel": "variance_gated", "channel.hidden": Same("hidden"), "mixer": "monotonic"},
    published=PUBLISHED,
    short_names={"ask_below": "channel.ask_below", "answer_above": "channel.answer_above"},
)
def vbc(env: Environment, **settings: Any) -> Algorithm:
    """VBC: the unsure ask, and those whose messages vary answer (variance_gated x monotonic x value).

    In training everybody talks to everybody, while a loss keeps the variance of messages small; thresholds hold in
    evaluation.

    Args:
      env: the task.
      **settings: as for the value learner, and by short names:
        ask_below: delta 1, the gap between the two best actions' values below which an agent asks.
        answer_above: delta 2, the variance of a message above which an agent answers.
    """
    ...
