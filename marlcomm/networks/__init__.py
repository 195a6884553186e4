"""Networks without communication: mixers, critics, and the layers under them."""

from marlcomm.networks.critics import ActionCritic, CentralCritic, DecomposedCritic, LocalCritic
from marlcomm.networks.joint_critic import JointCritic
from marlcomm.networks.mixers import IndependentMixer, MonotonicMixer, QPLEXMixer, QTRANMixer, SumMixer
from marlcomm.renamed import old_attributes

__all__ = [
    "ActionCritic",
    "CentralCritic",
    "DecomposedCritic",
    "IndependentMixer",
    "JointCritic",
    "LocalCritic",
    "MonotonicMixer",
    "QPLEXMixer",
    "QTRANMixer",
    "SumMixer",
]

_MOVED = ("CommunicatingAgent", "FeedForwardAgent", "from_torch", "ndq_from_torch")
__getattr__ = old_attributes(__name__, {name: f"marlcomm.agents.{name}" for name in _MOVED})
