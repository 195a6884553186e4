"""What stands on the command line is read as people write it, and what it means is checked."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marlcomm.algorithms import algorithm_names, algorithm_settings
from marlcomm.cli import main, settings
from marlcomm.cli.listing import describe, describe_everything
from marlcomm.cli.settings import split_settings
from marlcomm.cli.text import read_as, read_count, read_flag, read_literal, read_number, read_seeds
from marlcomm.envs import make_env
from marlcomm.validation import UsageError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("100000", 100_000),
        ("100_000", 100_000),
        ("1e5", 100_000),
        ("1E5", 100_000),
        ("2M", 2_000_000),
        ("400K", 400_000),
        ("1.1M", 1_100_000),
        ("150k", 150_000),
        ("-3", -3),
        ("0", 0),
        ("20.0", 20),
        ("1G", 10**9),
    ],
)
def test_whole_numbers(text, wanted):
    found = read_count("steps", text)
    assert (found, type(found)) == (wanted, int)


@pytest.mark.parametrize(
    "text",
    ["", "many", "1.5", "1e-3", "2MM", "2 M M", "M", "nan", "inf", "1e999999999", "9" * 5000, "0x10", "1,000", "\0"],
)
def test_what_is_no_whole_number(text):
    with pytest.raises(UsageError, match="steps="):
        read_count("steps", text)


@pytest.mark.parametrize(("text", "wanted"), [("1e-3", 1e-3), ("150k", 150_000.0), ("-2", -2.0), ("inf", float("inf"))])
def test_numbers(text, wanted):
    found = read_number("beta", text)
    assert (found, type(found)) == (wanted, float)


@pytest.mark.parametrize(
    ("text", "wanted"), [("3", 3), ("0,1,5", (0, 1, 5)), ("5,", (5,)), ("1e2", 100), (" 0, 1", (0, 1))]
)
def test_seeds(text, wanted):
    assert read_seeds(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"), [("yes", True), ("True", True), ("on", True), ("no", False), ("FALSE", False)]
)
def test_flags(text, wanted):
    assert read_flag("paper", text) is wanted


@pytest.mark.parametrize(
    ("text", "kind", "wanted"),
    [
        ("6,6", tuple[int, ...], (6, 6)),
        ("none", int | None, None),
        ("1e2", int | None, 100),
        ("2", str | None, "2"),
        ("2", str, "2"),
        ("2", None, 2),
        ("yes", bool, True),
        ("[[1, 2], [3, 4]]", object, [[1, 2], [3, 4]]),
    ],
)
def test_values_of_a_kind(text, kind, wanted):
    found = read_as("it", text, kind)
    assert (found, type(found)) == (wanted, type(wanted))


@given(st.text(max_size=30) | st.text("0123456789.,eE+-_kMG[](){}:'\"", max_size=20))
def test_any_text_is_read_or_refused(text):
    read_literal(text)
    read_as("it", text, tuple[int, ...])  # what is no tuple is for the task to refuse
    for kind in (bool, int, float, str, int | None):
        with contextlib.suppress(UsageError):
            assert isinstance(read_as("it", text, kind), kind)


def test_literals_that_python_cannot_make_are_words():
    for text in ("{[]: 1}", "(" * 10_000, "{{}}", "9" * 5000):
        assert read_literal(text) == text


@pytest.mark.parametrize("algorithm", algorithm_names())
def test_every_setting_can_be_written_as_it_is_listed(algorithm):
    for name, (kind, default) in algorithm_settings(algorithm).items():
        assert read_as(name, str(default), kind) == default


def test_settings_reach_algorithm_task_and_sweep():
    words = [
        "beta=0.1|1e-2",
        "num_envs=1e1",
        "paper=yes",
        "exploration_steps=20k",
        "task.lengths=2,3",
        "weights.expressiveness=0",
    ]
    made, sweep = split_settings("ndq", "hallway", words)
    assert sweep == {"beta": [0.1, 0.01]}
    assert made.learner.config.num_envs == 10
    assert made.learner.training_edit is None
    assert made.hparams.exploration_steps == 20_000
    assert made.hparams.weights["expressiveness"] == 0
    assert made.env.lengths == (2, 3)


@pytest.mark.parametrize("task", ["sc2:3m", "smac:3m", "smacv2:zerg_5_vs_5"])
def test_a_version_of_the_game_is_no_number(monkeypatch, task):
    given = {}
    monkeypatch.setattr(settings, "make_env", lambda name, **options: given.update(options) or make_env("hallway"))
    split_settings("iql", task, ["task.game_version=4.10", "task.seconds=20", "task.workers=2", "task.step_mul=4"])
    assert given == {"game_version": "4.10", "seconds": 20.0, "workers": 2, "step_mul": 4}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lengths=6,6"], r"belongs to the task: write task\.lengths=6,6"),
        (["message_dims=1|2"], "message_dims fixes a shape.*What can be swept: beta,"),
        (["betta=1|2"], "Did you mean 'beta'"),
        (["betta=1"], "Did you mean 'beta'"),
        (["task.lengths=2,3", "task.lengths=2,3"], "task.lengths: given twice"),
        (["beta=1|two"], "beta='two' must be a number"),
        (["paper=maybe"], "paper='maybe' must be yes or no"),
        (["task.lengths={[]:1}"], "lengths"),
        (["beta={[]:1}"], "beta="),
        (["num_envs=1.5"], "num_envs='1.5' must be a whole number"),
        (["losses=a"], "only Python"),
        (["weights.nothing=1"], r"weights\.nothing"),
        (["name=a"], "'name'"),
        (["env=a"], "only Python"),
    ],
)
def test_what_cannot_be_is_refused_by_name(words, said):
    with pytest.raises(ValueError, match=said):
        split_settings("ndq", "hallway", words)


@pytest.mark.parametrize(
    ("words", "name", "wanted"),
    [
        (["--steps", "1e5"], "steps", 100_000),
        (["--steps=2M"], "steps", 2_000_000),
        (["--seeds", "0,1,5"], "seeds", (0, 1, 5)),
    ],
)
def test_the_command_line_takes_them(words, name, wanted, monkeypatch):
    asked = {}

    def stop(algorithm, **given):
        asked.update(given)
        raise KeyboardInterrupt

    monkeypatch.setattr("marlcomm.training.loop.train", stop)
    assert main(["train", "ndq", "hallway", *words]) == 130
    assert asked[name] == wanted


def test_an_argument_that_is_no_number_is_named(capsys):
    assert main(["train", "ndq", "hallway", "--steps", "many"]) == 2
    assert "--steps" in capsys.readouterr().err


def test_list_shows_what_an_algorithm_sets_otherwise_than_its_learner():
    rows = {name: settings for name, _, settings in describe("algorithms")}
    assert "training_edit=random_cut" in rows["ndq"]
    assert "training_edit" not in rows["qmix"]
    assert "channel=mean" in rows["commnet_qmix"]


def test_every_name_is_listed_with_what_it_is():
    for title, rows in describe_everything().items():
        for name, what, _ in rows:
            assert all((name, what)), title


def test_parts_go_by_name():
    words = ["channel=mean", "channel.rounds=2", "mixer=sum", "channel.graph=within_reach:1", "critic=none"]
    made, _ = split_settings("qmix", "hallway", words[:-1])
    assert (made.learner.agent.channel.rounds, type(made.learner.mixer).__name__) == (2, "SumMixer")
    assert made.learner.agent.channel.graph == ((True, True), (True, True))
    with pytest.raises(UsageError, match="has no critic"):
        split_settings("qmix", "hallway", words)


def test_a_loss_of_a_channel_is_left_out_or_set():
    made, _ = split_settings("qmix", "hallway", ["channel=gaussian", "losses.expressiveness=none", "beta=0.5"])
    assert list(made.learner.losses) == ["temporal_difference", "succinctness"]
    assert made.hparams.weights["succinctness"] == 0.5
    made, _ = split_settings("qmix", "hallway", ["channel=cluster", "losses.labels.interval=3", "channel.vocab_size=8"])
    assert (made.learner.losses["labels"].interval, made.learner.agent.channel.vocab_size) == (3, 8)


def test_what_a_loss_needs_may_stand_behind_it():
    made, _ = split_settings("vdn", "sensor", ["losses.bits.start=150k", "quantization_step=0.5", "channel=mean"])
    assert made.learner.losses["bits"].start == 150_000


@pytest.mark.parametrize("algorithm", ["qmix", "mappo"])
def test_the_old_flag_of_cutting_has_its_numbers(algorithm):
    words = ["cut_share=0.5|0.9", "cut_start=9", "cut_in_training=true"]
    with pytest.warns(FutureWarning):
        made, several = split_settings(algorithm, "hallway", words)
    assert float(made.hparams.training_edit["start"]) == 9.0
    assert several == {"training_edit.share": [0.5, 0.9]}
