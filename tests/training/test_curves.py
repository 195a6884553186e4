"""Learning curves: panels, their names, and the labels of runs."""

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

import marlcomm as mc
from marlcomm.training.curves import plot_curves, run_labels
from marlcomm.validation import UsageError


def test_a_panel_that_no_run_has_is_left_out():
    steps = np.arange(1, 6)[:, None] * [1e5, 1e5]
    run = {"env_steps": steps, "test_return": steps / 1e5, "test_won": np.full((5, 2), np.nan)}
    figure = plot_curves({"a": run, "b": run}, references={"best": 5.0})
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines if not line.get_label().startswith("_")] == ["a", "b"]


def test_runs_and_their_folders_are_drawn_as_their_metrics(finished):
    def members(runs):
        lines = [line for axes in plot_curves(runs).axes for line in axes.lines if line.get_linewidth() < 1]
        assert len(lines) >= 8  # four members, in each panel
        return np.sort(np.concatenate([line.get_ydata() for line in lines]))

    expected = members({"a": finished.metrics})
    for run in (finished, finished.folder, str(finished.folder), mc.load_run(finished.folder)):
        np.testing.assert_allclose(members({"a": run}), expected, rtol=1e-6)
    for run in (finished, finished.metrics, str(finished.folder), SimpleNamespace(metrics=finished.metrics)):
        np.testing.assert_allclose(members(run), expected, rtol=1e-6)


def test_each_setting_of_a_sweep_has_a_mean_of_its_own(finished):
    def means(run):
        lines = plot_curves(run, panels=["test_return"]).axes[0].lines
        return {line.get_label(): line.get_ydata() for line in lines if not line.get_label().startswith("_")}

    tested = finished.metrics["test_return"]
    tested = tested[np.isfinite(tested).all(1)]  # [time, 4], two members with either value
    for run in (finished, finished.folder, mc.load_run(finished.folder)):
        assert list(means({"ndq": run})) == ["ndq, beta=0.001", "ndq, beta=0.01"]
        for beta, mean in zip((1e-3, 1e-2), means({"ndq": run}).values(), strict=True):
            own = [change["beta"] == beta for change in finished.population.changes]
            np.testing.assert_allclose(mean, tested[:, own].mean(1), rtol=1e-6)
    assert list(means(finished)) == ["beta=0.001", "beta=0.01"]


@pytest.mark.parametrize("runs", [3, {"a": 3}, {"a": None}, ["a"], {"a": {"test_return": [1.0]}}])
def test_what_is_no_run_is_refused(runs):
    with pytest.raises(UsageError, match="give label -> what train or load_run gave"):
        plot_curves(runs)


def test_a_panel_may_be_any_metric_that_a_run_has():
    run = {"env_steps": np.array([[10.0], [20.0]]), "exploration": np.array([[1.0], [0.5]])}
    figure = plot_curves({"a": run}, panels=["exploration"])
    assert [axes.get_title() for axes in figure.axes] == ["exploration"]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [1.0, 0.5])


def test_an_unknown_panel_is_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"panels='exploratoin'.*Did you mean 'exploration'"):
        plot_curves({"a": {"env_steps": np.ones((1, 1)), "exploration": np.ones((1, 1))}}, panels=["exploratoin"])


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["a/run", "b/run"], ["a/run", "b/run"]),
        (["a/run", "b/other"], ["run", "other"]),
        (["x/a/run", "x/b/run", "y/a/run", "z"], ["x/a/run", "b/run", "y/a/run", "z"]),
        (["a/run", "a/../a/run"], ["run", "run"]),  # one run
    ],
)
def test_runs_of_one_name_are_told_apart_by_their_folders(paths, labels):
    assert run_labels(paths) == labels


def test_a_figure_shows_itself_in_a_notebook_and_is_held_by_nobody_else():
    figure = plot_curves({"a": {"env_steps": np.ones((1, 1)), "test_return": np.ones((1, 1))}})
    shown, _ = DisplayFormatter().format(figure)
    assert shown["image/png"].startswith(b"\x89PNG")
    held = weakref.ref(figure)
    del figure
    gc.collect()
    assert held() is None
