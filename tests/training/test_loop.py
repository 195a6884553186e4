"""Training as people use it: what it leaves behind, and that neither failures nor interruptions lose anything."""

from __future__ import annotations

import json
import shutil
import signal

import jax.numpy as jnp
import numpy as np
import pytest

import marlcomm as mc
from marlcomm.training.checkpoint import CheckpointError
from marlcomm.training.population import Population
from marlcomm.training.progress import ProgressReport
from marlcomm.training.record import RunFolderError
from marlcomm.validation import UsageError


def broken_loss(unroll, episodes, hparams):
    """Teaches nothing; times a weight of 1e38 it is more than a float32 holds."""
    return jnp.float32(10.0), {}


def test_every_member_takes_its_steps_and_no_more(finished):
    for member in finished.summary["members"]:
        assert 2400 <= member["env_steps"] < 2400 + 4
        assert member["updates"] == member["env_steps"] // 4 - 1  # replay holds a batch from the second step on


def test_members_are_seeds_times_hyperparameters(finished):
    assert [(m["seed"], m["hparams"]["beta"]) for m in finished.summary["members"]] == [
        (0, 1e-3),
        (1, 1e-3),
        (0, 1e-2),
        (1, 1e-2),
    ]
    np.testing.assert_allclose(finished.state.hparams.weights["succinctness"], [1e-3, 1e-3, 1e-2, 1e-2])


def test_metrics_are_arrays_over_time_and_members(finished):
    times = finished.metrics["chunk"].shape[0]
    assert {value.shape for value in finished.metrics.values()} == {(times, 4)}
    assert np.isfinite(finished.metrics["test_return"]).any(1).sum() == 2  # as many as evaluations were asked for


def test_the_run_folder_holds_what_it_promises(finished):
    config = json.loads((finished.folder / "config.json").read_text())
    assert config["resolved"]["weights.succinctness"] == 1e-3
    assert config["task"] == "sensor"
    assert json.loads((finished.folder / "summary.json").read_text()) == finished.summary
    assert {"return", "won", "env_steps", "updates"} <= finished.summary["members"][0].keys()
    assert {"wall_seconds", "compile_seconds"} <= finished.summary.keys()
    assert (finished.folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    for member in range(4):
        rows = (finished.folder / f"member_{member}" / "metrics.jsonl").read_text().splitlines()
        assert json.loads(rows[-1])["env_steps"] == finished.summary["members"][member]["env_steps"]


def test_a_loaded_policy_acts_as_the_trained_one(finished):
    saved = mc.load_run(finished.folder)
    mine, theirs = mc.evaluate(finished, episodes=50), mc.evaluate(saved, episodes=50)
    assert mine.keys() == theirs.keys()
    for name in mine:
        np.testing.assert_array_equal(mine[name], theirs[name])
    policy = mc.load(finished.folder, member=1)
    _, first = policy.algorithm.env.reset(jnp.zeros(2, jnp.uint32))
    action, memory, _ = policy.act(first.observation, policy.initial_memory(), jnp.zeros(2, jnp.uint32))
    assert action.shape == (3,)
    assert memory.hidden.shape == (3, 8)
    with pytest.raises(ValueError, match="member 9 does not exist"):
        mc.load(finished.folder, member=9)


def test_a_member_that_diverges_is_named_and_changes_nothing_for_the_others(sensor, capsys):
    algorithm = sensor.with_loss("broken", broken_loss, 0.0)
    arguments = {"steps": 240, "seeds": [5], "evaluations": 3, "evaluation_episodes": 16}
    beside = mc.train(algorithm, hparams={"weights.broken": [0.0, 1e38]}, **arguments)
    well, ill = beside.summary["members"]
    assert well["healthy"]
    assert well["env_steps"] >= 240
    assert not ill["healthy"]
    assert ill["updates"] == 0
    said = capsys.readouterr().err
    assert "member 1 (seed 5, weights.broken=1e+38) diverged after update 0" in said
    assert "not finite: loss" in said

    alone = mc.train(algorithm, progress=False, **arguments)
    assert len(alone.metrics["test_return"]) == 3
    assert {**alone.summary["members"][0], "hparams": {}} == {**well, "hparams": {}}
    for name, values in alone.metrics.items():
        np.testing.assert_array_equal(values[:, 0], beside.metrics[name][:, 0], err_msg=name)


@pytest.mark.usefixtures("hears_signals")
def test_interrupted_and_resumed_is_bit_identical(sensor, finished, tmp_path, monkeypatch):
    arguments = {"steps": 2400, "seeds": 2, "hparams": {"beta": [1e-3, 1e-2]}, "evaluations": 2, "progress": False}
    advance, calls = ProgressReport.advance, []

    def interrupt_once(self, *arguments):
        calls.append(1)
        if len(calls) == 1:
            signal.raise_signal(signal.SIGINT)
        advance(self, *arguments)

    monkeypatch.setattr(ProgressReport, "advance", interrupt_once)
    with pytest.raises(KeyboardInterrupt):
        mc.train(sensor, out=tmp_path / "run", **arguments)
    assert not (tmp_path / "run" / "summary.json").exists()
    resumed = mc.train(sensor, out=tmp_path / "run", resume=True, **arguments)
    assert len(calls) == len(finished.metrics["chunk"])
    assert resumed.summary["members"] == finished.summary["members"]
    for name, value in finished.metrics.items():
        np.testing.assert_array_equal(resumed.metrics[name], value)


def test_another_configuration_cannot_go_on_with_a_run(sensor, finished):
    with pytest.raises(RunFolderError, match=r"steps: 2400 in the run, 9999 now\n.*cannot be made longer.*train anew"):
        mc.train(sensor, steps=9999, out=finished.folder, resume=True, progress=False)
    with pytest.raises(RunFolderError, match="exists already"):
        mc.train(sensor, steps=2400, out=finished.folder, progress=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seeds": 0}, "at least one seed"),
        ({"seeds": []}, "at least one seed"),
        ({"steps": 0}, "steps=0 must be a whole number, at least 1"),
        ({"steps": 2**31 - 4}, "steps=2147483644: .*at most 2147483643"),
        ({"steps": 1.5}, "steps=1.5"),
        ({"seeds": 1.5}, "seeds=1.5"),
        ({"seed": -1}, "seed=-1"),
        ({"evaluations": "often"}, "evaluations='often'"),
        ({"evaluation_episodes": 2**31}, "evaluation_episodes=2147483648"),
        ({"checkpoint_seconds": float("nan")}, "checkpoint_seconds=nan"),
        ({"hparams": {"beta": "a lot"}}, "beta='a lot'"),
        (
            {"hparams": {"betta": [1.0]}},
            "no hyper-parameter 'betta'. Did you mean 'beta'. There are: [^ ]+, (?!.*num_envs)",
        ),
        ({"hparams": {"beta": []}}, "no values to try"),
        ({"hparams": {"beta": [0.1, 1, 0.1]}}, "beta: 0.1 is listed twice"),
        ({"seeds": [3, 1, 3]}, "seeds: 3 is listed twice"),
        ({"seeds": 60_000, "hparams": {"beta": [0.1, 0.2]}}, "120000 members"),
        ({"resume": True, "out": None}, "need out"),
    ],
)
def test_bad_arguments_are_refused_before_anything_compiles(sensor, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        mc.train(sensor, **({"out": tmp_path / "run", "progress": False} | arguments))
    assert not (tmp_path / "run").exists()


def test_what_is_no_algorithm_and_what_is_no_run_is_said(sensor):
    for given in ("ndq", sensor.env, None):
        with pytest.raises(UsageError, match=r"algorithm=.*ndq"):
            mc.train(given, progress=False)  # pyright: ignore[reportArgumentType]
    for given in (5, sensor, None):
        with pytest.raises(UsageError, match="run="):
            mc.evaluate(given)  # pyright: ignore[reportArgumentType]


def test_what_is_passed_as_algorithm_must_be_what_was_trained(finished):
    with pytest.raises(UsageError, match="algorithm='ndq'"):
        mc.load_run(finished.folder, algorithm="ndq")  # pyright: ignore[reportArgumentType]
    other = mc.ndq(mc.make_env("sensor"), hidden=6, num_envs=4, batch_episodes=8, replay_episodes=64)
    with pytest.raises(CheckpointError, match=r"other arrays|other shapes") as raised:
        mc.load_run(finished.folder, algorithm=other)
    assert "hidden" in str(raised.value)
    assert "orbax" not in str(raised.value)


def test_a_folder_in_the_way_is_refused_and_a_run_resumed_before_first_states_are_computed(
    sensor, finished, tmp_path, monkeypatch
):
    copied = shutil.copytree(finished.folder, tmp_path / "run")

    def init(*arguments):
        raise AssertionError("first states")

    monkeypatch.setattr(Population, "init", init)
    with pytest.raises(RunFolderError, match="exists already"):
        mc.train(sensor, steps=2400, out=copied, progress=False)
    hparams = {"beta": [1e-3, 1e-2]}
    again = {"seeds": 2, "hparams": hparams, "evaluations": 2, "resume": True, "progress": False}
    resumed = mc.train(sensor, steps=2400, out=copied, **again)
    assert [m["digest"] for m in resumed.summary["members"]] == [m["digest"] for m in finished.summary["members"]]
