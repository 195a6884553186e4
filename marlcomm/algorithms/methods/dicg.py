"""DICG (Li et al. 2021), with central execution: graph convolution over a soft graph of self-attention; PPO."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

# as released for traffic junction, whose policy has no memory (ours keeps its recurrent layer); 80,000 steps are 4,000
# episodes of 20 steps, in 4 parts
PUBLISHED = {
    "learning_rate": 3e-4,
    "learning_rate_decay_to": 1.0,
    "epochs": 10,
    "gae_lambda": 0.97,
    "entropy": 0.02,
    "entropy_decay_to": 1.0,
    "normalize_returns": False,
    "normalize_advantage": True,
    "gradient_clip": 7.0,
    "hidden": 128,
    "num_envs": 4_000,
}


@recipe(
    "on_policy",
    {"channel": "graph_convolution", "channel.dims": 128, "channel.hidden": 128, "critic": "central"},
    published=PUBLISHED,
    short_names={"message_dims": "channel.dims", "rounds": "channel.rounds"},
)
def dicg(env: Environment, **settings: Any) -> Algorithm:
    """DICG: graph convolution over a soft graph of self-attention (graph_convolution x on-policy).

    Agents have a recurrent layer after the convolution, with `paper=True`, too: as released for traffic junction they
    are feed-forward, and remember nothing.

    Args:
      env: the task.
      **settings: as for the on-policy learner, and by short names:
        message_dims: size of an embedding.
        rounds: graph convolutions, in each of which agents talk.
    """
    ...
