"""What the page says of made-up runs: every number in a sentence is one that was measured."""

import numpy as np
import pytest
from html_reader import facts

from marlcomm.analysis.figures.graph import plot_graph
from marlcomm.analysis.measures.ablation import Difference, LostReturn, MessageWorth, TalkGraph
from marlcomm.analysis.measures.codes import Codes
from marlcomm.analysis.measures.dictionary import Dictionary
from marlcomm.analysis.measures.intervention import Intervention
from marlcomm.analysis.measures.signaling import Dependence, Signaling
from marlcomm.analysis.measures.talk import Talk, TalkOverTime
from marlcomm.analysis.report import summary
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
    codes = Codes(np.zeros((1, 1, 2, 2), int), np.zeros((2, 2, 2, 1)), count, square(1.0, 1.0))
    return MessageFindings(
        Talk(square(1.0, 1.0), np.zeros((2, 2, 1)), 0.0), over, codes, Signaling(about, about), acted, worth, graph,
        None, dictionaries,
    )  # fmt: skip


@pytest.mark.parametrize(("left", "full"), [(8.0, 8.0), (7.7, 8.1)])
def test_a_team_that_needs_no_messages_is_said_to_earn_what_it_earns(left, full):
    # with none and with all messages; the 95 % that were to be kept is what was asked for, not what was found
    assert facts(summary.to_whom(findings(left=left, full=full))) == ["0→1", "40%", f"{left:g}", f"{full:g}"]


def test_the_share_that_was_to_be_kept_stands_beside_what_was_earned():
    one_pair = summary.to_whom(findings(pairs=[[False, True], [False, False]], left=7.9, full=8.0))
    assert facts(one_pair) == ["0→1", "40%", "95%", "0→1", "7.9", "8"]
    every_pair = summary.to_whom(findings(pairs=[[False, True], [True, False]]))
    assert facts(every_pair) == ["0→1", "40%", "2", "95%"]


@pytest.mark.parametrize(
    ("swapped", "wanted"), [((0.0, 0.0), []), ((0.0, 0.004), ["0.4%", "1→0"]), ((0.4, 0.0), ["0→1", "40%"])]
)
def test_who_acts_by_what_it_hears_is_said_with_how_much(swapped, wanted):
    assert facts(summary.to_whom(findings(swapped=swapped)))[:-2] == wanted  # the last two are returns


def test_many_pairs_are_counted_not_listed():
    agents = 5
    everyone = np.where(np.eye(agents, dtype=bool), NAN, 0.5)
    found = findings()
    crowd = MessageFindings(
        **vars(found) | {"intervention": Intervention(everyone, everyone, found.codes.count, found.codes.count)}
    )
    said = facts(summary.to_whom(crowd))
    listed = sum("→" in fact for fact in said)
    assert str(agents * (agents - 1) - listed) in said


def test_messages_tell_as_much_as_those_that_were_found_to_tell_anything():
    said = facts(summary.talks(findings()))  # the other direction has 0.9 bits beyond chance, but p = 0.8
    assert said == ["32", "1", "2", "0.70", "0→1"]  # bits a step, directions found of how many, bits beyond chance


def test_steps_that_are_nearly_alike_keep_their_numbers():
    assert facts(summary.when(findings(said=((0.40, 0.40), (0.43, 0.43))))) == ["40%", "43%"]
    assert facts(summary.when(findings(said=((1.0, 1.0), (1.0, 1.0))))) == ["100%"]


def test_agents_are_named_where_their_mean_tells_of_neither():
    said = facts(summary.when(findings(said=((1.0, 1.0), (0.0, 1.0)))))
    assert said == ["0", "100%", "1", "50%", "0", "0%", "1", "100%"]  # step, mean; step, mean, each agent


def test_a_view_that_is_never_seen_is_not_said_to_be_seen_seldom():
    book = Dictionary((0, 1), ("a", "b"), np.ones(2), ("x", "1"), np.array([[0.66, 0.0], [0.66, 0.1]]),
                      np.array([0.66, 0.34]), True, np.arange(2))  # fmt: skip
    response = np.full((2, 2, 2, 2), 0.5)
    found = findings(response=response, usual=np.full((2, 2), 0.5))
    never, seldom = summary.explain(book, found, ("go", "stay"))
    assert "does not see 1 (0%" in never
    assert "seldom sees 1 (10%" in seldom


def test_return_that_is_lost_is_drawn_with_a_minus():
    found = findings(pairs=[[False, True], [True, False]], cut=10.0)
    written = {text.get_text() for text in plot_graph(found.graph, found.worth).axes[0].texts}
    assert written == {"0", "1", "-10.0", "+0.0"}


def test_why_there_is_no_dictionary():
    assert facts(summary.meaning(findings(several=(1, 1)), ())) == []
    uses_several = findings(swapped=(0.004, 0.3), several=(2, 1))  # the other sender has one code
    assert facts(summary.meaning(uses_several, ())) == ["0.4%", "0→1"]


def test_a_code_that_changes_little_is_said_with_how_little():
    seen = np.array([[0.52, 0.48], [0.9, 0.1]])
    half = np.array([0.5, 0.5])
    book = Dictionary((0, 1), ("a", "b"), half, ("left", "right"), seen, half, True, np.arange(2))
    response = np.full((2, 2, 2, 2), NAN)
    response[0, 1] = [[0.53, 0.47], [0.1, 0.9]]
    first, second = summary.explain(book, findings(response=response, usual=np.full((2, 2), 0.5)), ("go", "stay"))
    assert facts(first) == ["0", "52%", "50%", "1", "53%", "50%"]  # agent, view, usually; agent, action, usually
    assert facts(second) == ["0", "90%", "50%", "1", "90%", "50%"]
    assert "left" in second
    assert "stay" in second


def test_messages_that_do_harm_are_not_said_to_be_a_loss():
    assert facts(summary.worth(findings(cut=1.0)))[:5] == ["8", "1", "95%", "1", "1"]
    harmful = summary.worth(findings(cut=-2.0))
    assert facts(harmful)[:5] == ["8", "2", "95%", "2", "2"]
    assert "-2" not in harmful


@pytest.mark.parametrize(
    ("share", "wanted"),
    [(0.0, "0%"), (1.0, "100%"), (0.004, "0.4%"), (0.996, "99.6%"), (0.95, "95%"), (0.9998, "99.98%")],
)
def test_a_share_is_all_or_none_only_if_it_is(share, wanted):
    assert summary.percent(share) == wanted
