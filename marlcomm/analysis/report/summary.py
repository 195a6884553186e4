"""An inspection in plain sentences: a short answer to each question of the page.

A sentence says what was measured. Where a threshold decides which sentence is said, the number that was measured stands
beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from marlcomm.analysis.measures.ablation import Difference, interval
from marlcomm.analysis.measures.dictionary import Dictionary
from marlcomm.analysis.report.inspection import ACTS_BY_IT, Inspection, MessageFindings

WORTH_SAYING = 0.05  # change of an action's share
MISLEADING = 0.5  # difference between agents' shares from which on their mean tells of neither
MOST_LISTED = 6  # pairs in a sentence


def learned(found: Inspection) -> str:
    """What the member earns, and where it began."""
    recorded = found.recorded
    text = f"{_member(found)} earns {span(interval(recorded.returns), 'an episode')}"
    won = found.curve.won[0, found.member]
    text += "" if np.isnan(won) else f" and wins {percent(won)} of {len(recorded.returns)} greedy episodes"
    evaluated = found.metrics.get("test_return", np.zeros((0, len(found.saved.population))))[:, found.member]
    evaluated = evaluated[np.isfinite(evaluated)]
    if len(evaluated) > 1:
        text += f". At the first evaluation in training it earned {number(evaluated[0])}"
    return text + "."


def talks(messages: MessageFindings | None) -> str:
    """What it costs, and whether it depends on anything."""
    if messages is None:
        return "No. This team has nothing to talk with, or nobody to talk to."
    told = messages.signaling.about_view
    bits = f"The team spends {number(messages.when.bits_per_step.sum())} bits a step."
    pairs = _pairs(told.found(), told.excess)
    if not pairs:
        return f"{bits} But nothing that is said depends on what the sender sees, as far as these episodes tell."
    return (
        f"{bits} What is said depends on what the sender sees in {len(pairs)} of {_count(messages)} directions, "
        f"and tells up to {told.excess[pairs[0]]:.2f} bits about it a message ({arrow(pairs[0])})."
    )


def to_whom(messages: MessageFindings) -> str:
    """Who acts by what it hears, and who needs to."""
    return f"{_heard(messages)} {_needed(messages)}"


def when(messages: MessageFindings) -> str:
    """How often each agent speaks, and at which steps most."""
    over = messages.when
    if len(over.going) == 1:
        said = _listed(f"agent {agent} in {percent(share)}" for agent, share in enumerate(over.said[0]))
        return f"An episode has one step. Something is said by {said} of the episodes."
    by_agent = over.said[over.going >= 0.1]
    any_said = np.array([np.nanmean(said) for said in by_agent])
    most, least = int(any_said.argmax()), int(any_said.argmin())
    if any_said[most] - any_said[least] < 0.05:
        share = percent(any_said[least])
        share += "" if share == percent(any_said[most]) else f" to {percent(any_said[most])}"
        return f"At every step about alike: an agent says something in {share} of the episodes."
    return (
        f"Most is said at step {most}, where an agent says something in {percent(any_said[most])} of the episodes"
        f"{_who_differs(by_agent[most], ' ({})')}, "
        f"least at step {least} ({percent(any_said[least])}{_who_differs(by_agent[least], ': {}')})."
    )


def _who_differs(said: np.ndarray, form: str) -> str:
    """Which agents of said [N] speak least and most, if their mean hides it."""
    least, most = int(np.nanargmin(said)), int(np.nanargmax(said))
    if said[most] - said[least] < MISLEADING:
        return ""
    return form.format(f"agent {least} in {percent(said[least])}, agent {most} in {percent(said[most])}")


def meaning(messages: MessageFindings, actions: Sequence[str]) -> str:
    """The most frequent codes of the pair whose messages change most actions."""
    if not messages.dictionaries:
        return no_dictionary(messages)
    return " ".join(explain(messages.dictionaries[0], messages, actions)[:2])


def no_dictionary(messages: MessageFindings) -> str:
    """Why there is no dictionary."""
    several = messages.codes.count > 1
    if not several.any():
        return "There is nothing to tell apart: no agent sends another more than one code."
    swapped = np.where(several, messages.intervention.swapped, np.nan)
    return f"No sender that uses several codes changes many of its receiver's actions: {_at_most(swapped)}."


def worth(messages: MessageFindings) -> str:
    """What is lost without messages."""
    found = messages.worth
    return (
        f"As it is, the team earns {number(found.team_return.mean)}. It {_loses(found.cut.everything)} when all "
        f"messages are cut, and {_loses(found.swapped.everything)} when it hears those of another episode."
    )


def explain(dictionary: Dictionary, messages: MessageFindings, actions: Sequence[str]) -> list[str]:
    """A sentence for each code: when it is sent, and what its receiver then does."""
    sender, receiver = dictionary.pair
    done = messages.intervention.response[sender, receiver][dictionary.order]
    usual = messages.intervention.usual[receiver]
    sentences = []
    for row, code in enumerate(dictionary.codes):
        seen = _seen(dictionary, row)
        act = int(np.argmax(done[row] - usual))
        called = f"“{actions[act]}”" if actions else f"action {act}"
        does = f"does {called} in {percent(done[row, act])} of its steps ({percent(usual[act])} as it is)"
        if done[row, act] - usual[act] < WORTH_SAYING:
            does = f"acts much as usual: it {does}"
        sentences.append(f"Agent {sender} sends “{code}” {seen}; agent {receiver}, told so, {does}.")
    return sentences


def _seen(dictionary: Dictionary, row: int) -> str:
    """What marks the moments at which a code is sent: a view that is more usual than else, or less."""
    change = dictionary.seen[row] - dictionary.usual
    more, less = int(np.argmax(change)), int(np.argmin(change))
    column = more if change[more] > -change[less] - 0.01 else less  # of both alike, what it sees
    share, what = dictionary.seen[row, column], dictionary.columns[column]
    alike = abs(change[column]) < WORTH_SAYING
    if not dictionary.by_view:
        apart = f"{share:+.2g} standard deviations from its mean"
        return f"whatever it sees ({what} is {apart})" if alike else f"when it sees a {what} that is {apart}"
    usual = f"{percent(share)} of the times, {percent(dictionary.usual[column])} usually"
    if alike:
        return f"whatever it sees ({what}: {usual})"
    how = "sees" if change[column] >= 0 else "seldom sees" if share > 0 else "does not see"
    return f"when it {how} {what} ({usual})"


def number(value: float | np.ndarray) -> str:
    """Four digits at most, and no exponent for what people read."""
    return f"{float(value):,.0f}" if abs(float(value)) >= 1000 else f"{float(value):.4g}"


def percent(share: float | np.ndarray) -> str:
    """Whole per cents, but none only where there is none, and all only where it is all."""
    share = float(share)
    return f"{share:.0%}" if share in (0.0, 1.0) or 0.005 < share < 0.995 else f"{100 * share:.4g}%"


def span(found: Difference, after: str = "") -> str:
    """A mean with its interval."""
    unit = f" {after}" if after else ""
    return f"{number(found.mean)}{unit} (95% CI {number(found.low)} to {number(found.high)})"


def arrow(pair: tuple[int, int]) -> str:
    """Such as "2 → 0"."""
    return f"{pair[0]}\u00a0→\u00a0{pair[1]}"  # never broken over lines


def _heard(messages: MessageFindings) -> str:
    swapped = messages.intervention.swapped
    pairs = _pairs(np.nan_to_num(swapped) >= ACTS_BY_IT, swapped)
    if not pairs:
        who = "Hardly anybody" if np.nan_to_num(swapped).any() else "Nobody"
        return f"{who} acts by what it hears: {_at_most(swapped)}."
    heard = [f"{arrow(pair)} in {percent(swapped[pair])}" for pair in pairs[:MOST_LISTED]]
    more = len(pairs) - len(heard)
    text = f"What is heard changes actions: {_listed(heard)} of the receiver's steps"
    return text + (f", and so in {more} more directions." if more else ".")


def _at_most(swapped: np.ndarray) -> str:
    """The pair [N, N] whose messages change most actions, though they are few."""
    most = float(np.nan_to_num(swapped).max())
    if most == 0.0:
        return "no action changes when a message of another episode is heard instead"
    pair = _pairs(swapped == most, swapped)[0]
    return f"a message of another episode changes at most {percent(most)} of a receiver's actions ({arrow(pair)})"


def _needed(messages: MessageFindings) -> str:
    graph, worth = messages.graph, messages.worth.cut.pair.mean
    earned = f"the team earns {number(graph.team_return)}"
    among = f"on fresh episodes, and {number(graph.full_return)} with all of them"
    pairs = _pairs(graph.pairs, worth)
    if not pairs:
        return f"With all messages cut {earned} {among}."
    if len(pairs) == _count(messages) > 1:
        return f"None of the {len(pairs)} directions could be closed with {percent(graph.keep)} of the return kept."
    needed = _listed(map(arrow, pairs[:MOST_LISTED])) if len(pairs) <= MOST_LISTED else f"{len(pairs)} directions"
    return f"To keep {percent(graph.keep)} of the return it is enough that {needed} can talk: {earned} so {among}."


def _loses(found: Difference) -> str:
    if found.mean >= 0:
        return f"loses {span(found)}"
    return f"earns {span(Difference(-found.mean, -found.high, -found.low))} more"


def _member(found: Inspection) -> str:
    members = len(found.saved.population)
    which = "The only member" if members == 1 else f"Member {found.member} of {members}"
    return f"{which} ({found.saved.population.name(found.member)})"


def _count(messages: MessageFindings) -> int:
    return int((~np.isnan(messages.signaling.about_view.bits)).sum())


def _pairs(chosen: np.ndarray, order: np.ndarray) -> list[tuple[int, int]]:
    """The chosen pairs [N, N], the largest of `order` first."""
    return sorted(((i, j) for i, j in np.argwhere(chosen).tolist()), key=lambda pair: -np.nan_to_num(order[pair]))


def _listed(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
