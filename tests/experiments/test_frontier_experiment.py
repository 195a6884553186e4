"""The table of frontiers: entries of seeds and channels joined, read back as written, and failed cells shown."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from experiments import frontier as experiment
from experiments.common import Experiment, FinishedRun, NotTrained, as_json, interquartile_mean
from experiments.frontier import CHANNELS, _frontier_of, _read, algorithm_on, joined, measured, over_seeds
from marlcomm.analysis import Frontier
from marlcomm.training.record import RunFolder


def some(channel: str, seeds: int = 5, weights: tuple[float, ...] = (0.0, 0.1)) -> Frontier:
    """Members by weight and seed, once as they are and once cut."""
    rng = np.random.default_rng(len(channel))
    names = [f"seed {seed}, weights.bits={weight}" for weight in weights for seed in range(seeds)] * 2
    count = len(names)
    return Frontier(
        task="a task",
        run=np.array([channel] * count),
        member=np.arange(count) % (count // 2),
        name=np.array(names),
        edit=np.array([""] * (count // 2) + ["cut:0.8"] * (count // 2)),
        bits_per_step=rng.random(count),
        team_return=rng.random(count),
        won=np.full(count, np.nan),
        silent=0.2,
        informed=0.8,
    )


def test_seeds_are_taken_together_by_channel_weight_and_edit():
    first, second = some("mean"), some("gated", seeds=3)
    every = joined([first, second])
    assert len(every.run) == 20 + 12
    middle, seeds = over_seeds(every)
    expected = list(itertools.product(("mean", "gated"), ("", "cut:0.8"), ("0.0", "0.1")))
    assert list(zip(middle.run, middle.edit, middle.name, strict=True)) == expected
    assert [len(values) for values in seeds] == [5] * 4 + [3] * 4
    np.testing.assert_allclose(seeds[1], (first.team_return[5:10] - 0.2) / 0.6)
    assert middle.team_return[1] == pytest.approx(interquartile_mean(first.team_return[5:10]).mean)
    assert middle.bits_per_step[7] == pytest.approx(interquartile_mean(second.bits_per_step[9:]).mean)
    assert np.isnan(middle.won).all()


def test_a_frontier_is_read_back_as_it_was_written():
    written = some("mean")
    found = _read(as_json(written))
    assert as_json(found) == as_json(written)
    np.testing.assert_array_equal(found.best, written.best)


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_channel_is_there(channel: str):
    algorithm, hparams = algorithm_on(channel, "sensor", 100)
    assert algorithm.name
    assert set(hparams) <= {"weights.bits"}


@pytest.mark.parametrize("error", [NotTrained("not finished: x"), SystemExit("another run"), ValueError("no")])
def test_a_cell_that_fails_is_shown(error: BaseException, monkeypatch: pytest.MonkeyPatch, tmp_path):
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(Experiment, "train", fails)
    asked = Experiment("frontier", tmp_path, tmp_path, True, 10, 2, 8)
    found = measured(asked, "silent", "sensor")
    assert isinstance(found, str)
    assert str(error) in found


def test_what_was_found_by_another_measure_is_not_read_back(monkeypatch: pytest.MonkeyPatch, tmp_path):
    calls = []

    def found(runs: dict, **how: object) -> Frontier:
        calls.append(how)
        return some(*runs)

    class Run:
        path = tmp_path
        algorithm, _ = algorithm_on("silent", "sensor", 100)

    monkeypatch.setattr(experiment, "frontier", found)
    asked = Experiment("frontier", tmp_path, tmp_path, True, 10, 2, 8)
    run = FinishedRun(Run, {})  # pyright: ignore[reportArgumentType]
    for _ in range(2):
        assert as_json(_frontier_of(asked, "mean", "sensor", run)) == as_json(some("mean"))
    assert len(calls) == 1
    monkeypatch.setattr(experiment, "EDITS", ("cut:0.5",))
    _frontier_of(asked, "mean", "sensor", run)
    assert [call["edits"] for call in calls][1:] == [("cut:0.5",)]
    assert RunFolder(tmp_path).read_json("frontier-8-episodes.json")["decides"]["edits"] == ["cut:0.5"]
