"""RGMComm (Chen et al. 2024): agents say to which cluster of action values belongs what they see."""

from collections.abc import Mapping
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods import maddpg
from marlcomm.algorithms.methods.dop import AS_THE_ACTORS
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

# as MADDPG was released with it; but for Adam, which moves the channel apart from the team
PUBLISHED: Mapping[str, Any] = {**maddpg.PUBLISHED, "optimizer": "adam"}

SHORT_NAMES = {
    "vocab_size": "channel.vocab_size",
    "encoding": "channel.encoding",
    "neighbors": "losses.labels.neighbors",
    "information_weight": "losses.labels.information_weight",
    "entropy_weight": "losses.labels.entropy_weight",
    "normalization": "losses.labels.normalization",
    "activation": "losses.labels.activation",
    "message_interval": "losses.labels.interval",
    "message_rate": "channel_rate",
}
FIXED = {
    "channel": "channel is a part of RGMComm: set vocab_size and encoding, or give a channel to maddpg or qmix",
    "optimizer": "optimizer is a part of RGMComm: set learning_rate and message_rate, or give maddpg channel='cluster'",
}


@recipe(
    "actor_critic",
    {"channel": "cluster", "channel_rate": 1.0},
    published=PUBLISHED,
    short_names=SHORT_NAMES,
    fixed=FIXED,
)
def rgmcomm(env: Environment, **settings: Any) -> Algorithm:
    """RGMComm (algorithm 2): MADDPG whose actors receive cluster labels, learned online from the critics.

    Cluster channel x centralized critic x off-policy actor-critic. For its released order of work see `train_pipeline`.
    Labels are made anew from the views in replay, so labels in replay are never stale.

    Args:
      env: the task; actions may be continuous or discrete.
      **settings: as for the off-policy actor-critic learner; critics see "observations", as labels compare agents'
        views. `losses` come on top of RGMComm's, and one called `labels` takes the place of its `LabelLoss`. (Its
        weight hardly matters: the message network learns from nothing else, by Adam.) By short names:
        vocab_size: how many labels there are (published: 4, 16).
        encoding: what a receiver is given of a label; see `ClusterChannel`.
        neighbors, information_weight, entropy_weight, normalization, activation: see `LabelLoss`.
        message_rate: the message network's learning rate, in units of `learning_rate`; 0 leaves labels as they begin.
        message_interval: gradient steps from one that teaches labels to the next, within a training step; see `Every`.
    """
    ...


@recipe(
    "actor_critic",
    {"channel": "cluster", "channel_rate": 1.0, **AS_THE_ACTORS},
    published={**PUBLISHED, "team_share": 1.0},  # a decomposed critic is of the team's reward
    short_names=SHORT_NAMES,
    fixed=FIXED,
)
def rgmcomm_dop(env: Environment, **settings: Any) -> Algorithm:
    """RGMComm on DOP: labels are learned from a linearly decomposed critic (cluster x decomposed critic x off-policy).

    RGMComm's paper holds that any centralized critic will do. See `DecomposedCritic`.

    Args:
      env: the task.
      **settings: as for `rgmcomm`.
    """
    ...


@recipe(
    "value",
    {"channel": "cluster", "mixer": "monotonic", "channel_rate": 1.0},
    published=PYMARL,
    short_names=SHORT_NAMES,
    fixed=FIXED,
)
def rgmcomm_qmix(env: Environment, **settings: Any) -> Algorithm:
    """RGMComm's labels on QMIX (cluster x monotonic x value), with a joint critic that sees what all see.

    QMIX's own values hardly depend on what only others see, so labels are found by a `JointCritic`, which learns from
    the same replay and sends nothing. It has no memory: where the step or the past matters, views must tell it.

    Args:
      env: the task.
      **settings: as for the value learner; `losses` and short names as for `rgmcomm`.
    """
    ...
