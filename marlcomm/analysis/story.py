"""What an inspection found, in plain sentences: a short answer to each question of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from marlcomm.analysis.dictionary import Dictionary
from marlcomm.analysis.inspection import ACTS_BY_IT, Inspection, MessageFindings
from marlcomm.analysis.worth import Difference, interval

WORTH_SAYING = 0.05  # change of an action's share


def learned(found: Inspection) -> str:
    """What the member earns, and where it began."""
    recorded = found.recorded
    words = f"{_member(found)} earns {span(interval(recorded.returns), 'an episode')}"
    won = found.curve.won[0, found.member]
    words += "" if np.isnan(won) else f" and wins {percent(won)} of {len(recorded.returns)} greedy episodes"
    evaluated = found.metrics.get("test_return", np.zeros((0, len(found.saved.population))))[:, found.member]
    evaluated = evaluated[np.isfinite(evaluated)]
    if len(evaluated) > 1:
        words += f". At the first evaluation in training it earned {number(evaluated[0])}"
    return words + "."


def talks(messages: MessageFindings | None) -> str:
    """What it costs, and whether it depends on anything."""
    if messages is None:
        return "No. This team has nothing to talk with, or nobody to talk to."
    told = messages.signalling.about_view
    bits = f"The team spends {number(messages.when.bits_per_step.sum())} bits a step."
    pairs = _pairs(told.found(), told.excess)
    if not pairs:
        return f"{bits} But nothing that is said depends on what the sender sees, as far as these episodes tell."
    most = float(np.nanmax(told.excess))
    return (
        f"{bits} What is said depends on what the sender sees in {len(pairs)} of {_count(messages)} directions, "
        f"and tells at most {most:.2f} bits about it a message."
    )


def to_whom(messages: MessageFindings) -> str:
    """Who acts by what it hears, and who needs to."""
    swapped = messages.intervention.swapped
    pairs = _pairs(np.nan_to_num(swapped) >= ACTS_BY_IT, swapped)
    words = "Nobody acts by what it hears."
    if pairs:
        heard = _listed(f"{arrow(pair)} in {percent(swapped[pair])}" for pair in pairs)
        words = f"What is heard changes actions: {heard} of the receiver's steps."
    graph = messages.graph
    if not graph.pairs.any():
        return words + f" {percent(graph.keep)} of the return is left when all messages are cut."
    needed = _listed(arrow(pair) for pair in _pairs(graph.pairs, messages.worth.cut.pair.mean))
    return words + f" To keep {percent(graph.keep)} of the return it is enough that {needed} can talk."


def when(messages: MessageFindings) -> str:
    """How often each agent speaks, and at which steps most."""
    over = messages.when
    if len(over.going) == 1:
        said = _listed(f"agent {agent} in {percent(share)}" for agent, share in enumerate(over.said[0]))
        return f"An episode has one step. Something is said by {said} of the episodes."
    any_said = np.array([np.nanmean(said) for said in over.said[over.going >= 0.1]])
    if any_said.max() - any_said.min() < 0.05:
        return f"At every step alike: an agent says something in {percent(any_said.mean())} of the episodes."
    most, least = int(any_said.argmax()), int(any_said.argmin())
    return (
        f"Most is said at step {most}, where an agent says something in {percent(any_said[most])} of the episodes, "
        f"least at step {least} ({percent(any_said[least])})."
    )


def meaning(messages: MessageFindings, actions: Sequence[str]) -> str:
    """The most frequent words of the pair whose messages change most actions."""
    if not messages.dictionaries:
        return "No words were found that a receiver acts by."
    return " ".join(explain(messages.dictionaries[0], messages, actions)[:2])


def worth(messages: MessageFindings) -> str:
    """What is lost without messages."""
    found = messages.worth
    return (
        f"As it is, the team earns {number(found.team_return.mean)}. It loses {span(found.cut.everything)} when all "
        f"messages are cut, and {span(found.swapped.everything)} when it hears those of another episode."
    )


def explain(dictionary: Dictionary, messages: MessageFindings, actions: Sequence[str]) -> list[str]:
    """A sentence a word: when it is said, and what the receiver does."""
    sender, receiver = dictionary.pair
    done = messages.intervention.response[sender, receiver][dictionary.order]
    usual = messages.intervention.usual[receiver]
    sentences = []
    for row, word in enumerate(dictionary.words):
        seen = _seen(dictionary, row)
        act = int(np.argmax(done[row] - usual))
        called = f"“{actions[act]}”" if actions else f"action {act}"
        does = f"does {called} in {percent(done[row, act])} of its steps ({percent(usual[act])} as it is)"
        if done[row, act] - usual[act] < WORTH_SAYING:
            does = "does much as usual"
        sentences.append(f"Agent {sender} says “{word}” {seen}; agent {receiver}, told so, {does}.")
    return sentences


def _seen(dictionary: Dictionary, row: int) -> str:
    """What marks the moments at which a word is said: a view that is more usual than else, or less."""
    change = dictionary.seen[row] - dictionary.usual
    more, less = int(np.argmax(change)), int(np.argmin(change))
    column = more if change[more] > -change[less] - 0.01 else less  # of both alike, what it sees
    share, what = dictionary.seen[row, column], dictionary.columns[column]
    if abs(change[column]) < WORTH_SAYING:
        return "whatever it sees"
    if not dictionary.by_view:
        return f"when it sees a {what} that is {share:+.1f} standard deviations from its mean"
    usual = f"{percent(share)} of the times, {percent(dictionary.usual[column])} usually"
    return f"when it sees {what} ({usual})" if change[column] >= 0 else f"when it seldom sees {what} ({usual})"


def number(value: float | np.ndarray) -> str:
    """Four digits at most, and no exponent for what people read."""
    return f"{float(value):,.0f}" if abs(float(value)) >= 1000 else f"{float(value):.4g}"


def percent(share: float | np.ndarray) -> str:
    """Whole per cents."""
    return f"{float(share):.0%}"


def span(found: Difference, after: str = "") -> str:
    """A mean with its interval."""
    unit = f" {after}" if after else ""
    return f"{number(found.mean)}{unit} (95% CI {number(found.low)} to {number(found.high)})"


def arrow(pair: tuple[int, int]) -> str:
    """Such as "2 → 0"."""
    return f"{pair[0]}\u00a0→\u00a0{pair[1]}"  # never broken over lines


def _member(found: Inspection) -> str:
    members = len(found.saved.population)
    which = "The only member" if members == 1 else f"Member {found.member} of {members}"
    return f"{which} ({found.saved.population.name(found.member)})"


def _count(messages: MessageFindings) -> int:
    return int((~np.isnan(messages.signalling.about_view.bits)).sum())


def _pairs(chosen: np.ndarray, order: np.ndarray) -> list[tuple[int, int]]:
    """The chosen pairs [N, N], the largest of `order` first."""
    return sorted(((i, j) for i, j in np.argwhere(chosen).tolist()), key=lambda pair: -np.nan_to_num(order[pair]))


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
