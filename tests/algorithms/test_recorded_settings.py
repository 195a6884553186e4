"""What an algorithm remembers of how it was made, which is what a run folder holds."""

from __future__ import annotations

import pytest

import marlcomm as mc
from marlcomm.algorithms.registry import algorithm_names, factory_of


@pytest.mark.parametrize("name", algorithm_names())
def test_a_factory_called_directly_records_what_a_name_does(name):
    env = mc.make_env("sensor")
    direct, named = factory_of(name)(env, hidden=8), mc.make_algorithm(name, env, hidden=8)
    assert direct.describe() == named.describe()
    assert direct.describe()["settings"] == {"hidden": 8}


def test_parts_that_are_code_leave_no_settings():
    algorithm = mc.qmix(mc.make_env("sensor"), channel=mc.GaussianChannel())
    assert algorithm.describe()["settings"] is None
