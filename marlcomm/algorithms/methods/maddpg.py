"""MADDPG (Lowe et al. 2017): off-policy actors, each with a critic that sees what all see and do."""

from collections.abc import Mapping
from typing import Any

import optax

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

# As released with RGMComm, which plays one environment and learns at every step; networks are one an agent.
PUBLISHED: Mapping[str, Any] = {
    "num_envs": 1,
    "batch_steps": 256,
    "replay_steps": 500_000,
    "update_interval": 1,
    "critics_see": "observations",
    "noise": 1.0,
    "discrete_gradient": "drawn",
    "agent_id": False,
    "separate_actors": True,
    "shared_critic": False,
    "learning_rate": 1e-4,
    "critic_learning_rate": 1e-3,
    "learning_rate_decay_to": 1.0,
    "discount": 0.95,
    "gradient_clip": 1e9,  # none
    "exploration_start": 0.1,
    "exploration_final": 0.05,
    "exploration_steps": 100_000,
    "target_rate": 0.01,
    "team_share": 0.0,
    "saturation": 0.0,
    "optimizer": lambda hparams: optax.adam(hparams.learning_rate),
}


@recipe("actor_critic", {"channel": "silent"}, published=PUBLISHED)
def maddpg(env: Environment, **settings: Any) -> Algorithm:
    """MADDPG: off-policy actors with centralized critics (silent x centralized critic x off-policy actor-critic).

    On `FullObservation` it is RGMComm's ideal policy. Actions may be continuous or discrete. Settings as for the
    off-policy actor-critic learner.
    """
    ...
