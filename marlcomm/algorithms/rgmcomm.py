"""RGMComm (Chen et al. 2024): agents say to which cluster of action values belongs what they see."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.maddpg import maddpg
from marlcomm.algorithms.optimisers import adam, apart, torch_rmsprop
from marlcomm.algorithms.value_based import value_based
from marlcomm.envs.api import Environment
from marlcomm.losses import Every, LabelLoss, teacher_loss
from marlcomm.messages import ClusterChannel
from marlcomm.networks import JointTeacher, MonotonicMixer


@recorded
def rgmcomm(
    env: Environment,
    *,
    labels: int = 4,
    encoding: str = "one_hot",
    neighbours: int = 4,
    information_weight: float = 1.0,
    entropy_weight: float = 2.0,
    normalisation: str = "",
    activation: str = "tanh",
    message_rate: float = 1.0,
    message_interval: int = 10,
    paper: bool = False,
    **settings: Any,
) -> Algorithm:
    """RGMComm, its algorithm 2: MADDPG whose actors hear labels, which are taught by the critics while all learn
    (cluster x centralised critic x off-policy actor-critic). For its released order of work see `train_pipeline`.

    Labels are made anew from the views in replay, so replay always speaks the language of the day.

    Args:
      env: the task; actions may be continuous or discrete.
      labels: size of the alphabet (published: 4, 16).
      encoding: what a receiver is given of a label; see `ClusterChannel`.
      neighbours, information_weight, entropy_weight, normalisation, activation: see `LabelLoss`.
      message_rate: the message network's learning rate, in units of `learning_rate`; 0 leaves labels as they begin.
      message_interval: gradient steps from one that teaches labels to the next; see `Every`.
      paper: take MADDPG's released settings where none are given.
      **settings: as for `ddpg_based`; critics see "observations", as labels compare agents' views. `losses` come on top
        of RGMComm's, and one called `labels` takes the place of its `LabelLoss`. (Its weight hardly matters: the
        message network learns from nothing else, by Adam.)

    Raises:
      ValueError: fewer than 2 labels, critics that do not see the agents' views, or another channel or optimiser.
    """
    if settings.get("critics_see", "observations") != "observations":
        raise ValueError('critics_see must be "observations": labels are found by asking critics about agents\' views')
    clustering = LabelLoss(
        neighbours=neighbours,
        information_weight=information_weight,
        entropy_weight=entropy_weight,
        normalisation=normalisation,
        activation=activation,
    )
    given = _talking(labels, encoding, message_interval, clustering)
    given |= {"optimiser": apart(message_rate, adam), "critics_see": "observations"}
    return maddpg(env, paper=paper, **_with_settings(given, settings))


@recorded
def rgmcomm_qmix(
    env: Environment,
    *,
    labels: int = 4,
    encoding: str = "one_hot",
    neighbours: int = 4,
    information_weight: float = 1.0,
    entropy_weight: float = 2.0,
    normalisation: str = "",
    activation: str = "tanh",
    message_rate: float = 1.0,
    message_interval: int = 10,
    **settings: Any,
) -> Algorithm:
    """RGMComm's labels on QMIX (cluster x monotonic x value), with a teacher that sees what all see.

    QMIX's own values hardly depend on what only others see, so labels are found by a `JointTeacher`, which learns from
    the same replay and sends nothing. It has no memory: where the step or the past matters, views must tell it.

    Args:
      env: the task.
      labels, encoding, message_rate, message_interval: as for `rgmcomm`.
      neighbours, information_weight, entropy_weight, normalisation, activation: see `LabelLoss`.
      **settings: as for `value_based`; `losses` as for `rgmcomm`.

    Raises:
      ValueError: fewer than 2 labels, or another channel or optimiser.
    """
    clustering = LabelLoss(
        neighbours=neighbours,
        information_weight=information_weight,
        entropy_weight=entropy_weight,
        normalisation=normalisation,
        activation=activation,
    )
    given = _talking(labels, encoding, message_interval, clustering)
    given["losses"]["teacher"], given["weights"]["teacher"] = teacher_loss, 1.0
    given |= {
        "mixer": MonotonicMixer(),
        "teacher": JointTeacher(env.num_agents, env.num_actions),
        "optimiser": apart(message_rate, torch_rmsprop),
    }
    return value_based("rgmcomm_qmix", env, **_with_settings(given, settings))


_INSTEAD = {
    "channel": "set labels and encoding, or give a ClusterChannel and the loss LabelLoss to maddpg",
    "optimiser": "set learning_rate and message_rate, or give a ClusterChannel and the loss LabelLoss to maddpg",
}


def _with_settings(given: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """What RGMComm is made of, and what the user adds or sets otherwise."""
    for name in ("channel", "optimiser"):
        if name in settings:
            raise ValueError(f"{name} is a part of RGMComm: {_INSTEAD[name]}")
    merged = {name: {**given[name], **(settings.get(name) or {})} for name in ("losses", "weights")}
    return {**given, **settings, **merged}


def _talking(labels: int, encoding: str, message_interval: int, clustering: LabelLoss) -> dict[str, Any]:
    return {
        "channel": ClusterChannel(alphabet=labels, encoding=encoding),
        "losses": {"labels": Every(message_interval, clustering)},
        "weights": {"labels": 1.0},
    }
