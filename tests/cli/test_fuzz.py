"""Whatever stands on the command line, a sentence comes out, never a traceback; training itself is stubbed."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import marlcomm as mc
from marlcomm.algorithms import algorithm_names, algorithm_settings
from marlcomm.cli import main
from marlcomm.cli.commands import COMMANDS
from marlcomm.envs import env_names, env_options
from marlcomm.names import COMBAT, EDITS
from marlcomm.training.population import Population
from marlcomm.validation import check_count, check_seed

DONE, DIVERGED, USAGE, INTERRUPTED = 0, 1, 2, 130
VALUES = [
    *(
        "",
        "0",
        "1",
        "2",
        "3",
        "-1",
        "1.5",
        "1e5",
        "100_000",
        "2M",
        "1e400",
        "1e-400",
        "nan",
        "inf",
        "-inf",
        "0x10",
        "1j",
    ),
    *(
        "9" * 20,
        "9" * 5000,
        "4294967296",
        "2147483648",
        "1|2",
        "0.1|0.01",
        "|",
        "a|b",
        "true",
        "no",
        "none",
        "mean",
        "a",
    ),
    *(
        "[1,2]",
        "(1,",
        "{[]:1}",
        "{}",
        "6,6",
        "0,0",
        "(" * 300,
        "ä",
        "\0",
        "=",
        "'",
        '"',
        "__import__('os')",
        "lambda: 0",
    ),
]
TASKS = [name for name in env_names() if name not in COMBAT]  # battles, which are alike, take long to compile
FLAGS = [
    *("--steps", "--seeds", "--seed", "--out", "--resume", "--evaluations", "--evaluation-episodes", "--no-resume"),
    *("--checkpoint-seconds", "--tensorboard", "--quiet", "--episodes", "--json", "--member", "--format", "--help"),
    *("--nothing", "-h", "-1", "--", "--version"),
]


def a_line(chance: random.Random, folder: str) -> list[str]:
    """A command with names, flags and settings, many of them wrong."""
    command = chance.choice([*COMMANDS, "train", "train", "train", "evaluate", "trian", ""])
    words = [command]
    if command == "train":
        words += [misspelled(chance, chance.choice(algorithm_names())), misspelled(chance, chance.choice(TASKS))]
    elif command != "list":
        words += chance.choices([folder, "/nowhere", folder + "\0", "", "."], k=chance.choice([1, 1, 1, 2, 0]))
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        words += [chance.choice(FLAGS), chance.choice(VALUES)][: chance.choice([1, 2, 2])]
    if chance.random() < 0.7:
        words += ["--set", *(a_setting(chance, words) for _ in range(chance.choice([1, 1, 2, 3])))]
    if chance.random() < 0.3:
        words += ["--edit", f"{misspelled(chance, chance.choice([*EDITS]))}:{chance.choice(VALUES)}"]
    if chance.random() < 0.05:
        words += ["--import", chance.choice(["nothing_at_all", "a b", "", "..", "nothing.at.all"])]
    if chance.random() < 0.1:
        chance.shuffle(words)
    return words


def a_setting(chance: random.Random, words: list[str]) -> str:
    keys = ["name", "env", "channel", "weights.a", "task.", "", "task.nothing", "losses"]
    if len(words) > 2 and words[1] in algorithm_names():
        keys += [*algorithm_settings(words[1])] * 3
    if len(words) > 2 and words[2] in env_names():
        keys += [f"task.{option}" for option in env_options(words[2])] * 3 + [*env_options(words[2])]
    return f"{misspelled(chance, chance.choice(keys))}{chance.choice(['=', '=', '=', '=', ''])}{chance.choice(VALUES)}"


def misspelled(chance: random.Random, word: str) -> str:
    """Mostly the word itself."""
    place = chance.randrange(len(word) + 1)
    return word if chance.random() < 0.85 else word[:place] + chance.choice("xä_ .") + word[place + 1 :]


@pytest.fixture
def stubbed(monkeypatch, tmp_path):
    """A run folder that is there; nothing is compiled, played or written."""

    def reached(*args: Any, **kwargs: Any) -> Any:
        raise KeyboardInterrupt

    def evaluated(run, *, edits, episodes, seed):
        [mc.parse_edit(edit) for edit in edits]
        check_count("episodes", episodes)
        check_seed("seed", seed)
        return {"return": np.zeros(1)}

    (tmp_path / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Population, "template", lambda *args: None)
    monkeypatch.setattr("marlcomm.training.loop.require_room", lambda *args, **kwargs: None)
    monkeypatch.setattr("marlcomm.training.loop.Recorder", reached)
    monkeypatch.setattr("marlcomm.training.load_run", lambda run: Saved(run))
    monkeypatch.setattr("marlcomm.training.evaluate", evaluated)
    for name in ("inspect_run", "animate_run", "export_run"):
        monkeypatch.setattr(f"marlcomm.analysis.{name}", lambda *args, **kwargs: "a file")
    return tmp_path


class Saved:
    """A run of one member."""

    population = Population((0,), ({},))

    def __init__(self, path):
        self.path = path


def check_lines(numbers: range, folder: Any, capfd: pytest.CaptureFixture) -> None:
    ended, wrong = [], []
    for number in numbers:
        words = a_line(random.Random(number), str(folder))
        code = main(words)
        said = capfd.readouterr().err
        if code not in (DONE, DIVERGED, USAGE, INTERRUPTED) or "Traceback" in said or (code == USAGE and not said):
            wrong.append((number, [word[:100] for word in words], said[-600:]))
        ended.append(code)
    assert not wrong, "\n".join(f"{number}: {words}\n{said}" for number, words, said in wrong)
    assert {DONE, USAGE} <= set(ended)
    assert main(["train", "ndq", "sensor", "--set", "beta=0.1|0.01"]) == INTERRUPTED  # where training would begin
    assert {path.name for path in folder.iterdir()} <= {"config.json", "runs"}  # a folder is claimed, then stubbed


def test_only_sentences_come_out(stubbed, capfd):
    check_lines(range(120), stubbed, capfd)


@pytest.mark.slow
def test_only_sentences_come_out_of_two_thousand_lines(stubbed, capfd):
    check_lines(range(1000, 3000), stubbed, capfd)


PLAIN = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(-3, 40),
    st.sampled_from([10**20, 2**31, 1.0, 2.0, np.int64(2), np.float32(0.5), (), [1]]),
    st.sampled_from(["", "mean", "one_hot", "tanh", "sum"]),
    st.floats(),
)


BUILT_IN = algorithm_names()  # as they are before any test registers its own


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_settings_of_algorithms_are_taken_or_refused_by_name(data):
    name = data.draw(st.sampled_from(BUILT_IN))
    known = sorted(algorithm_settings(name))
    chosen = data.draw(st.dictionaries(st.sampled_from(known), PLAIN, min_size=1, max_size=3))
    try:
        made = mc.make_algorithm(name, mc.make_env("sensor"), **chosen)
    except ValueError as error:
        if not any(setting in str(error) for setting in chosen):
            raise
    else:
        assert made.describe()["settings"] is not None
