"""What users hand in: numbers of numpy become Python's, and what cannot be is refused by name."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from marlcomm import validation
from marlcomm.validation import UsageError, check_count, check_number, check_seed, check_seeds, fits_type, to_python


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("mean"), "mean"),
        (np.array(7), 7),
        (jnp.float32(0.25), 0.25),
        ([np.int64(2), np.int32(6)], [2, 6]),
        ((2, (np.int8(1),)), (2, (1,))),
        (np.eye(2), [[1.0, 0.0], [0.0, 1.0]]),
        ({"rows": np.arange(2)}, {"rows": [0, 1]}),
        ("word", "word"),
        (None, None),
    ],
)
def test_numbers_become_those_of_python(given, wanted):
    found = to_python(given)
    assert found == wanted
    assert type(found) is type(wanted)
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(wanted))


def test_what_has_no_value_stays_as_it_is():
    thing = object()
    assert to_python(thing) is thing
    assert to_python(np.ndarray) is np.ndarray
    jax.jit(lambda x: x if to_python(x) is x else 1 / 0)(1.0)


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), np.float32(3), np.array(3), jnp.int32(3)])
def test_whole_numbers_of_any_kind(value):
    found = check_count("steps", value)
    assert (found, type(found)) == (3, int)


@pytest.mark.parametrize(
    "value", [0, -1, -2.0, 1.5, "3", None, True, np.float64(2.5), [3], math.nan, math.inf, Fraction(7, 2)]
)
def test_what_is_no_whole_number_from_one(value):
    with pytest.raises(UsageError, match=r"steps=.*whole number, at least 1"):
        check_count("steps", value)


def test_limits_of_whole_numbers():
    assert check_count("member", -3, None) == -3
    assert check_count("member", 9, 0, 9) == 9
    with pytest.raises(UsageError, match=r"member=10 .*0 to 9"):
        check_count("member", 10, 0, 9)
    with pytest.raises(UsageError, match="member"):
        check_count("member", 10**5000, 0, 9)


@pytest.mark.parametrize(("value", "wanted"), [(2, 2.0), (np.float32(0.5), 0.5), (Fraction(1, 4), 0.25), (-1e9, -1e9)])
def test_real_numbers_of_any_kind(value, wanted):
    found = check_number("cost", value)
    assert (found, type(found)) == (wanted, float)


@pytest.mark.parametrize(
    "value", ["1", None, True, math.nan, math.inf, -(10**400), [1.0], 1j], ids=lambda value: str(value)[:9]
)
def test_what_is_no_finite_number(value):
    with pytest.raises(UsageError, match=r"cost=.*finite number"):
        check_number("cost", value)


def test_limits_of_real_numbers():
    assert check_number("cost", math.inf, finite=False) == math.inf
    with pytest.raises(UsageError, match=r"cost=nan must be a number"):
        check_number("cost", math.nan, finite=False)
    with pytest.raises(UsageError, match=r"share=1.5 must be 0 to 1"):
        check_number("share", 1.5, 0, 1)
    with pytest.raises(UsageError, match=r"share=-1 must be at least 0"):
        check_number("share", -1, 0)


@pytest.mark.parametrize("seed", [-1, 2**32, 2.0**32, 1.5, "0", 10**20, None, True])
def test_seeds_that_would_be_those_of_another_run(seed):
    with pytest.raises(UsageError, match=r"seed=.*0 to 4294967295"):
        check_seed("seed", seed)
    with pytest.raises(UsageError, match="seed"):
        check_seeds([0, seed])


def test_every_seed_is_another_run():
    ends = [check_seed("seed", seed) for seed in (0, 1, 2**31 - 1, 2**31, 2**32 - 1)]
    assert len({tuple(np.asarray(jax.random.PRNGKey(seed))) for seed in ends}) == len(ends)


@pytest.mark.parametrize(
    ("seeds", "wanted"),
    [(2, (3, 4)), (np.int64(2), (3, 4)), (np.arange(2), (0, 1)), ([5], (5,)), ((7, 1), (7, 1)), (range(2), (0, 1))],
)
def test_seeds_by_number_or_by_name(seeds, wanted):
    found = check_seeds(seeds, first=3)
    assert found == wanted
    assert all(type(seed) is int for seed in found)


@pytest.mark.parametrize("seeds", [0, [], np.array([]), 1.5, "12", -2, [0.5], None, {0: 1}])
def test_no_seeds(seeds):
    with pytest.raises(UsageError, match="seeds"):
        check_seeds(seeds)


def test_the_last_seed_must_be_one_too():
    with pytest.raises(UsageError, match="last seed=4294967296"):
        check_seeds(2, first=2**32 - 1)


@pytest.mark.parametrize("seeds", [1e9, validation.MEMBERS + 1, 10**99, range(10**9), [0] * (validation.MEMBERS + 1)])
def test_more_members_than_can_be_trained_are_refused_before_they_are_listed(seeds):
    with pytest.raises(UsageError, match=r"seeds.*100,000"):
        check_seeds(seeds)


def test_flags_and_choices():
    assert validation.check_flag("paper", np.bool_(True)) is True
    with pytest.raises(UsageError, match="paper=1 must be True or False"):
        validation.check_flag("paper", 1)
    with pytest.raises(UsageError, match=r"mixing='sun' is not known. Did you mean 'sum'.*There are: none, sum"):
        validation.check_choice("mixing", "sun", ("none", "sum"))


def test_types_of_settings():
    assert fits_type((2, 3), tuple[int, ...])
    assert not fits_type((2, 3.5), tuple[int, ...])
    assert fits_type(None, int | None)
    assert not fits_type(True, float)
    assert fits_type(2, float)
    assert not fits_type("2", float)


def test_nothing_heavy_is_needed():
    heavy = "import marlcomm.validation, sys; sys.exit(bool({'jax', 'flax', 'jumanji'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", heavy], check=False).returncode == 0
