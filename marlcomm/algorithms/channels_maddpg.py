"""CommNet, IC3Net, TarMAC and SARNet with centralized critics, as RGMComm compares itself with them.

The originals learn on-policy. Here their channels talk within MADDPG's actors, and are taught by its critics' gradient.
By default actors remember, as those of all four do.
"""

from collections.abc import Mapping
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.maddpg import maddpg
from marlcomm.envs.api import Environment
from marlcomm.messages import AttentionChannel, Channel, GatedChannel, MeanChannel, MemoryChannel


@recorded
def commnet_maddpg(
    env: Environment,
    *,
    message_dims: int = 32,
    rounds: int = 1,
    recurrent: bool = True,
    paper: bool = False,
    **settings: Any,
) -> Algorithm:
    """CommNet's channel on MADDPG: everybody hears the mean of the others (mean x centralized critic x off-policy).

    Settings as for `MeanChannel` and `maddpg`; where actors remember, they speak of what they remember too.
    """
    channel = MeanChannel(dims=message_dims, rounds=rounds, reads_memory=recurrent)
    return _on_maddpg(env, channel, recurrent, paper, settings)


@recorded
def ic3net_maddpg(
    env: Environment,
    *,
    message_dims: int = 32,
    rounds: int = 1,
    recurrent: bool = True,
    paper: bool = False,
    **settings: Any,
) -> Algorithm:
    """IC3Net's channel on MADDPG: agents decide when to take part (gated x centralized critic x off-policy).

    Settings as for `GatedChannel` and `maddpg`. Gradient passes straight through the gates.
    """
    channel = GatedChannel(dims=message_dims, rounds=rounds, reads_memory=recurrent)
    return _on_maddpg(env, channel, recurrent, paper, settings)


@recorded
def tarmac_maddpg(
    env: Environment,
    *,
    signature: int = 16,
    message_dims: int = 32,
    rounds: int = 1,
    recurrent: bool = True,
    paper: bool = False,
    **settings: Any,
) -> Algorithm:
    """TarMAC's channel on MADDPG: receivers weigh what they hear (attention x centralized critic x off-policy).

    Settings as for `AttentionChannel`, whose `value` is `message_dims`, and `maddpg`.
    """
    channel = AttentionChannel(signature=signature, value=message_dims, rounds=rounds, reads_memory=recurrent)
    return _on_maddpg(env, channel, recurrent, paper, settings)


@recorded
def sarnet_maddpg(env: Environment, *, width: int = 32, paper: bool = False, **settings: Any) -> Algorithm:
    """SARNet's channel on MADDPG: what is heard is read against memory (memory x centralized critic x off-policy).

    Settings as for `MemoryChannel` and `maddpg`. Actors remember.
    """
    return _on_maddpg(env, MemoryChannel(width=width), True, paper, settings)


def _on_maddpg(
    env: Environment, channel: Channel, recurrent: bool, paper: bool, settings: Mapping[str, Any]
) -> Algorithm:
    team = {"separate_actors": False, "agent_id": True}  # also where MADDPG's published actors are one an agent
    return maddpg(env, paper=paper, **{"channel": channel, "recurrent": recurrent, **team, **settings})
