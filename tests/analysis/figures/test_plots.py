import dataclasses

import numpy as np
import pytest
from PIL import Image

from marlcomm.analysis import (
    CutCurve,
    SettingCurve,
    plot_cut_curve,
    plot_episode_strip,
    plot_message_space,
    plot_settings,
)
from marlcomm.analysis.figures.episode_strip import plot_page_strips


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


def test_only_messages_with_means_have_a_box_of_those_that_are_cut(sensor):
    recorded = sensor.record()
    for means, boxes in ((recorded.mean, 1), (None, 0)):
        panels = plot_message_space(dataclasses.replace(recorded, mean=means)).axes
        assert {len(axes.patches) for axes in panels if axes.axison} == {boxes}


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


def test_strips_for_a_page_are_narrow_and_leave_out_no_step(hallway):
    recorded = hallway.record()
    longest = int(np.argmax(recorded.lengths))
    length = int(recorded.lengths[longest])
    assert length > 5
    strips = plot_page_strips(recorded, longest, hallway.algorithm.env)
    titles = [axes.get_title() for figure in strips for axes in figure.axes]
    assert max(figure.get_figwidth() for figure in strips) <= 9.0
    assert {f"t = {step}" for step in range(min(length, 15))} <= {*titles}


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


def test_what_a_channel_withholds_by_itself_is_not_called_cut():
    ones = np.ones((3, 1))
    sent = ones * [[0.4], [0.2], [0]]  # of a gated team, of which at first nothing is cut
    axes = plot_cut_curve({"gated": CutCurve("cut", np.array([0, 0.5, 1]), ones, ones, sent, ones, ones)}).axes[0]
    assert axes.get_xlabel() == "message entries not sent, %"
    for line in axes.lines:
        np.testing.assert_allclose(line.get_xdata(), [60, 80, 100])


def test_a_setting_has_one_color_of_its_own_in_all_panels(tmp_path):
    steps = np.array([1e4, 2e4])

    def ending_at(ends):
        return {f"s{i}": SettingCurve(steps, np.full((2, 3), float(end))) for i, end in enumerate(ends)}

    # the other way round in the second task, but for the last two settings, which are the worst in both
    figure = plot_settings({"a": ending_at([*range(10, 2, -1), 1, 0]), "b": ending_at([*range(3, 11), 1, 0])})
    drawn = [
        {line.get_label(): line.get_color() for line in axes.lines if not line.get_label().startswith("_")}
        for axes in figure.axes
    ]
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) == {f"s{i}" for i in range(8)}
    assert len(set(drawn[0].values())) == 8
    assert [len(axes.lines) for axes in figure.axes] == [10, 10]
    assert is_picture(figure, tmp_path / "settings.png")
