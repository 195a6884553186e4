"""TMC (Zhang et al. 2020): messages are sent again when they have changed, and kept by receivers; on QMIX."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import Same, recipe
from marlcomm.envs.api import Environment

# as released for 3s_vs_4z and 3s_vs_5z; on 6h_vs_8z the weights are 3 and 0.08. What is released as the smoothness loss
# is divided by the batch once more, and grows with the step
PUBLISHED = {
    **PYMARL,
    "weights.smoothness": 1.5,
    "weights.robustness": 0.3,
    "channel.change": 0.05,
    "channel.silence": 6,
    "channel.keep": 12,
}


@recipe(
    "value",
    {"channel": "temporal_gated", "channel.hidden": Same("hidden"), "mixer": "monotonic"},
    published=PUBLISHED,
    short_names={"change": "channel.change", "silence": "channel.silence", "keep": "channel.keep"},
)
def tmc(env: Environment, **settings: Any) -> Algorithm:
    """TMC: messages are sent again when they have changed, and kept by receivers (temporal_gated x monotonic x value).

    In training everybody sends at every step, while losses keep messages alike from step to step and actions apart in
    value; thresholds hold in evaluation.

    Args:
      env: the task.
      **settings: as for the value learner, and by short names:
        change: delta, the squared change above which a message is sent again.
        silence: steps after which it is sent in any case.
        keep: steps for which receivers go by what they heard.
    """
    ...
