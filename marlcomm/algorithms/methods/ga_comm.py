"""GA-Comm, the channel of G2ANet (Liu et al. 2020): hard, then soft attention; REINFORCE with a baseline."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.magic import PUBLISHED as MAGIC
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

# as MAGIC's authors released it for their comparison; in traffic junction its hard attention is always open there:
# first_graph="complete"
PUBLISHED = {**MAGIC, "channel.self_loops": "never"}


@recipe(
    "on_policy",
    {
        "channel": "graph_attention",
        "channel.dims": 128,
        "channel.rounds": 1,
        "channel.scores": "dot",
        "channel.scheduler": "sequence",
        "channel.scheduler_size": 128,
        "channel.self_loops": "never",
        "critic": "central",
        "team_share": 0.0,
    },
    published=PUBLISHED,
    short_names={
        "message_dims": "channel.dims",
        "first_graph": "channel.first_graph",
        "scheduler": "channel.scheduler",
    },
)
def ga_comm(env: Environment, **settings: Any) -> Algorithm:
    """GA-Comm: whom to hear by an LSTM over pairs, how much by attention (graph_attention x on-policy).

    Its LSTM tells senders apart by their numbers; scheduler="attention" decides by all encodings, in no order.

    Args:
      env: the task.
      **settings: as for the on-policy learner, with `team_share` 0 (each agent has its own reward), and by short names:
        message_dims: size of a message.
        first_graph: "learned", or "complete" for soft attention alone.
        scheduler: "sequence" as in the paper, "attention" or "pairs".
    """
    ...
