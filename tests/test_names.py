"""Names are known without JAX, and each of them stands for something."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from marlcomm import names as names_module
from marlcomm.messages.edits import parse as parse_module
from marlcomm.messages.edits import parse_edit
from marlcomm.named import load
from marlcomm.names import (
    ALGORITHMS,
    CHANNELS,
    CRITICS,
    EDIT_SCHEDULES,
    EDITS,
    LEARNERS,
    MIXERS,
    TASKS,
    Names,
    edit_name,
    register_edit,
)
from marlcomm.validation import UsageError


@pytest.mark.parametrize("name", [*ALGORITHMS])
def test_every_algorithm_is_there_under_its_own_name(name):
    assert ALGORITHMS.get(name).__name__ == name
    assert says_what_it_is(ALGORITHMS.get(name))


def says_what_it_is(thing):
    """Whether its first line, which lists show, is a sentence and a paragraph of its own."""
    first, _, rest = (inspect.getdoc(thing) or "").partition("\n")
    return first.endswith(".") and not rest.partition("\n")[0]


@pytest.mark.parametrize("names", [CHANNELS, MIXERS, CRITICS, EDIT_SCHEDULES, TASKS], ids=lambda names: names.kind)
def test_everything_is_there(names):
    for name in names:
        assert callable(names.get(name))
        assert says_what_it_is(names.get(name)), name


@pytest.mark.parametrize("name", [*LEARNERS])
def test_every_learner_is_there_with_the_title_of_its_algorithms(name):
    assert any(ALGORITHMS.group(algorithm) == LEARNERS.get(name).title for algorithm in ALGORITHMS)


@pytest.mark.parametrize("name", [*EDITS])
def test_every_edit_is_there(name):
    assert callable(load(EDITS[name].make))
    assert says_what_it_is(load(EDITS[name].make))


def test_an_edit_of_your_own_has_a_name(monkeypatch):
    monkeypatch.setattr(names_module, "EDITS", dict(EDITS))
    monkeypatch.setattr(parse_module, "EDITS", names_module.EDITS)

    @register_edit("halve", "f", whole=True)
    class Halve:
        """Makes messages smaller by f."""

        def __init__(self, factor, whole=False):
            self.factor, self.whole = factor, whole

    edit = parse_edit("halve:0.25,whole")
    assert (type(edit), edit.factor, edit.whole) == (Halve, 0.25, True)
    assert ("halve:f[,whole]", "Makes messages smaller by f.") in names_module.edit_names()
    with pytest.raises(UsageError, match="'halve' exists already"):
        register_edit("halve")
    with pytest.raises(UsageError, match="a colon"):
        register_edit("halve:f")


def test_an_unknown_name_gets_the_nearest_first_and_then_all_by_group():
    names = Names("method", {"old": {"vdn": "x:y", "iql": "x:y"}, "new": {"ndq": "x:y"}})
    with pytest.raises(UsageError) as raised:
        names.get("ndqq")
    said = str(raised.value)
    places = [said.index(word) for word in ("'ndqq'", "mean 'ndq'", "old: iql, vdn", "new: ndq")]
    assert places == sorted(places)


def test_an_unknown_edit_gets_the_nearest():
    with pytest.raises(UsageError, match=r"Did you mean 'shuffle'\?.*cut:f\[,whole\]"):
        edit_name("shufle:0.5")


def test_nothing_heavy_is_needed():
    heavy = "import marlcomm.names, sys; sys.exit(bool({'jax', 'flax', 'jumanji', 'numpy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", heavy], check=False).returncode == 0


def test_a_group_of_your_own_is_listed_too():
    names = Names("method", {"old": {"vdn": "x:y"}, "new": {"ndq": "x:y"}})
    names.add("mine", print, "mine own")
    assert names.of_group("mine own") == ("mine",)
    with pytest.raises(UsageError, match="mine own: mine"):
        names.get("other")
