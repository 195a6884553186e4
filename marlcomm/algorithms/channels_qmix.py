"""The channels of CommNet, IC3Net and SARNet, and the oracle that hears everything, each on QMIX."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.value_based import value_based
from marlcomm.envs.api import Environment
from marlcomm.messages import GatedChannel, MeanChannel, MemoryChannel, SharedChannel
from marlcomm.networks import MonotonicMixer


@recorded
def shared_qmix(env: Environment, **settings: Any) -> Algorithm:
    """QMIX whose agents hear all that the others see: the oracle (shared x monotonic x value).

    Settings as for `value_based`.
    """
    return value_based("shared_qmix", env, **{"mixer": MonotonicMixer(), "channel": SharedChannel(), **settings})


@recorded
def commnet_qmix(env: Environment, *, message_dims: int = 32, rounds: int = 1, **settings: Any) -> Algorithm:
    """CommNet's channel on QMIX: everybody hears the mean of the others (mean x monotonic x value).

    Settings as for `MeanChannel` and `value_based`.
    """
    channel = MeanChannel(dims=message_dims, rounds=rounds)
    return value_based("commnet_qmix", env, **{"mixer": MonotonicMixer(), "channel": channel, **settings})


@recorded
def ic3net_qmix(env: Environment, *, message_dims: int = 32, rounds: int = 1, **settings: Any) -> Algorithm:
    """IC3Net's channel on QMIX: agents decide when to take part (gated x monotonic x value).

    Settings as for `GatedChannel` and `value_based`. Gradient passes straight through the gates.
    """
    channel = GatedChannel(dims=message_dims, rounds=rounds)
    return value_based("ic3net_qmix", env, **{"mixer": MonotonicMixer(), "channel": channel, **settings})


@recorded
def sarnet_qmix(env: Environment, *, width: int = 32, **settings: Any) -> Algorithm:
    """SARNet's channel on QMIX: what is heard is read against memory (memory x monotonic x value).

    Settings as for `MemoryChannel` and `value_based`.
    """
    channel = MemoryChannel(width=width)
    return value_based("sarnet_qmix", env, **{"mixer": MonotonicMixer(), "channel": channel, **settings})
