"""The communicating agents: a network and a channel make scores, action values or logits, of what a team sees."""

from marlcomm.agents.communicating import CommunicatingAgent, TeamMemory, init_agent, run_agent
from marlcomm.agents.feed_forward import FeedForwardAgent
from marlcomm.agents.torch_layout import from_torch, ndq_from_torch

__all__ = [
    "CommunicatingAgent",
    "FeedForwardAgent",
    "TeamMemory",
    "from_torch",
    "init_agent",
    "ndq_from_torch",
    "run_agent",
]
