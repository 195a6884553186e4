"""VBC (Zhang et al. 2019): the unsure ask, and those whose messages vary answer; on QMIX."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import Same, recipe
from marlcomm.envs.api import Environment

# the released default.yaml: for StarCraft, whose returns are up to 20. Its weight stands before a mean over agents and
# actions of standard deviations, ours before the paper's sum over agents of variances
PUBLISHED = {**PYMARL, "weights.variance": 1.7, "channel.ask_below": 10.0, "channel.answer_above": 0.0}


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
