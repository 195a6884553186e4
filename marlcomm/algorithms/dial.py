"""The heir of DIAL (Foerster et al. 2016): symbols of any vocabulary, taught by the gradient of those who hear them."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.value_based import value_based
from marlcomm.envs.api import Environment
from marlcomm.messages import DiscreteChannel
from marlcomm.networks import IndependentMixer, SumMixer

MIXERS = {"none": IndependentMixer, "sum": SumMixer}


@recorded
def dial(
    env: Environment,
    *,
    vocab_size: int = 4,
    message_length: int = 1,
    reads_memory: bool = False,
    mixing: str = "sum",
    **settings: Any,
) -> Algorithm:
    """DIAL's heir: discrete messages, trained end to end (discrete x sum or independent x value).

    The original: `vocab_size=2, reads_memory=True, mixing="none", delay=1`.

    Args:
      env: the task.
      vocab_size: size of the vocabulary.
      message_length: symbols in the message to one receiver.
      reads_memory: whether messages are made from the memory too, or from inputs only, which is faster.
      mixing: "sum" (VDN) or "none" (every agent for itself, as published).
      **settings: as for `value_based`.

    Raises:
      ValueError: `mixing` is neither.
    """
    if mixing not in MIXERS:
        raise ValueError(f"mixing is {mixing!r}: must be one of {', '.join(MIXERS)}")
    channel = DiscreteChannel(vocab_size=vocab_size, message_length=message_length, reads_memory=reads_memory)
    return value_based("dial", env, **{"mixer": MIXERS[mixing](), "channel": channel, **settings})
