import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from marlcomm.analysis import animate_recorded, animate_run, drawn_as_sent


@pytest.mark.parametrize(("edits", "member"), [((), None), (("silence",), 1)])
def test_one_frame_a_real_step_and_one_for_the_end(hallway, tmp_path, edits, member):
    # without evaluations on record, the best member is the first
    path = animate_run(hallway.saved(tmp_path), tmp_path / "e.gif", member=member, seed=3, edits=edits)
    steps = hallway.record(edits, seed=3, member=member or 0).lengths[0]
    shown = 0
    with Image.open(path) as gif:
        for frame in range(gif.n_frames):
            gif.seek(frame)
            shown += gif.info["duration"]  # milliseconds; frames that look alike are one longer frame in the file
    assert shown == pytest.approx((steps + 1) * 500, abs=50)  # two frames a second


@pytest.mark.parametrize(("edits", "words"), [((), "shown, those with |mean| ≥ 2"), (["cut_below:0.1"], "sent")])
def test_numbers_below_the_threshold_are_not_said_to_be_unsent(hallway, tmp_path, monkeypatch, edits, words):
    titles = []
    monkeypatch.setattr(Axes, "set_title", lambda _, title, **__: titles.append(title))
    recorded = hallway.record(edits)
    animate_recorded(recorded, 0, hallway.saved(tmp_path), tmp_path / "e.gif")
    shown = drawn_as_sent(recorded)[0, : recorded.lengths[0]].sum((1, 2, 3)).tolist()
    expected = [f"messages: {count} number{'' if count == 1 else 's'} {words}" for count in [*shown, 0]]
    assert [title for title in titles if title.startswith("messages")] == expected


def test_a_member_that_is_not_there(hallway, tmp_path):
    with pytest.raises(ValueError, match="member 7"):
        animate_run(hallway.saved(tmp_path), tmp_path / "e.gif", member=7)


def test_an_edit_decides_what_is_drawn_and_without_one_the_papers_threshold(hallway):
    free = hallway.record()
    np.testing.assert_array_equal(drawn_as_sent(free), (free.importance >= 2) & free.offered[..., None])
    cut = hallway.record(["cut_below:0.1"])
    np.testing.assert_array_equal(drawn_as_sent(cut), cut.sent & cut.offered[..., None])
