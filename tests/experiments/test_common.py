"""What the experiments share: interquartile means against every resample there is, and the scale of a run."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

import marlcomm as mc
from experiments.common import Experiment, NotTrained, interquartile_mean, start


def middle_half(values: np.ndarray) -> np.ndarray:
    """[..., P] -> [...] without a quarter of the seeds, rounded down, at either end."""
    out = values.shape[-1] // 4
    return np.sort(values, -1)[..., out : values.shape[-1] - out].mean(-1)


@pytest.mark.parametrize("values", [(3.0, 1.0, 100.0, 2.0), (0.0, 1.0, 2.0, 3.5, 9.0), (1.0, 5.0)])
def test_interquartile_mean_and_its_interval_are_those_of_all_resamples(values: tuple[float, ...]):
    found = interquartile_mean(np.array(values))
    resamples = middle_half(np.array(list(itertools.product(values, repeat=len(values)))))
    low, high = np.quantile(resamples, [0.025, 0.975], method="inverted_cdf")
    assert found.mean == pytest.approx(middle_half(np.array(values)))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02 * np.ptp(values))


def test_what_is_not_finite_is_left_out_and_one_seed_has_no_interval():
    assert interquartile_mean(np.array([np.nan, 2.0, 2.0])) == (2.0, 2.0, 2.0)
    assert interquartile_mean(np.array([7.0, np.inf]))[0] == 7.0
    assert np.isnan(interquartile_mean(np.array([7.0]))[1:]).all()
    assert np.isnan(interquartile_mean(np.array([]))).all()


def scale(monkeypatch: pytest.MonkeyPatch, *arguments: str, full_steps: int | None = 300) -> Experiment:
    monkeypatch.setattr(sys, "argv", ["fig", *arguments])
    return start("fig", None, steps=30, quick_steps=3, full_steps=full_steps, seeds=5)


def test_full_and_quick_choose_steps_and_folder(monkeypatch: pytest.MonkeyPatch):
    chosen = [
        scale(monkeypatch, *arguments) for arguments in ((), ("--quick",), ("--full",), ("--full", "--steps", "7"))
    ]
    assert [(each.steps, each.seeds, each.out.name) for each in chosen] == [
        (30, 5, "fig"), (3, 2, "fig-quick"), (300, 5, "fig-full"), (7, 5, "fig-full"),
    ]  # fmt: skip


def test_episodes_of_evaluations_in_training_can_be_chosen(monkeypatch: pytest.MonkeyPatch):
    assert scale(monkeypatch).evaluation_episodes == 320
    assert scale(monkeypatch, "--evaluation-episodes", "9").evaluation_episodes == 9
    with pytest.raises(SystemExit):
        scale(monkeypatch, "--evaluation-episodes", "0")


@pytest.mark.parametrize(("arguments", "full_steps"), [(["--full", "--quick"], 300), (["--full"], None)])
def test_full_excludes_quick_and_needs_a_number_of_steps(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], full_steps: int | None
):
    with pytest.raises(SystemExit):
        scale(monkeypatch, *arguments, full_steps=full_steps)


def test_the_first_seed_is_part_of_the_runs_name_and_reaches_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    where = ("--runs", str(tmp_path), "--out", str(tmp_path), "--seeds", "2", "--steps", "20")
    algorithm = mc.make_algorithm("qmix", mc.make_env("matrix_game"))
    first, later = (scale(monkeypatch, *where, *more) for more in ((), ("--seed", "7")))
    assert [each.folder_of("run").name for each in (first, later)] == [
        "run-20-steps-2-seeds", "run-20-steps-2-seeds-from-7",
    ]  # fmt: skip
    assert later.train("run", algorithm).saved.population.seeds == (7, 8)
    read_back = dataclasses.replace(later, read_only=True).train("run", algorithm)
    assert read_back.saved.population.seeds == (7, 8)
    with pytest.raises(NotTrained):
        dataclasses.replace(first, read_only=True).train("run", algorithm)
    with pytest.raises(SystemExit):
        scale(monkeypatch, "--seed", "-1")
