"""The frontier against brute force, and its numbers against those of `evaluate`."""

import json

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

import marlcomm as mc
from marlcomm.analysis import Frontier, frontier, pareto_front, plot_frontier
from marlcomm.validation import UsageError

EPISODES = 16
FEW = st.sampled_from([0.0, 1.0, 2.0, 3.5, float("nan"), float("inf")])


def beaten(cost, worth, entry):
    """Whether another entry is as good in both and better in one."""
    return any(
        c <= cost[entry] and w >= worth[entry] and (c < cost[entry] or w > worth[entry])
        for c, w in zip(cost, worth, strict=True)
    )


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(st.lists(st.tuples(FEW | st.floats(0, 10), FEW | st.floats(-5, 5)), max_size=12))
def test_the_front_is_what_nobody_beats(entries):
    cost, worth = (np.array([entry[axis] for entry in entries], float) for axis in (0, 1))
    known = ~np.isnan(cost) & ~np.isnan(worth)
    expected = [known[e] and not beaten(cost, worth, e) for e in range(len(entries))]
    np.testing.assert_array_equal(pareto_front(cost, worth), np.array(expected, bool))


def made(bits, returns, **fields):
    count = len(bits)
    names = {name: np.array([name] * count) for name in ("run", "name")}
    plain = {
        "task": "sensor()",
        "member": np.arange(count),
        "edit": np.array([""] * count),
        "won": np.full(count, np.nan),
    }
    given = {**names, **plain, "silent": 12.5, "informed": 15.0, **fields}
    return Frontier(bits_per_step=np.array(bits), team_return=np.array(returns), **given)


def test_the_scale():
    found = made([0.0, 4.0, 8.0, 9.0], [12.5, 13.75, 15.0, 14.0])
    assert found.normalized
    np.testing.assert_allclose(found.worth, [0, 0.5, 1, 0.6])
    np.testing.assert_array_equal(found.best, [True, True, True, False])
    for fields in ({"silent": np.nan}, {"informed": np.nan}, {"silent": 15.0}):
        plain = made([0.0, 4.0], [12.5, 15.0], **fields)
        assert not plain.normalized
        np.testing.assert_array_equal(plain.worth, [12.5, 15.0])
    wins = made([0.0, 4.0], [12.5, 15.0], won=np.array([1.0, 0.5]), measure="won")
    np.testing.assert_array_equal(wins.best, [True, False])


@pytest.fixture(scope="module")
def found(sensor, silent):
    return frontier({"ndq": sensor, "quiet": silent}, edits=["silence", ("budget:1", "quantize:4")], episodes=EPISODES)


def test_numbers_are_those_of_evaluate(found, sensor, silent):
    assert found.run.tolist() == ["ndq"] * 3 + ["quiet"] * 3
    assert found.edit.tolist() == ["", "silence", "budget:1 + quantize:4"] * 2
    assert (found.silent, found.informed) == (12.5, 15.0)
    expected = mc.evaluate(sensor, edits=["budget:1", "quantize:4"], episodes=EPISODES)
    assert found.team_return[2] == expected["return"][0]
    assert found.bits_per_step[2] == expected["bits_per_step"][0]
    assert found.bits_per_step.tolist()[1] == found.bits_per_step.tolist()[3] == 0
    assert json.loads(json.dumps(found.as_json()))["entries"][3]["run"] == "quiet"


def test_the_picture(found, tmp_path):
    figure = plot_frontier(found)
    figure.savefig(tmp_path / "frontier.png", dpi=50)
    with Image.open(tmp_path / "frontier.png") as image:
        assert len(image.convert("L").getcolors()) > 1
    axes = figure.axes[0]
    assert "best informed" in axes.get_ylabel()
    front = next(line for line in axes.lines if line.get_label() == "_front")
    assert np.all(np.diff(front.get_ydata()) >= 0)
    plot_frontier(made([np.nan], [np.nan], silent=np.nan)).savefig(tmp_path / "nothing.png", dpi=50)


def test_what_is_lower_than_drawn_says_how_low():
    worth = np.array([-4.58, -2.32, 0.0, -0.75, 1.0])
    figure = plot_frontier(made([0.0, 0.0, 0.0, 5.0, 3000.0], 12.5 + 2.5 * worth))
    axes = figure.axes[0]
    written = {text.xy: text.get_text() for text in axes.texts if "best" not in text.get_text()}
    assert {place: words.split()[1:] for place, words in written.items()} == {
        (0.0, -0.5): ["-4.58", "to", "-2.32"],
        (5.0, -0.5): ["-0.75"],
    }
    signs = [text.get_text().split(":")[0] for text in figure.legends[0].get_texts()]
    assert signs == ["run", "pale", "lower than drawn"]
    left, right = axes.transAxes.inverted().transform(axes.transData.transform([(0.0, 0.0), (3000.0, 0.0)]))[:, 0]
    assert left > 0.03
    assert right < 0.97
    plain = plot_frontier(made([0.0, 3.0], [12.5, 15.0]))
    assert [text.get_text() for text in plain.legends[0].get_texts()] == ["run"]


def test_given_returns_are_the_scale(silent):
    found = frontier(silent, silent=0.0, informed=20.0, episodes=EPISODES)
    np.testing.assert_allclose(found.worth, found.team_return / 20)
    assert found.run.tolist() == ["qmix"]


def test_what_cannot_be(sensor, hallway):
    for arguments, words in (
        (({"a": sensor, "b": hallway}, {}), "a frontier is of one task"),
        (([], {}), "one run at least"),
        ((["x", "x"], {}), "each run once"),
        ((sensor, {"silent": 20.0}), r"informed=15 must be at least silent=20"),
        ((sensor, {"edits": "cutt:1"}), "unknown name"),
        ((sensor, {"measure": "wins"}), "'return' or 'won'"),
        ((3, {}), "must be what train or load_run gives"),
    ):
        with pytest.raises(UsageError, match=words):
            frontier(arguments[0], **arguments[1], episodes=EPISODES)
