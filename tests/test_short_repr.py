"""What results show of themselves: short, whatever they hold."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.short_repr import ShortRepr, html_table, short
from marlcomm.training import Policy, Population, SavedRun, TrainResult
from marlcomm.types import Messages

MEMBERS = 64
METRICS = {
    "env_steps": np.full((2, MEMBERS), 12_345.0),
    "test_return": np.stack([np.full(MEMBERS, np.nan), np.arange(MEMBERS) + 0.25]),
    "test_won": np.full((2, MEMBERS), np.nan),
}


@pytest.fixture(scope="module")
def algorithm():
    return mc.ndq(mc.make_env("hallway"), beta=0.5)


@pytest.fixture
def shown(algorithm, tmp_path):
    """Everything of a run, by name; parameters are large."""
    params = {"layer": jax.ShapeDtypeStruct((MEMBERS, 300, 300), np.float32)}
    population = Population(tuple(range(MEMBERS)), tuple({"beta": 0.001 * m} for m in range(MEMBERS)))
    state: Any = params
    return {
        "algorithm": algorithm,
        "policy": Policy(algorithm, params),
        "population": population,
        "saved": SavedRun(tmp_path, algorithm, population, params, {"settings": list(range(1000))}),
        "result": TrainResult(algorithm, population, state, METRICS, {"members": [{}] * MEMBERS}, tmp_path),
    }


@pytest.mark.parametrize("name", ["algorithm", "policy", "population", "saved", "result"])
def test_a_line_says_what_it_is(shown, name):
    line = repr(shown[name])
    assert len(line) < 500
    assert "\n" not in line
    assert "beta" in line  # what was set, or swept


def test_a_policy_counts_its_parameters(shown):
    assert "5,760,000 parameters" in repr(shown["policy"])


def test_a_result_is_a_table_in_a_notebook(shown):
    page = shown["result"]._repr_html_()
    assert page.count("<tr>") == 1 + MEMBERS
    assert "<td>12,345</td><td>63.25</td>" in page
    assert "won" not in page  # the task knows no winning


def test_a_run_that_was_never_evaluated_still_shows(shown):
    assert shown["saved"]._repr_html_().count("<tr>") == 1 + MEMBERS


def test_an_algorithm_is_a_table_in_a_notebook(algorithm):
    page = algorithm._repr_html_()
    assert "GaussianChannel" in page
    assert "weights.succinctness=0.5" in page


def test_arrays_stand_by_their_shapes():
    @dataclasses.dataclass(frozen=True, repr=False)
    class Found(ShortRepr):
        table: np.ndarray
        messages: Any
        number: np.ndarray

    nothing = np.zeros((9, 9))
    found = Found(np.zeros((500, 14)), Messages(*[nothing] * 5), np.asarray(1.5))
    assert repr(found) == "Found(table=[500, 14], messages=Messages(...), number=array(1.5))"
    assert len(short({"x": "y" * 1000})) < 100


def test_what_users_wrote_is_shown_not_run():
    assert "<b>" not in html_table("<b>", [["<b>", None, 0.123456, True]])
