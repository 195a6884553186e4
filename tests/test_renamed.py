"""Old names of settings: today's in their place, with a warning where somebody can still change them."""

from __future__ import annotations

import importlib
import warnings

import pytest

from marlcomm.renamed import old_names, recorded_names, today, with_todays_names

KNOWN = ("vocab_size", "channel.rounds", "training_edit", "exploration_steps")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("alphabet", "vocab_size"),
        ("channel.hops", "channel.rounds"),
        ("vocab_size", "vocab_size"),
        ("trace", "trace"),  # its new name is not known here
        ("nonsense", "nonsense"),
    ],
)
def test_todays_name(name, wanted):
    assert today(name, KNOWN) == wanted


def test_a_name_that_is_still_known_is_not_an_old_one():
    assert today("labels", {"labels", "vocab_size"}) == "labels"


def test_what_is_given_by_an_old_name_is_taken_with_a_warning():
    with pytest.warns(FutureWarning) as warned:
        found = with_todays_names({"epsilon_steps": 10, "cut_in_training": False, "vocab_size": 4}, KNOWN)
    assert found == {"exploration_steps": 10, "training_edit": None, "vocab_size": 4}
    said = [str(each.message) for each in warned]
    assert len(said) == 2
    assert any("epsilon_steps" in text and "exploration_steps" in text for text in said)


def test_records_are_read_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = recorded_names({"alphabet": 8, "cut_in_training": True}, KNOWN)
    assert found == {"vocab_size": 8, "training_edit": "random_cut"}


def test_a_class_takes_old_names_of_its_arguments():
    @old_names(hops="rounds")
    class Talk:
        def __init__(self, rounds: int) -> None:
            self.rounds = rounds

    with pytest.warns(FutureWarning, match="rounds"):
        assert Talk(hops=3).rounds == 3  # pyright: ignore[reportCallIssue]
    assert Talk(rounds=2).rounds == 2


@pytest.mark.parametrize(
    ("module", "old", "home", "new"),
    [
        ("marlcomm.networks", "CommunicatingAgent", "marlcomm.agents", "CommunicatingAgent"),
        ("marlcomm.analysis", "measure_signalling", "marlcomm.analysis", "measure_signaling"),
    ],
)
def test_what_stands_elsewhere_now_is_found_with_a_warning(module, old, home, new):
    with pytest.warns(FutureWarning, match=new):
        found = getattr(importlib.import_module(module), old)
    assert found is getattr(importlib.import_module(home), new)
    with pytest.raises(AttributeError, match="nothing_of_it"):
        _ = importlib.import_module(module).nothing_of_it
