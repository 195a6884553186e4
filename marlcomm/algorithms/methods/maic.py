"""MAIC (Yuan et al. 2022): teammate models make messages that add to the receiver's action values, on QMIX."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.shared import PYMARL
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

PUBLISHED = {
    **PYMARL,
    "last_action": True,
    "mixer.hypernet_layers": 2,
    "channel.latent": 8,
    "channel.width": 64,
    "channel.query_size": 32,
    "channel.variance_floor": 0.002,
    "channel.prune": 0.25,
    "channel.at_receiver": True,
    "weights.teammate_model": 1e-3,
    "weights.attention_entropy": 1e-2,
}


@recipe(
    "value",
    {"channel": "incentive", "mixer": "monotonic"},
    published=PUBLISHED,
    short_names={
        "latent": "channel.latent",
        "prune": "channel.prune",
        "teammate_model": "weights.teammate_model",
        "attention_entropy": "weights.attention_entropy",
        "hypernet_layers": "mixer.hypernet_layers",
    },
)
def maic(env: Environment, **settings: Any) -> Algorithm:
    """MAIC: teammate models make messages that bias others' action values (incentive x monotonic x value).

    The published setting (`paper=True`) is that of the released code, in which the receiver's own memory makes the
    message of the latent that it is sent (`channel.at_receiver`).

    Args:
      env: the task.
      **settings: as for the value learner, and by short names:
        latent: size of a teammate's latent.
        prune: share of an equal part of attention below which a message is not sent in evaluation.
        teammate_model: weight of the divergence of the teammate model from its posterior.
        attention_entropy: weight of the entropy of attention (sparsity).
        hypernet_layers: of the mixer, 1 or, as published, 2.
    """
    ...
