"""The heir of DIAL (Foerster et al. 2016): symbols of any vocabulary, trained by the gradient of their receivers."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

PUBLISHED = PYMARL


@recipe(
    "value",
    {"channel": "discrete", "mixer": "sum"},
    published=PUBLISHED,
    short_names={
        "vocab_size": "channel.vocab_size",
        "message_length": "channel.message_length",
        "reads_memory": "channel.reads_memory",
    },
)
def dial(env: Environment, **settings: Any) -> Algorithm:
    """DIAL's heir: discrete messages, trained end to end (discrete x sum or none x value).

    The original: `vocab_size=2, reads_memory=True, mixer="none", delay=1`.

    Args:
      env: the task.
      **settings: as for the value learner, and by short names:
        vocab_size: how many symbols there are.
        message_length: symbols in the message to one receiver.
        reads_memory: whether messages are made from the memory too, or from inputs only, which is faster.
        mixer: such as "sum" (VDN) or "none" (every agent for itself, as published).
    """
    ...
