"""MASIA (Guan et al. 2022): receivers aggregate all messages by self-attention and estimate the state, on QMIX."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

PUBLISHED = {
    **PYMARL,
    "optimizer": "adam",
    "last_action": False,
    "mixer.hypernet_layers": 2,
    "channel.latent": 8,
    "channel.width": 32,
    "channel.query_size": 16,
    "channel.pooled": False,
    "channel.remembers": True,
    "channel.predicts": True,
    "weights.reconstruction": 1.0,
    "weights.prediction": 1.0,
}


@recipe(
    "value",
    {"channel": "aggregation", "mixer": "monotonic"},
    published=PUBLISHED,
    short_names={
        "latent": "channel.latent",
        "message_dims": "channel.dims",
        "pooled": "channel.pooled",
        "remembers": "channel.remembers",
        "predicts": "channel.predicts",
        "reconstruction": "weights.reconstruction",
        "hypernet_layers": "mixer.hypernet_layers",
    },
)
def masia(env: Environment, **settings: Any) -> Algorithm:
    """MASIA: self-attention over all messages, taught to tell the state (aggregation x monotonic x value).

    Args:
      env: the task.
      **settings: as for the value learner, and by short names:
        latent: size of the representation, or of each sender's part of it.
        message_dims: numbers that a sender encodes what it sees to; 0 sends it as it is.
        pooled: whether the representation is that of a set, or one part a sender, as released.
        remembers: whether the aggregation has a memory of its own, as released.
        predicts: whether representations are taught to foretell the next ones, as released.
        reconstruction: weight of the error of the estimated state.
        hypernet_layers: of the mixer, 1 or, as published, 2.
    """
    ...
