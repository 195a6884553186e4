"""The communicating agents: a network and a channel make scores, action values or logits, of what a team sees."""

from marlcomm.agents.communicating import CommunicatingAgent, TeamMemory, run_agent
from marlcomm.agents.feed_forward import FeedForwardAgent
from marlcomm.agents.torch_layout import from_torch, ndq_from_torch

__all__ = [
    "CommunicatingAgent",
    "FeedForwardAgent",
    "TeamMemory",
    "from_torch",
    "ndq_from_torch",
    "run_agent",
]
