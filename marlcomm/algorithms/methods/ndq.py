"""NDQ (Wang et al. 2020): Gaussian messages on QMIX, made expressive and succinct by two losses."""

import functools
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import Same, recipe
from marlcomm.envs.api import Environment
from marlcomm.losses import expressiveness_loss
from marlcomm.losses.information import RELEASED_FLOOR

PUBLISHED = {
    **PYMARL,
    "training_edit": None,
    "losses": {"expressiveness": functools.partial(expressiveness_loss, floor=RELEASED_FLOOR)},
}


@recipe(
    "value",
    {"channel": "gaussian", "channel.hidden": Same("hidden"), "mixer": "monotonic", "training_edit": "random_cut"},
    published=PUBLISHED,
    short_names={
        "beta": "weights.succinctness",
        "message_dims": "channel.dims",
        "expressiveness": "weights.expressiveness",
        "hypernet_layers": "mixer.hypernet_layers",
        "self_message": "channel.self_message",
        "reads_memory": "channel.reads_memory",
        "encoder_hidden": "channel.hidden",
        "cut_share": "training_edit.share",
        "cut_start": "training_edit.start",
    },
)
def ndq(env: Environment, **settings: Any) -> Algorithm:
    """NDQ: Gaussian messages, made expressive and succinct by two losses (gaussian x monotonic x value).

    Our default also cuts a random share of the messages in training (`training_edit="random_cut"`, see `RandomCut`):
    teams then learn protocols that bear cutting. The published setting (`paper=True`) does not.

    Args:
      env: the task.
      **settings: as for the value learner, and by short names:
        beta: weight of succinctness, the paper's beta (the released code's c_beta times comm_beta).
        message_dims: D, dimensions of the message to one receiver (published: 2 on grid tasks, 3 on StarCraft).
        expressiveness: weight of expressiveness (the released c_beta; the paper does not say that there is one).
        hypernet_layers: of the mixer, 1 as released or 2 as in PyMARL.
        self_message: whether a receiver also gets its own message, as released.
        reads_memory: whether messages are made of the memory too (the paper), or of the current input only (released).
        encoder_hidden: width of the message encoder's two hidden layers; by default that of the agent, as released.
        cut_share, cut_start: of `RandomCut`: the largest share, and environment steps before cutting begins.
    """
    ...
