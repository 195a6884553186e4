"""MAPPO (Yu et al. 2022): PPO with a critic that reads the global state; the silent reference of on-policy methods."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm, recorded
from marlcomm.algorithms.policy_based import policy_based
from marlcomm.envs.api import Environment
from marlcomm.networks import CentralCritic

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


@recorded
def mappo(env: Environment, *, paper: bool = False, **settings: Any) -> Algorithm:
    """MAPPO: PPO with a critic that reads the global state (silent x on-policy).

    Args:
      env: the task.
      paper: take the published value of everything that is not given.
      **settings: as for `policy_based`.
    """
    return policy_based("mappo", env, **{"critic": CentralCritic(), **(PUBLISHED if paper else {}), **settings})
