"""What a person sees while a run goes on, and that training survives where nobody can."""

from __future__ import annotations

import errno
import os
import sys

import numpy as np
import pytest

import marlcomm as mc
from marlcomm.training.progress import ProgressReport, standing


class Broken:
    """A stream that fails after some writes, as a pipe without reader or a full disk does."""

    encoding, writes = "utf-8", 0

    def __init__(self, error, after):
        self.error, self.after = error, after

    def write(self, text):
        self.writes += 1
        if self.writes > self.after:
            raise OSError(self.error, os.strerror(self.error))
        return len(text)

    def flush(self):
        if self.writes > self.after:
            raise OSError(self.error, os.strerror(self.error))

    def isatty(self):
        return True


@pytest.mark.parametrize("error", [errno.EPIPE, errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("after", [0, 3])
def test_lines_that_cannot_be_written_are_let_go(error, after, monkeypatch):
    stream = Broken(error, after)
    monkeypatch.setattr(sys, "stderr", stream)
    with ProgressReport(100, 1) as report:
        for number in range(10):
            report.say(f"line {number}")
    assert stream.writes == after + 1


def test_a_closed_stream_and_none_at_all_are_let_go(monkeypatch):
    for stream in (None, open(os.devnull, "w")):  # noqa: SIM115
        monkeypatch.setattr(sys, "stderr", stream)
        with ProgressReport(100, 1) as report:
            if stream is not None:
                stream.close()
            report.say("line")
            reached = True
        assert reached, "training goes on"


def test_standing_counts_what_32_bits_cannot():
    steps, updates = np.array([2**31 - 9, 2**31 - 5, 7], np.int32), np.array([10, 20, 30], np.int32)
    now = standing(steps, np.array([True, True, False]), updates, updates)
    assert (now.done, now.done_updates, now.all_steps) == (2**31 - 9, 10, 2**32 - 7)
    assert standing(steps, np.zeros(3, bool), updates, updates).done == 2**31 - 5


def test_updates_are_told_and_cutting_in_training_is_announced_once(capsys):
    tiny = {"hidden": 4, "num_envs": 4, "batch_episodes": 4, "replay_episodes": 8}
    algorithm = mc.ndq(mc.make_env("sensor"), cut_start=40, **tiny)
    result = mc.train(algorithm, steps=160, evaluations=4, evaluation_episodes=4)
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if "return" in line and "steps/s" in line]
    assert len(lines) == 4
    assert f"{result.summary['members'][0]['updates']} updates" in lines[-1]
    assert said.count("cutting in training has begun") == 1
    assert said.index("cutting in training") > said.index(lines[0])  # begins with the second quarter
    assert "40 gradient steps" in said  # so few are warned of
    assert np.all(np.asarray(result.state.extra["edit"]) >= 0)
    assert np.isfinite(result.metrics["test_return"]).all()
