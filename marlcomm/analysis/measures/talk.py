"""How much each agent communicates, to whom, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marlcomm.analysis.measures.recorded import RecordedEpisodes
from marlcomm.short_repr import ShortRepr

SPOKEN = 2.0  # deviations of |mean| from which on NDQ's paper, where they are 1, counts a dimension as sent (Fig. 3)


@dataclass(frozen=True, repr=False)
class Talk(ShortRepr):
    """How much each agent sends to each other, sender first; NaN on the diagonal.

    Attributes:
      share: [N, N] share of the steps on which at least one dimension counts as sent.
      importance: [N, N, D] mean importance of each dimension, sent or not.
      threshold: importance from which on a dimension counts as sent.
    """

    share: np.ndarray
    importance: np.ndarray
    threshold: float

    def pairs(self, at_least: float = 0.01) -> list[tuple[int, int]]:
        """(sender, receiver) of the pairs that talk on more than `at_least` of the steps, most talkative first."""
        found = [(i, j) for i, j in np.argwhere(np.nan_to_num(self.share) > at_least).tolist()]
        return sorted(found, key=lambda pair: -self.share[pair])


def spoken_threshold(recorded: RecordedEpisodes) -> float:
    """Importance from which on a dimension counts as sent where nobody says otherwise.

    Two deviations of the noise where dimensions are sampled around a mean: the NDQ paper's 2.0, as |mean| is the only
    importance with a published threshold; else 0, so that all that is sent counts.
    """
    return 0.0 if recorded.mean is None else SPOKEN * recorded.noise


def who_talks(recorded: RecordedEpisodes, threshold: float | None = None) -> Talk:
    """How much each agent sends to each other, over valid steps on which both are alive.

    A step counts if the edits let a dimension pass and its importance is at least `threshold`: by default two
    deviations of the noise, the NDQ paper's 2.0, where messages are sampled around a mean, and 0 for other channels.
    """
    threshold = spoken_threshold(recorded) if threshold is None else threshold
    offered = recorded.offered  # [B, T, N, N]
    steps = offered.sum((0, 1)).astype(float)
    steps[steps == 0] = np.nan  # messages to oneself never count, nor does a pair that is never alive together
    spoken = recorded.above(threshold).any(-1).sum((0, 1))
    total = np.where(offered[..., None], recorded.importance, 0.0).sum((0, 1))
    return Talk(spoken / steps, total / steps[..., None], threshold)


@dataclass(frozen=True, repr=False)
class TalkOverTime(ShortRepr):
    """Communication by time step: means over the episodes that last so long with the agent alive; NaN where none.

    Attributes:
      going: [T] share of episodes that have a step t.
      said: [T, N] share in which the agent says to somebody what counts as said.
      bits: [T, N] bits that it spends on others.
      bits_per_step: [N] the same over all steps: what the agent costs.
      threshold: importance from which on a dimension counts as said.
    """

    going: np.ndarray
    said: np.ndarray
    bits: np.ndarray
    bits_per_step: np.ndarray
    threshold: float


def talk_over_time(recorded: RecordedEpisodes, threshold: float | None = None) -> TalkOverTime:
    """Communication by time step; a message counts as in `who_talks`."""
    threshold = spoken_threshold(recorded) if threshold is None else threshold
    valid = np.asarray(recorded.episodes.valid)
    alive = np.asarray(recorded.episodes.alive)[:, :-1] & valid[..., None]  # [B, T, N]
    count = alive.sum(0).astype(float)
    count[count == 0] = np.nan
    bits = np.where(alive, recorded.bits, 0.0)
    said = recorded.above(threshold).any((-1, -2))
    return TalkOverTime(
        valid.mean(0), said.sum(0) / count, bits.sum(0) / count, bits.sum((0, 1)) / valid.sum(), threshold
    )


def talk_table(talk: Talk, names: Sequence[str] = ()) -> str:
    """A markdown table, a row a sender and a column a receiver: share of steps, and mean importance by dimension.

    Args:
      talk: from `who_talks`.
      names: [N] what to call the agents; their numbers by default.
    """
    count = len(talk.share)
    called = list(names) or [str(agent) for agent in range(count)]
    head = [f"sender \\ receiver, share ≥ {talk.threshold:g} (mean)", *called]
    lines = [head, ["---"] + [":-:"] * count]
    for sender in range(count):
        cells = [_cell(talk, sender, receiver) for receiver in range(count)]
        lines.append([called[sender], *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(talk: Talk, sender: int, receiver: int) -> str:
    share = talk.share[sender, receiver]
    if np.isnan(share):
        return "–"
    sizes = " ".join(f"{value:.1f}" for value in talk.importance[sender, receiver])
    return f"{share:.0%} ({sizes})"
