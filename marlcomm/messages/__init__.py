"""How agents talk: one file a channel, one interface, and the edits that stand between sender and receiver."""

from marlcomm.messages.attention import AttentionChannel
from marlcomm.messages.channel import Channel, by_receiver, offer, to_everybody, within_reach
from marlcomm.messages.cluster import ClusterChannel
from marlcomm.messages.discrete import DiscreteChannel
from marlcomm.messages.edits import (
    Budget,
    CutBelow,
    Delay,
    Drop,
    Edit,
    Noise,
    Quantize,
    Random,
    RankCut,
    SelfOnly,
    Shuffle,
    Silence,
    chain_edits,
    parse_edit,
)
from marlcomm.messages.gated import GatedChannel
from marlcomm.messages.gaussian import GaussianChannel
from marlcomm.messages.mean import MeanChannel
from marlcomm.messages.memory import MemoryChannel
from marlcomm.messages.shared import SharedChannel
from marlcomm.messages.silent import SilentChannel

__all__ = [
    "AttentionChannel",
    "Budget",
    "Channel",
    "ClusterChannel",
    "CutBelow",
    "Delay",
    "DiscreteChannel",
    "Drop",
    "Edit",
    "GatedChannel",
    "GaussianChannel",
    "MeanChannel",
    "MemoryChannel",
    "Noise",
    "Quantize",
    "Random",
    "RankCut",
    "SelfOnly",
    "SharedChannel",
    "Shuffle",
    "Silence",
    "SilentChannel",
    "by_receiver",
    "chain_edits",
    "offer",
    "parse_edit",
    "to_everybody",
    "within_reach",
]
