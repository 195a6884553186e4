"""All measures of a trained run, gathered for its page."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from marlcomm.analysis.measures.ablation import MessageWorth, TalkGraph, message_worth, smallest_graph
from marlcomm.analysis.measures.codes import Codes, find_codes
from marlcomm.analysis.measures.cuts import FRACTIONS, CutCurve, cut_curve
from marlcomm.analysis.measures.dictionary import Dictionary, make_dictionary
from marlcomm.analysis.measures.intervention import Intervention, intervene
from marlcomm.analysis.measures.recorded import RecordedEpisodes, record_episodes
from marlcomm.analysis.measures.signaling import Signaling, measure_signaling
from marlcomm.analysis.measures.tables import read_metrics
from marlcomm.analysis.measures.talk import Talk, TalkOverTime, talk_over_time, who_talks
from marlcomm.short_repr import ShortRepr
from marlcomm.training.policy import Policy
from marlcomm.training.saved import SavedRun

Say = Callable[[str], None]
MOST_DICTIONARIES = 3
ACTS_BY_IT = 0.01  # share of a receiver's actions that a message must change to be looked into


@dataclass(frozen=True, repr=False)
class MessageFindings(ShortRepr):
    """All measures of one member's messages."""

    who: Talk
    when: TalkOverTime
    codes: Codes
    signaling: Signaling
    intervention: Intervention
    worth: MessageWorth
    graph: TalkGraph
    whole: CutCurve | None  # when whole messages are cut; None where messages are single numbers
    dictionaries: tuple[Dictionary, ...]  # of the pairs whose messages change most actions


@dataclass(frozen=True, repr=False)
class Inspection(ShortRepr):
    """All measures of a run.

    Attributes:
      saved: the run.
      member: the one that was looked at closely.
      metrics: name -> [time, P], as training recorded them; empty where it recorded nothing.
      curve: return of every member at several cuts; without cuts only where there are no messages.
      recorded: greedy episodes of the member.
      episode: index of a typical one.
      messages: measures of messages; None where there are none.
    """

    saved: SavedRun
    member: int
    metrics: dict[str, np.ndarray]
    curve: CutCurve
    recorded: RecordedEpisodes
    episode: int
    messages: MessageFindings | None


def make_inspection(
    saved: SavedRun, *, member: int | None = None, episodes: int = 500, seed: int = 0, say: Say = lambda _: None
) -> Inspection:
    """Plays episodes of one member and measures everything.

    Args and errors are those of `inspect_run`, of which this is the first half; `say` is told what is being done.
    """
    if episodes < 2:
        raise ValueError(f"episodes is {episodes}: must be at least 2, for a confidence interval")
    chosen = saved.best() if member is None else member
    policy = saved.policy(chosen)
    say(f"playing {episodes} episodes of member {chosen} ({saved.population.name(chosen)})")
    recorded = record_episodes(policy, episodes, seed=seed)
    agents, dims = recorded.content.shape[-2:]
    talks = agents > 1 and dims > 0
    # most of the time goes into compiling, of which two threads do twice as much
    with ThreadPoolExecutor(1) as beside:
        curves = beside.submit(_cut, saved, talks, dims, episodes, seed, say)
        messages = _look_into(policy, recorded, episodes, seed, say) if talks else None
        curve, whole = curves.result()
    return Inspection(
        saved=saved,
        member=chosen,
        metrics=read_metrics(saved),
        curve=curve,
        recorded=recorded,
        episode=ordinary_episode(recorded),
        messages=None if messages is None else replace(messages, whole=whole),
    )


def ordinary_episode(recorded: RecordedEpisodes) -> int:
    """An episode with the return that is nearest the mean, and of these with the most usual length."""
    gap = np.abs(recorded.returns - recorded.returns.mean())
    candidates = np.flatnonzero(gap <= gap.min() + 1e-6)
    lengths = recorded.lengths[candidates]
    return int(candidates[np.argmin(np.abs(lengths - np.median(lengths)))])


def _cut(
    saved: SavedRun, talks: bool, dims: int, episodes: int, seed: int, say: Say
) -> tuple[CutCurve, CutCurve | None]:
    """Every member's worth when entries are cut, and when whole messages are."""
    if not talks:
        return cut_curve(saved, (0.0,), episodes=episodes, seed=seed), None
    say(f"cutting what is said, for {len(saved.population)} member(s)")
    curve = cut_curve(saved, FRACTIONS, episodes=episodes, seed=seed)
    return curve, cut_curve(saved, FRACTIONS, whole=True, episodes=episodes, seed=seed) if dims > 1 else None


def _look_into(policy: Policy, recorded: RecordedEpisodes, episodes: int, seed: int, say: Say) -> MessageFindings:
    """All but `whole`, which is about all members."""
    say("sorting what is said into codes")
    codes = find_codes(recorded)
    say("asking what receivers would do, had they been told something else")
    intervention = intervene(policy, codes, episodes=episodes, seed=seed)
    say("testing what messages tell")
    signaling = measure_signaling(recorded, seed=seed)
    say("playing without each message, and with that of another episode")
    worth = message_worth(policy, episodes=episodes, seed=seed)
    say("looking for the fewest pairs that need to talk")
    graph = smallest_graph(policy, episodes=episodes, seed=seed)
    return MessageFindings(
        who=who_talks(recorded),
        when=talk_over_time(recorded),
        codes=codes,
        signaling=signaling,
        intervention=intervention,
        worth=worth,
        graph=graph,
        whole=None,
        dictionaries=tuple(make_dictionary(recorded, codes, pair) for pair in _most_heard(codes, intervention)),
    )


def _most_heard(codes: Codes, intervention: Intervention) -> list[tuple[int, int]]:
    """The pairs with more than one code whose messages change most actions."""
    heard = np.where(codes.count > 1, np.nan_to_num(intervention.swapped), 0.0)
    pairs = [(i, j) for i, j in np.argwhere(heard >= ACTS_BY_IT).tolist()]
    return sorted(pairs, key=lambda pair: -heard[pair])[:MOST_DICTIONARIES]
