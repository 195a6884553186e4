"""DOP (Wang et al. 2021): off-policy actors whose critic is a weighted sum of the agents' own."""

from collections.abc import Mapping
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.recipe import Same, recipe
from marlcomm.envs.api import Environment

# As released, which is for StarCraft; sizes of batches and replay are of whole episodes there, and so not taken.
PUBLISHED: Mapping[str, Any] = {
    "learning_rate": 5e-4,
    "critic_learning_rate": 1e-4,
    "learning_rate_decay_to": 1.0,
    "discount": 0.99,
    "exploration_start": 0.5,
    "exploration_final": 0.05,
    "exploration_steps": 500_000,
    "discrete_gradient": "expected",
    "saturation": 0.0,
    "recurrent": True,
    "last_action": True,
    "gradient_clip": 20.0,
}
AS_THE_ACTORS: Mapping[str, Any] = {
    "critic": "decomposed",
    "critic.hidden": Same("hidden"),
    "critic.layers": Same("layers"),
    "critic.shared": Same("shared_critic"),
}


@recipe("actor_critic", {"channel": "silent", **AS_THE_ACTORS}, published=PUBLISHED)
def dop(env: Environment, **settings: Any) -> Algorithm:
    """DOP: off-policy actors with a linearly decomposed critic (silent x decomposed critic x off-policy actor-critic).

    Continuous actions: the deterministic decomposed policy gradient, the sum of k_i(s) times each agent's
    gradient of its own Q_i. Discrete actions: the paper's gradient, k_i(s) Q_i(s, a_i) times that of log pi_i, with its
    mean over the agent's own actions taken exactly. Where the paper teaches the critic by a tree backup mixed with
    TD(lambda), ours learns from one-step targets with actions that the target actors draw.

    Settings as for the off-policy actor-critic learner.
    """
    ...
