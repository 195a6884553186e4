"""TarMAC on QMIX, the baseline of NDQ's comparisons: as its authors ran it, or as TarMAC is meant."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.value_based import value_based
from marlcomm.envs.api import Environment
from marlcomm.messages import AttentionChannel
from marlcomm.networks import MonotonicMixer


@recorded
def tarmac_qmix(
    env: Environment,
    *,
    ndq_baseline: bool = False,
    signature: int = 16,
    message_dims: int = 32,
    rounds: int = 1,
    reads_memory: bool = False,
    hypernet_layers: int = 1,
    **settings: Any,
) -> Algorithm:
    """TarMAC+QMIX: receivers attend to what they hear by its signature (attention x monotonic x value).

    Args:
      env: the task.
      ndq_baseline: take the channel that NDQ was compared with, whatever the next four say: signatures of 32, values
        of 10, scores over the root of 10, no gradient into the memory, and what is cut is not made up for.
      signature: size of signatures and queries (published: 16).
      message_dims: size of the value that is sent beside the signature (published: 32).
      rounds: how many times agents talk within a step.
      reads_memory: whether messages and attention read memory too (published), or inputs only, which is faster.
      hypernet_layers: of the mixer, 1 as NDQ released or 2 as in PyMARL.
      **settings: as for `value_based`.
    """
    channel = AttentionChannel(signature=signature, value=message_dims, rounds=rounds, reads_memory=reads_memory)
    if ndq_baseline:
        channel = AttentionChannel(
            signature=32, value=10, scale=10**0.5, hidden=0, detach=True, renormalize=False, reads_memory=True
        )
    mixer = MonotonicMixer(hypernet_layers=hypernet_layers)
    return value_based("tarmac_qmix", env, **{"mixer": mixer, "channel": channel, **settings})
