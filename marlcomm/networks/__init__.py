"""Networks: the communicating agent, the mixers, and the layers under them."""

from marlcomm.networks.agent import CommunicatingAgent, FeedForwardAgent
from marlcomm.networks.critics import ActionCritic, CentralCritic, LocalCritic
from marlcomm.networks.joint_critic import JointCritic
from marlcomm.networks.mixers import IndependentMixer, MonotonicMixer, SumMixer
from marlcomm.networks.torch_layout import from_torch, ndq_from_torch

__all__ = [
    "ActionCritic",
    "CentralCritic",
    "CommunicatingAgent",
    "FeedForwardAgent",
    "IndependentMixer",
    "JointCritic",
    "LocalCritic",
    "MonotonicMixer",
    "SumMixer",
    "from_torch",
    "ndq_from_torch",
]
