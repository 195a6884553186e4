"""Named algorithms, and the builder that puts a learner, a channel and what they need together."""

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.builder import build
from marlcomm.algorithms.kinds import LearnerKind
from marlcomm.algorithms.methods.aliases import (
    commnet_maddpg,
    commnet_qmix,
    ic3net_maddpg,
    ic3net_qmix,
    sarnet_maddpg,
    sarnet_qmix,
    shared_qmix,
    tarmac_maddpg,
    tarmac_qmix,
)
from marlcomm.algorithms.methods.cacom import cacom
from marlcomm.algorithms.methods.commnet import commnet
from marlcomm.algorithms.methods.dial import dial
from marlcomm.algorithms.methods.dicg import dicg
from marlcomm.algorithms.methods.dop import dop
from marlcomm.algorithms.methods.ga_comm import ga_comm
from marlcomm.algorithms.methods.ic3net import ic3net
from marlcomm.algorithms.methods.iql import iql
from marlcomm.algorithms.methods.maddpg import maddpg
from marlcomm.algorithms.methods.magic import magic
from marlcomm.algorithms.methods.maic import maic
from marlcomm.algorithms.methods.mappo import mappo
from marlcomm.algorithms.methods.masia import masia
from marlcomm.algorithms.methods.ndq import ndq
from marlcomm.algorithms.methods.qmix import qmix
from marlcomm.algorithms.methods.qplex import qplex
from marlcomm.algorithms.methods.qtran import qtran
from marlcomm.algorithms.methods.rgmcomm import rgmcomm, rgmcomm_dop, rgmcomm_qmix
from marlcomm.algorithms.methods.sarnet import sarnet
from marlcomm.algorithms.methods.tarmac import tarmac
from marlcomm.algorithms.methods.tmc import tmc
from marlcomm.algorithms.methods.vbc import vbc
from marlcomm.algorithms.methods.vdn import vdn
from marlcomm.algorithms.named import ddpg_based, policy_based, value_based
from marlcomm.algorithms.recipe import Recipe, Same, recipe
from marlcomm.algorithms.registry import (
    algorithm_names,
    algorithm_settings,
    make_algorithm,
    register_algorithm,
    register_learner,
)

__all__ = [
    "Algorithm",
    "LearnerKind",
    "Recipe",
    "Same",
    "algorithm_names",
    "algorithm_settings",
    "build",
    "cacom",
    "commnet",
    "commnet_maddpg",
    "commnet_qmix",
    "ddpg_based",
    "dial",
    "dicg",
    "dop",
    "ga_comm",
    "ic3net",
    "ic3net_maddpg",
    "ic3net_qmix",
    "iql",
    "maddpg",
    "magic",
    "maic",
    "make_algorithm",
    "mappo",
    "masia",
    "ndq",
    "policy_based",
    "qmix",
    "qplex",
    "qtran",
    "recipe",
    "register_algorithm",
    "register_learner",
    "rgmcomm",
    "rgmcomm_dop",
    "rgmcomm_qmix",
    "sarnet",
    "sarnet_maddpg",
    "sarnet_qmix",
    "shared_qmix",
    "tarmac",
    "tarmac_maddpg",
    "tarmac_qmix",
    "tmc",
    "value_based",
    "vbc",
    "vdn",
]
