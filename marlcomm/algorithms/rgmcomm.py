"""RGMComm (Chen et al. 2024): agents say to which cluster of action values belongs what they see."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.maddpg import maddpg
from marlcomm.algorithms.optimizers import adam, apart, torch_rmsprop
from marlcomm.algorithms.value_based import value_based
from marlcomm.envs.api import Environment
from marlcomm.losses import Every, LabelLoss, joint_critic_loss
from marlcomm.messages import ClusterChannel
from marlcomm.networks import JointCritic, MonotonicMixer


@recorded
def rgmcomm(
    env: Environment,
    *,
    vocab_size: int = 4,
    encoding: str = "one_hot",
    neighbors: int = 4,
    information_weight: float = 1.0,
    entropy_weight: float = 2.0,
    normalization: str = "",
    activation: str = "tanh",
    message_rate: float = 1.0,
    message_interval: int = 10,
    paper: bool = False,
    **settings: Any,
) -> Algorithm:
    """RGMComm, its algorithm 2: MADDPG whose actors hear labels, which are taught by the critics while all learn
    (cluster x centralized critic x off-policy actor-critic). For its released order of work see `train_pipeline`.

    Labels are made anew from the views in replay, so replay always speaks the language of the day.

    Args:
      env: the task; actions may be continuous or discrete.
      vocab_size: size of the vocabulary (published: 4, 16).
      encoding: what a receiver is given of a label; see `ClusterChannel`.
      neighbors, information_weight, entropy_weight, normalization, activation: see `LabelLoss`.
      message_rate: the message network's learning rate, in units of `learning_rate`; 0 leaves labels as they begin.
      message_interval: gradient steps from one that teaches labels to the next; see `Every`.
      paper: take MADDPG's released settings where none are given.
      **settings: as for `ddpg_based`; critics see "observations", as labels compare agents' views. `losses` come on top
        of RGMComm's, and one called `labels` takes the place of its `LabelLoss`. (Its weight hardly matters: the
        message network learns from nothing else, by Adam.)

    Raises:
      ValueError: fewer than 2 labels, critics that do not see the agents' views, or another channel or optimizer.
    """
    if settings.get("critics_see", "observations") != "observations":
        raise ValueError('critics_see must be "observations": labels are found by asking critics about agents\' views')
    clustering = LabelLoss(
        neighbors=neighbors,
        information_weight=information_weight,
        entropy_weight=entropy_weight,
        normalization=normalization,
        activation=activation,
    )
    given = _talking(vocab_size, encoding, message_interval, clustering)
    given |= {"optimizer": apart(message_rate, adam), "critics_see": "observations"}
    return maddpg(env, paper=paper, **_with_settings(given, settings))


@recorded
def rgmcomm_qmix(
    env: Environment,
    *,
    vocab_size: int = 4,
    encoding: str = "one_hot",
    neighbors: int = 4,
    information_weight: float = 1.0,
    entropy_weight: float = 2.0,
    normalization: str = "",
    activation: str = "tanh",
    message_rate: float = 1.0,
    message_interval: int = 10,
    **settings: Any,
) -> Algorithm:
    """RGMComm's labels on QMIX (cluster x monotonic x value), with a joint critic that sees what all see.

    QMIX's own values hardly depend on what only others see, so labels are found by a `JointCritic`, which learns from
    the same replay and sends nothing. It has no memory: where the step or the past matters, views must tell it.

    Args:
      env: the task.
      vocab_size, encoding, message_rate, message_interval: as for `rgmcomm`.
      neighbors, information_weight, entropy_weight, normalization, activation: see `LabelLoss`.
      **settings: as for `value_based`; `losses` as for `rgmcomm`.

    Raises:
      ValueError: fewer than 2 labels, or another channel or optimizer.
    """
    clustering = LabelLoss(
        neighbors=neighbors,
        information_weight=information_weight,
        entropy_weight=entropy_weight,
        normalization=normalization,
        activation=activation,
    )
    given = _talking(vocab_size, encoding, message_interval, clustering)
    given["losses"]["joint_critic"], given["weights"]["joint_critic"] = joint_critic_loss, 1.0
    given |= {
        "mixer": MonotonicMixer(),
        "joint_critic": JointCritic(env.num_agents, env.num_actions),
        "optimizer": apart(message_rate, torch_rmsprop),
    }
    return value_based("rgmcomm_qmix", env, **_with_settings(given, settings))


_INSTEAD = {
    "channel": "set vocab_size and encoding, or give a ClusterChannel and the loss LabelLoss to maddpg",
    "optimizer": "set learning_rate and message_rate, or give a ClusterChannel and the loss LabelLoss to maddpg",
}


def _with_settings(given: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """What RGMComm is made of, and what the user adds or sets otherwise."""
    for name in ("channel", "optimizer"):
        if name in settings:
            raise ValueError(f"{name} is a part of RGMComm: {_INSTEAD[name]}")
    merged = {name: {**given[name], **(settings.get(name) or {})} for name in ("losses", "weights")}
    return {**given, **settings, **merged}


def _talking(vocab_size: int, encoding: str, message_interval: int, clustering: LabelLoss) -> dict[str, Any]:
    return {
        "channel": ClusterChannel(vocab_size=vocab_size, encoding=encoding),
        "losses": {"labels": Every(message_interval, clustering)},
        "weights": {"labels": 1.0},
    }
