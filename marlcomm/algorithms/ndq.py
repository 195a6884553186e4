"""NDQ (Wang et al. 2020): Gaussian messages on QMIX, made expressive and succinct by two losses."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.value_based import value_based
from marlcomm.envs.api import Environment
from marlcomm.losses import expressiveness_loss, succinctness_loss
from marlcomm.messages import GaussianChannel
from marlcomm.networks import MonotonicMixer


def ndq(
    env: Environment,
    *,
    message_dims: int = 2,
    beta: float = 1e-3,
    expressiveness: float = 0.1,
    hypernet_layers: int = 1,
    self_message: bool = True,
    **settings: Any,
) -> Algorithm:
    """gaussian x monotonic x value. Further settings as for `value_based`."""
    given = {
        "mixer": MonotonicMixer(hypernet_layers=hypernet_layers),
        "channel": GaussianChannel(dims=message_dims, self_message=self_message),
        "losses": {"expressiveness": expressiveness_loss, "succinctness": succinctness_loss},
        "weights": {"expressiveness": expressiveness, "succinctness": beta},
        "aliases": {"beta": "weights.succinctness"},
        **settings,
    }
    return value_based("ndq", env, **given)
