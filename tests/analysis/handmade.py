"""Recorded episodes that nobody played, and a curve that nobody measured."""

from typing import Any

import numpy as np

from marlcomm.analysis import CutCurve, RecordedEpisodes
from marlcomm.types import Episodes


def recorded_with(content: np.ndarray, lengths: np.ndarray | None = None) -> RecordedEpisodes:
    """Episodes in which all agents live and say `content` [B, T, N, N, D], at 32 bits an entry, as long as they last.

    What no test of it reads is missing.
    """
    batch, steps, agents, _, dims = content.shape
    valid = np.arange(steps) < (np.full(batch, steps) if lengths is None else lengths)[:, None]
    nothing: Any = None
    return RecordedEpisodes(
        episodes=Episodes(
            **dict.fromkeys(Episodes._fields, nothing)
            | {"alive": np.ones((batch, steps + 1, agents), bool), "valid": valid}
        ),
        content=content,
        importance=np.abs(content),
        sent=np.ones(content.shape, bool),
        bits=np.full((batch, steps, agents), 32.0 * dims * (agents - 1)),
        mean=None,
        scores=nothing,
        states=nothing,
        edited=False,
    )


def drawn_curve(run, fractions=(0.0, 1.0), **more):
    """In place of `cut_curve`, which has tests of its own and takes long."""
    shape = len(fractions), len(run.population)
    known, unknown = np.broadcast_to([[7.25]], shape), np.full(shape, np.nan)
    return CutCurve("cut", np.array(fractions), known, unknown, 1 - np.outer(fractions, [1] * shape[1]), known, unknown)
