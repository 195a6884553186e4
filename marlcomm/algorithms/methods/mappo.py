"""MAPPO (Yu et al. 2022): PPO with a critic that reads the global state; the silent reference of on-policy methods."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

# Yu et al. 2022, recurrent, as tuned for the StarCraft maps; their critic is recurrent too, and values are normalized.
PUBLISHED = {
    "learning_rate": 5e-4,
    "learning_rate_decay_to": 1.0,
    "epochs": 10,
    "value_weight": 1.0,
    "gae_lambda": 0.95,
    "clip_ratio": 0.2,
    "entropy": 0.01,
    "entropy_decay_to": 1.0,
    "normalize_advantage": True,
    "gradient_clip": 10.0,
    "num_envs": 8,
}


@recipe("on_policy", {"channel": "silent", "critic": "central"}, published=PUBLISHED)
def mappo(env: Environment, **settings: Any) -> Algorithm:
    """MAPPO: PPO with a critic that reads the global state (silent x on-policy).

    Settings as for the on-policy learner.
    """
    ...
