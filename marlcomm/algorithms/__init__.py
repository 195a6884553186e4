"""Named algorithms: each a short file that names a channel, a mixer, losses and their published defaults."""

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.channels_maddpg import commnet_maddpg, ic3net_maddpg, sarnet_maddpg, tarmac_maddpg
from marlcomm.algorithms.channels_qmix import commnet_qmix, ic3net_qmix, sarnet_qmix, shared_qmix
from marlcomm.algorithms.commnet import commnet
from marlcomm.algorithms.ddpg_based import ddpg_based
from marlcomm.algorithms.dial import dial
from marlcomm.algorithms.ic3net import ic3net
from marlcomm.algorithms.iql import iql
from marlcomm.algorithms.maddpg import maddpg
from marlcomm.algorithms.mappo import mappo
from marlcomm.algorithms.ndq import ndq
from marlcomm.algorithms.policy_based import policy_based
from marlcomm.algorithms.qmix import qmix
from marlcomm.algorithms.registry import algorithm_names, algorithm_settings, make_algorithm, register_algorithm
from marlcomm.algorithms.rgmcomm import rgmcomm, rgmcomm_qmix
from marlcomm.algorithms.sarnet import sarnet
from marlcomm.algorithms.tarmac import tarmac
from marlcomm.algorithms.tarmac_qmix import tarmac_qmix
from marlcomm.algorithms.value_based import value_based
from marlcomm.algorithms.vdn import vdn

__all__ = [
    "Algorithm",
    "algorithm_names",
    "algorithm_settings",
    "commnet",
    "commnet_maddpg",
    "commnet_qmix",
    "ddpg_based",
    "dial",
    "ic3net",
    "ic3net_maddpg",
    "ic3net_qmix",
    "iql",
    "maddpg",
    "make_algorithm",
    "mappo",
    "ndq",
    "policy_based",
    "qmix",
    "register_algorithm",
    "rgmcomm",
    "rgmcomm_qmix",
    "sarnet",
    "sarnet_maddpg",
    "sarnet_qmix",
    "shared_qmix",
    "tarmac",
    "tarmac_maddpg",
    "tarmac_qmix",
    "value_based",
    "vdn",
]
