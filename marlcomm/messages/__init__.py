"""How agents talk: one file a channel, one interface, and the edits that stand between sender and receiver."""

from marlcomm.messages.channel import Channel
from marlcomm.messages.cluster import ClusterChannel
from marlcomm.messages.edits import (
    CutBelow,
    Drop,
    Edit,
    Noise,
    RankCut,
    Shuffle,
    Silence,
    chain_edits,
    parse_edit,
)
from marlcomm.messages.gaussian import GaussianChannel
from marlcomm.messages.silent import SilentChannel

__all__ = [
    "Channel",
    "ClusterChannel",
    "CutBelow",
    "Drop",
    "Edit",
    "GaussianChannel",
    "Noise",
    "RankCut",
    "Shuffle",
    "Silence",
    "SilentChannel",
    "chain_edits",
    "parse_edit",
]
