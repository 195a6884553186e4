import dataclasses

import numpy as np
import pytest
from handmade import recorded_with

from marlcomm.analysis import talk_over_time, talk_table, who_talks

SELF = np.eye(3, dtype=bool)


def test_at_threshold_zero_everyone_talks_and_beyond_all_bounds_nobody(sensor):
    recorded = sensor.record()
    everyone, nobody = who_talks(recorded, 0.0), who_talks(recorded, np.inf)
    assert (everyone.share[~SELF] == 1).all()
    assert (nobody.share[~SELF] == 0).all()
    assert np.isnan(everyone.share[SELF]).all()
    assert len(everyone.pairs()) == 6
    assert nobody.pairs() == []


def test_shares_and_means_of_messages_made_by_hand(sensor):
    recorded = sensor.record()
    importance = np.zeros((16, 1, 3, 3, 2))
    importance[:12, 0, 2, 0, 1] = 4.0  # agent 2 tells agent 0 something in twelve of sixteen episodes
    importance[..., 1, 1, :] = 9.0  # and agent 1 talks to itself
    talk = who_talks(dataclasses.replace(recorded, importance=importance))
    assert talk.pairs() == [(2, 0)]
    assert talk.share[2, 0] == 0.75
    assert talk.importance[2, 0].tolist() == [0.0, 3.0]


def test_steps_after_the_end_do_not_count(hallway):
    recorded = hallway.record()
    real = np.asarray(recorded.episodes.valid)
    assert not real.all()
    importance = np.where(real[..., None, None, None], 0.0, 9.0) + np.zeros(recorded.importance.shape)
    assert who_talks(dataclasses.replace(recorded, importance=importance)).pairs() == []


@pytest.mark.parametrize(("mean", "threshold"), [(None, 0), (np.full((4, 1, 2, 2, 1), 0.3), 2)])
def test_the_papers_threshold_holds_only_where_messages_have_a_mean(mean, threshold):
    faint = np.full((4, 1, 2, 2, 1), 0.3)  # as an attention weight, which is never more than 1
    recorded = dataclasses.replace(recorded_with(faint), mean=mean)
    for talk, said in ((who_talks(recorded), "share"), (talk_over_time(recorded), "said")):
        assert talk.threshold == threshold
        assert talk_over_time(dataclasses.replace(recorded, noise=0.1)).threshold == threshold / 10
        assert np.nanmax(getattr(talk, said)) == (mean is None)


def test_what_an_edit_cut_is_not_said(hallway):
    recorded = hallway.record(["silence"])
    assert who_talks(recorded, 0.0).pairs() == []


def test_the_table_is_markdown_with_a_row_a_sender(sensor):
    lines = talk_table(who_talks(sensor.record(), 0.0), ["a", "b", "c"]).split("\n")
    assert len(lines) == 5
    assert {line.count("|") for line in lines} == {5}
    assert lines[2].startswith("| a | – | 100% (")
