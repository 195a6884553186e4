"""Networks: the communicating agent, the mixers, and the layers under them."""

from marlcomm.networks.agent import CommunicatingAgent
from marlcomm.networks.critics import CentralCritic, LocalCritic
from marlcomm.networks.mixers import IndependentMixer, MonotonicMixer, SumMixer

__all__ = ["CentralCritic", "CommunicatingAgent", "IndependentMixer", "LocalCritic", "MonotonicMixer", "SumMixer"]
