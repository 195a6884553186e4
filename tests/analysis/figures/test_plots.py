import gc
import weakref

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from PIL import Image

from marlcomm.analysis import (
    CutCurve,
    plot_curves,
    plot_cut_curve,
    plot_episode_strip,
    plot_message_space,
    run_labels,
)


def is_picture(figure, path):
    """Whether a figure can be saved, and something is drawn on it."""
    figure.savefig(path, dpi=50)
    with Image.open(path) as image:
        return image.format == "PNG" and len(image.convert("L").getcolors()) > 1


def test_message_space_has_a_panel_a_pair(sensor, tmp_path):
    recorded = sensor.record()
    figure = plot_message_space(recorded, title="β = 1", describe=lambda view: "seen" if view[0] else "unseen")
    assert sum(axes.axison for axes in figure.axes) == 6
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["seen", "unseen", "mean"]
    assert is_picture(figure, tmp_path / "space.png")


def test_message_space_needs_messages(silent):
    with pytest.raises(ValueError, match="no messages"):
        plot_message_space(silent.record())


def test_a_strip_has_a_column_a_real_step_and_one_for_the_end(hallway, tmp_path):
    recorded = hallway.record(["cut_below:0.1"])
    episode = int(np.argmin(recorded.lengths))
    figure = plot_episode_strip(recorded, episode, hallway.algorithm.env)
    assert len(figure.axes) == recorded.lengths[episode] + 2
    assert is_picture(figure, tmp_path / "strip.png")


def test_a_strip_can_show_a_part(hallway):
    recorded = hallway.record()
    longest = int(np.argmax(recorded.lengths))
    figure = plot_episode_strip(recorded, longest, hallway.algorithm.env, steps=1)
    assert len(figure.axes) == 1 + 2


def test_a_strip_of_a_silent_team(silent, tmp_path):
    figure = plot_episode_strip(silent.record(), 0, silent.algorithm.env)
    assert is_picture(figure, tmp_path / "strip.png")


def test_a_strip_refuses_what_is_not_there(hallway):
    recorded = hallway.record()
    with pytest.raises(ValueError, match="episode is 16"):
        plot_episode_strip(recorded, 16, hallway.algorithm.env)
    with pytest.raises(ValueError, match="do not exist"):
        plot_episode_strip(recorded, 0, hallway.algorithm.env, first=99)


def test_cut_curves(tmp_path):
    ones = np.ones((3, 2))
    curves = {
        kind: CutCurve(kind, np.array([0, 0.5, 1]), ones, ones, ones * [[1], [0.5], [0]], ones, ones)
        for kind in ("cut", "rank_cut")
    }
    figure = plot_cut_curve(curves, measure="won", references={"qmix": 0.2})
    assert is_picture(figure, tmp_path / "cut.png")


def test_learning_curves(tmp_path):
    steps = np.arange(1, 6)[:, None] * [1e5, 1e5]
    run = {"env_steps": steps, "test_return": steps / 1e5, "test_won": np.full((5, 2), np.nan)}
    figure = plot_curves({"a": run, "b": run}, references={"best": 5.0})
    assert len(figure.axes) == 1
    assert is_picture(figure, tmp_path / "curves.png")


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
