"""Edits stand between sender and receiver: they cut, drop, blur, delay, shuffle or silence messages of any channel.

An edit is a pytree whose numbers may be traced, so that one compiled program serves a sweep over them.
"""

from marlcomm.messages.edits.controls import Random, SelfOnly, Shuffle
from marlcomm.messages.edits.cuts import (
    Budget,
    CalibratedCut,
    CutBelow,
    RankCut,
    Silence,
    importance_quantile,
    with_mask,
)
from marlcomm.messages.edits.damage import Drop, Noise, Quantize
from marlcomm.messages.edits.edit import Delay, Edit, OneOf, chain_edits, looks_across, split_delay
from marlcomm.messages.edits.pairs import CutPairs, ReplaceSender, SwapPairs
from marlcomm.messages.edits.parse import parse_edit, parse_edits
from marlcomm.types import pairs_at_work

__all__ = [
    "Budget",
    "CalibratedCut",
    "CutBelow",
    "CutPairs",
    "Delay",
    "Drop",
    "Edit",
    "Noise",
    "OneOf",
    "Quantize",
    "Random",
    "RankCut",
    "ReplaceSender",
    "SelfOnly",
    "Shuffle",
    "Silence",
    "SwapPairs",
    "chain_edits",
    "importance_quantile",
    "looks_across",
    "pairs_at_work",
    "parse_edit",
    "parse_edits",
    "split_delay",
    "with_mask",
]
