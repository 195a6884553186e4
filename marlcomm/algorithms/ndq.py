"""NDQ (Wang et al. 2020): Gaussian messages on QMIX, made expressive and succinct by two losses."""

import functools
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.value_based import value_based
from marlcomm.envs.api import Environment
from marlcomm.losses import expressiveness_loss, succinctness_loss
from marlcomm.losses.information import RELEASED_FLOOR
from marlcomm.messages import GaussianChannel
from marlcomm.messages.edit_schedules import RandomCut, in_order
from marlcomm.networks import MonotonicMixer

_CUT_ALIASES = {"cut_share": "training_edit.share", "cut_start": "training_edit.start"}


@recorded
def ndq(
    env: Environment,
    *,
    message_dims: int = 2,
    beta: float = 1e-3,
    expressiveness: float = 0.1,
    hypernet_layers: int = 1,
    self_message: bool = True,
    reads_memory: bool = False,
    hidden: int = 64,
    encoder_hidden: int = 0,
    cut_in_training: bool = True,
    cut_share: float = 0.95,
    cut_start: float = 300_000,
    **settings: Any,
) -> Algorithm:
    """NDQ: Gaussian messages, made expressive and succinct by two losses (gaussian x monotonic x value).

    Our default also cuts a random share of the messages in training (`cut_in_training`): teams then learn protocols
    that bear cutting. The published setting (`paper=True`) does not.

    Args:
      env: the task.
      message_dims: D, dimensions of the message to one receiver (published: 2 on grid tasks, 3 on StarCraft).
      beta: weight of succinctness, the paper's beta (the released code's c_beta times comm_beta).
      expressiveness: weight of expressiveness (the released c_beta; the paper does not say that there is one).
      hypernet_layers: of the mixer, 1 as released or 2 as in PyMARL.
      self_message: whether a receiver also gets its own message, as released.
      reads_memory: whether messages are made of the memory too, as the paper says, and not of the current input
        alone, as released. Who must pass on what it heard needs it.
      hidden: H of the agent.
      encoder_hidden: width of the message encoder's two hidden layers; 0 for that of the agent, as released. (It was 64
        before it could be set: a run of that time with another `hidden` is resumed with `encoder_hidden=64`.)
      cut_in_training: whether a random share of the messages, the least important, is cut while training (see
        `RandomCut`); never where `paper` says what is published: give `training_edit=RandomCut()` there.
      cut_share, cut_start: of that; the hyper-parameters `training_edit.share` and `training_edit.start`.
      **settings: as for `value_based`.
    """
    paper = settings.get("paper", False)
    cut = RandomCut(share=cut_share, start=cut_start) if cut_in_training and not paper else None
    expressive = functools.partial(expressiveness_loss, floor=RELEASED_FLOOR) if paper else expressiveness_loss
    given = {
        "mixer": MonotonicMixer(hypernet_layers=hypernet_layers),
        "channel": GaussianChannel(
            dims=message_dims,
            hidden=encoder_hidden or hidden,
            self_message=self_message,
            reads_memory=reads_memory,
        ),
        "hidden": hidden,
        "losses": {"expressiveness": expressive, "succinctness": succinctness_loss},
        "weights": {"expressiveness": expressiveness, "succinctness": beta},
        "aliases": {"beta": "weights.succinctness", **({} if cut is None else _CUT_ALIASES)},
        **settings,
        "training_edit": in_order(settings.get("training_edit"), cut),
    }
    return value_based("ndq", env, **given)
