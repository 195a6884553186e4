"""What the page says of made-up runs: every number in a sentence is one that was measured."""

import re

import numpy as np
import pytest

from marlcomm.analysis.figures.dictionary import Dictionary
from marlcomm.analysis.measures.ablation import Difference, LostReturn, MessageWorth, TalkGraph
from marlcomm.analysis.measures.codes import Words
from marlcomm.analysis.measures.intervention import Intervention
from marlcomm.analysis.measures.signalling import Dependence, Signalling
from marlcomm.analysis.measures.talk import Talk, TalkOverTime
from marlcomm.analysis.report import summary as story
from marlcomm.analysis.report.inspection import MessageFindings

NAN = np.nan
NOBODY = np.zeros((2, 2), bool)


def square(first, second):
    """[2, 2] what agent 0 tells agent 1, and what agent 1 tells agent 0."""
    return np.array([[NAN, first], [second, NAN]])


def lost(mean):
    exactly = Difference(*(np.asarray(float(mean)) for _ in range(3)))
    return LostReturn(Difference(*(square(mean, 0.0) for _ in range(3))), Difference(*(np.zeros(2),) * 3), exactly)


def findings(
    swapped=(0.4, 0.0), pairs=NOBODY, left=7.0, full=8.0, cut=1.0, excess=(0.7, 0.9), p_value=(0.01, 0.8),
    several=(2, 2), said=((0.5, 0.5), (0.5, 0.5)), dictionaries=(), response=None, usual=None,
):  # fmt: skip
    """What instruments would say of two agents that take two steps, and earn 8."""
    about = Dependence(square(*excess), square(0.0, 0.0), square(*p_value))
    said = np.array(said, float)
    over = TalkOverTime(np.ones(len(said)), said, said * 32, said.mean(0) * 32, 0.0)
    count = np.nan_to_num(square(*several)).astype(int)
    worth = MessageWorth(Difference(*(np.asarray(8.0) for _ in range(3))), lost(cut), lost(0.0))
    graph = TalkGraph(np.asarray(pairs), left, full, 0.95, True)
    acted = Intervention(square(0.0, 0.0), square(*swapped), response, usual)
    words = Words(np.zeros((1, 1, 2, 2), int), np.zeros((2, 2, 2, 1)), count, square(1.0, 1.0))
    return MessageFindings(
        Talk(square(1.0, 1.0), np.zeros((2, 2, 1)), 0.0), over, words, Signalling(about, about), acted, worth, graph,
        None, dictionaries,
    )  # fmt: skip


def numbers(sentence):
    return re.findall(r"\d+(?:\.\d+)?%?", sentence)


@pytest.mark.parametrize(("left", "full"), [(8.0, 8.0), (7.7, 8.1)])
def test_a_team_that_needs_no_messages_is_said_to_earn_what_it_earns(left, full):
    said = story.to_whom(findings(left=left, full=full))
    assert f"earns {left:g} on fresh episodes, and {full:g} with all" in said
    assert "95%" not in said  # what was asked for, not what was found


def test_the_share_that_was_to_be_kept_stands_beside_what_was_earned():
    said = story.to_whom(findings(pairs=[[False, True], [False, False]], left=7.9, full=8.0))
    assert "it is enough that 0\u00a0→\u00a01 can talk" in said
    assert numbers(said)[-2:] == ["7.9", "8"]
    assert "could be closed" in story.to_whom(findings(pairs=[[False, True], [True, False]]))


@pytest.mark.parametrize(
    ("swapped", "wanted"),
    [
        ((0.0, 0.0), "Nobody"),
        ((0.0, 0.004), "at most 0.4% of a receiver's actions (1\u00a0→\u00a00)"),
        ((0.4, 0.0), "in 40% of"),
    ],
)
def test_who_acts_by_what_it_hears_is_said_with_how_much(swapped, wanted):
    assert wanted in story.to_whom(findings(swapped=swapped))


def test_many_pairs_are_counted_not_listed():
    agents = 5
    everyone = np.where(np.eye(agents, dtype=bool), NAN, 0.5)
    found = findings()
    crowd = MessageFindings(
        **vars(found) | {"intervention": Intervention(everyone, everyone, found.words.count, found.words.count)}
    )
    assert "in 14 more directions" in story.to_whom(crowd)


def test_messages_tell_as_much_as_those_that_were_found_to_tell_anything():
    said = story.talks(findings())  # the other direction has 0.9 bits beyond chance, but p = 0.8
    assert "1 of 2 directions" in said
    assert "0.70 bits" in said
    assert "0.90" not in said


def test_steps_that_are_nearly_alike_keep_their_numbers():
    said = story.when(findings(said=((0.40, 0.40), (0.43, 0.43))))
    assert numbers(said) == ["40%", "43%"]
    assert numbers(story.when(findings(said=((1.0, 1.0), (1.0, 1.0))))) == ["100%"]


def test_why_there_is_no_dictionary():
    assert "more than one word" in story.meaning(findings(several=(1, 1)), ())
    assert "0.4%" in story.meaning(findings(swapped=(0.004, 0.3), several=(2, 1)), ())  # the other pair has one word


def test_a_word_that_changes_little_is_said_with_how_little():
    seen = np.array([[0.52, 0.48], [0.9, 0.1]])
    half = np.array([0.5, 0.5])
    book = Dictionary((0, 1), ("1", "2"), half, ("left", "right"), seen, half, True, np.arange(2))
    response = np.full((2, 2, 2, 2), NAN)
    response[0, 1] = [[0.53, 0.47], [0.1, 0.9]]
    first, second = story.explain(book, findings(response=response, usual=np.full((2, 2), 0.5)), ("go", "stay"))
    assert {"52%", "53%"} <= set(numbers(first))
    assert "as usual" in first
    assert "“stay” in 90% of its steps (50% as it is)" in second


def test_messages_that_do_harm_are_not_said_to_be_a_loss():
    assert "loses 1 " in story.worth(findings(cut=1.0))
    said = story.worth(findings(cut=-2.0))
    assert "earns 2 (95% CI 2 to 2) more when all messages are cut" in said


@pytest.mark.parametrize(
    ("share", "wanted"),
    [(0.0, "0%"), (1.0, "100%"), (0.004, "0.4%"), (0.996, "99.6%"), (0.95, "95%"), (0.9998, "99.98%")],
)
def test_a_share_is_all_or_none_only_if_it_is(share, wanted):
    assert story.percent(share) == wanted
