"""MAGIC (Niu et al. 2021): graph attention over hard graphs that a scheduler draws; REINFORCE with a baseline."""

from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.methods.ic3net import PUBLISHED as IC3NET
from marlcomm.algorithms.recipe import recipe
from marlcomm.envs.api import Environment

# trained by IC3Net's released framework, with the same numbers; the channel as for predator-prey. In traffic junction
# both graphs are complete there, with loops always (the paper's supplement, 1.2): first_graph="complete" and
# second_graph="complete".
PUBLISHED = {**IC3NET, "channel.self_loops": "learned"}


@recipe(
    "on_policy",
    {
        "channel": "graph_attention",
        "channel.dims": 128,
        "critic": "central",
        "team_share": 0.0,
    },
    published=PUBLISHED,
    short_names={
        "message_dims": "channel.dims",
        "heads": "channel.heads",
        "first_graph": "channel.first_graph",
        "second_graph": "channel.second_graph",
    },
)
def magic(env: Environment, **settings: Any) -> Algorithm:
    """MAGIC: graph attention over hard graphs that a scheduler draws (graph_attention x on-policy).

    The original's critic reads an agent's memory and what it hears; ours reads the state.

    Args:
      env: the task.
      **settings: as for the on-policy learner, with `team_share` 0 (each agent has its own reward), and by short names:
        message_dims: size of a message.
        heads: attention heads of the first round.
        first_graph, second_graph: "learned" or "complete"; the second also "same" as the first.
    """
    ...
