"""A simulator by its name, or by the function that makes it, stands where a task goes."""

from __future__ import annotations

import hints
import pytest

import marlcomm as mc
from marlcomm.bridge.task import BridgeTask, bridge
from marlcomm.names import TASKS
from marlcomm.training.same_run import differences
from marlcomm.validation import UsageError


@pytest.mark.parametrize("make", [lambda: mc.make_env("hints:Hints", workers=2), lambda: mc.bridge(hints.Hints)])
def test_it_has_the_sizes_of_its_simulator(make):
    env = make()
    assert isinstance(env, BridgeTask)
    assert (env.num_agents, env.num_actions, env.observation_size, env.state_size, env.horizon) == (2, 3, 4, 8, 4)
    assert env.reports_won
    with pytest.raises(UsageError, match="played by worker processes"):
        env.reset(None)


@pytest.mark.parametrize(
    "make", [lambda: mc.make_env("hints:Hints", workers=2), lambda: mc.bridge(hints.Hints, workers=2)]
)
def test_it_is_recorded_as_what_makes_it_again(make):
    env = make()
    described = mc.vdn(env, hidden=4).describe()
    assert described["task"] == "hints:Hints"
    assert described["task_options"] == {"workers": 2}
    assert described["resolved"]["task"]["type"] == "hints:Hints"
    again = mc.make_env(described["task"], **described["task_options"])
    assert mc.vdn(again, hidden=4).describe() == described


def test_a_run_may_go_on_with_other_workers_but_not_with_another_simulator():
    one, other = (mc.vdn(mc.make_env("hints:Hints", **more), hidden=4).describe() for more in ({}, {"workers": 3}))
    assert differences(one, other)[0] == []
    elsewhere = mc.vdn(mc.make_env("hints:Parent"), hidden=4).describe()
    assert differences(one, elsewhere)[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("petingzoo:mpe2.simple_spread_v3", "Did you mean 'pettingzoo'"),
        ("gymnasium:", "gymnasium:NAME"),
        ("no_such_file.py:make", "is called"),
        (":make", "is called ':make'"),
    ],
)
def test_a_name_that_is_none_is_refused_before_anything_starts(name, message):
    with pytest.raises(UsageError, match=message):
        TASKS.check(name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": -1}, "workers=-1 must be"),
        ({"workers": 2, "min_workers": 3}, "min_workers=3: must be at most workers=2"),
        ({"step_seconds": 0}, "step_seconds=0 must be above 0"),
        ({"colors": object()}, "colors=.*no objects"),
    ],
)
def test_an_option_out_of_its_range_is_named(options, message):
    with pytest.raises(UsageError, match=message):
        bridge("hints:Hints", **options)


def test_what_workers_cannot_import_is_refused():
    with pytest.raises(UsageError, match=r"write it to one, such as my_simulator\.py"):
        bridge(lambda: None)


@pytest.mark.parametrize("name", ["sc2", "sc2:", "gymnasium"])
def test_a_kind_of_simulator_alone_is_told_what_is_missing(name):
    with pytest.raises(UsageError, match=f"{name.rstrip(':')}:NAME"):
        mc.make_env(name)


def test_a_simulator_that_cannot_be_made_is_called_as_the_user_called_it():
    with pytest.raises(UsageError, match="the simulator 'gymnasium:Nowhere-v0' cannot be made"):
        mc.make_env("gymnasium:Nowhere-v0", workers=1)
