import numpy as np
import pytest
from PIL import Image

import marlcomm as mc
from marlcomm.analysis import animate_run, drawn_as_sent, record_episodes


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "r"
    algorithm = mc.make_algorithm("ndq", mc.make_env("hallway"))
    mc.train(algorithm, steps=200, seeds=2, out=folder, evaluations=1, evaluation_episodes=20, progress=False)
    return mc.load_run(folder, algorithm)


@pytest.mark.parametrize(("edits", "member"), [((), None), (("silence",), 1)])
def test_one_frame_a_real_step_and_one_for_the_end(saved, tmp_path, edits, member):
    path = animate_run(saved, tmp_path / "e.gif", member=member, seed=3, edits=edits)
    played = record_episodes(saved.policy(member), 16, seed=3, edits=edits)
    seconds = 0
    with Image.open(path) as gif:
        for frame in range(gif.n_frames):  # frames that look alike may be joined in the file
            gif.seek(frame)
            seconds += gif.info["duration"] / 1000
    assert seconds == pytest.approx((played.lengths[0] + 1) / 2.0, abs=0.1)  # two frames a second


def test_a_member_that_is_not_there(saved, tmp_path):
    with pytest.raises(ValueError, match="member 7"):
        animate_run(saved, tmp_path / "e.gif", member=7)


def test_an_edit_decides_what_is_drawn_and_without_one_the_papers_threshold(saved):
    free = record_episodes(saved.policy(0), 8)
    np.testing.assert_array_equal(drawn_as_sent(free), (free.importance >= 2) & free.offered[..., None])
    cut = record_episodes(saved.policy(0), 8, edits=["cut_below:0.1"])
    np.testing.assert_array_equal(drawn_as_sent(cut), cut.sent & cut.offered[..., None])
