"""The command line: exit codes, errors that help, and what it prints for programs."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from marlcomm.cli import main

SMALL = ["--set", "hidden=8", "num_envs=4", "batch_episodes=8", "replay_episodes=64", "--evaluation-episodes", "20"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("cli") / "run"
    assert main(["train", "ndq", "sensor", "--steps", "600", "--out", str(out), "--quiet", *SMALL]) == 0
    return out


def test_evaluate_prints_one_json_object(run, capsys):
    assert main(["evaluate", str(run), "--episodes", "40", "--edit", "cut:0.5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"return", "won", "sent_fraction", "bits_per_step"} <= found["members"][0].keys()
    assert found["members"][0]["sent_fraction"] == pytest.approx(0.5, abs=0.15)


def test_watch_and_plot_write_files(run, tmp_path, capsys):
    assert main(["watch", str(run), "--out", str(tmp_path / "episode.gif")]) == 0
    assert (tmp_path / "episode.gif").read_bytes().startswith(b"GIF8")
    assert main(["plot", str(run), "--out", str(tmp_path / "curves.png")]) == 0
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_runs_of_one_name_are_drawn_as_two(run, tmp_path, monkeypatch):
    for parent in ("a", "b"):
        shutil.copytree(run, tmp_path / parent / "run")
    drawn = []
    monkeypatch.setattr("marlcomm.analysis.plot_curves", lambda tables: drawn.extend(tables) or Figure())
    runs = [str(tmp_path / parent / "run") for parent in ("a", "b")]
    assert main(["plot", *runs, "--out", str(tmp_path / "c.png")]) == 0
    assert len(drawn) == 2


def test_export_writes_tables(run, tmp_path, capsys):
    out = tmp_path / "tables"
    assert main(["export", str(run), "--format", "csv", "--episodes", "2", "--out", str(out)]) == 0
    assert capsys.readouterr().out.split() == [str(out)]
    assert (out / "steps.csv").read_text().startswith("episode,step,agent")


def test_inspect_passes_on_what_it_is_asked(monkeypatch, capsys, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    asked = []
    monkeypatch.setattr("marlcomm.analysis.inspect_run", lambda *words, **more: asked.append((words, more)) or "a page")
    words = [
        "inspect",
        str(tmp_path),
        "--out",
        str(tmp_path / "page.html"),
        "--member",
        "1",
        "--episodes",
        "50",
        "--seed",
        "3",
    ]
    assert main([*words, "--quiet"]) == 0
    asked_for = {"member": 1, "episodes": 50, "seed": 3, "progress": False}
    assert asked == [((tmp_path, tmp_path / "page.html"), asked_for)]
    assert capsys.readouterr().out == "a page\n"
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (".", "is a folder: name the page in it, such as --out page.html"),
        ("page.pdf", "--out page.pdf: the page must end in .html, not '.pdf': such as --out page.html"),
        ("page", "such as --out page.html"),
        ("/dev/null/page.html", "cannot write to /dev/null/page.html: "),
        ("/proc/page.html", "Choose another place for the page, --out PAGE.html"),
    ],
)
def test_where_no_page_can_be_written_nothing_is_measured(monkeypatch, capsys, tmp_path, page, message):
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr("marlcomm.analysis.inspect_run", lambda *_, **__: pytest.fail("it was measured"))
    assert main(["inspect", str(tmp_path), "--out", page]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["watch", "RUN", "--out", "a.avi"], "the animation must end in .gif or .mp4, not '.avi': such as --out a.gif"),
        (["watch", "RUN", "--out", "/dev/null/a.gif"], "cannot write to /dev/null/a.gif"),
        (["plot", "RUN", "--out", "a.gif"], "the picture must end in .png or .pdf or .svg"),
        (["plot", "RUN", "--out", "."], "is a folder: name the picture in it, such as --out picture.png"),
        (["frontier", "RUN", "--out", "/proc/a.png"], "cannot write to /proc/a.png"),
    ],
)
def test_pictures_that_cannot_be_written_are_refused_before_anything_is_measured(
    monkeypatch, capsys, tmp_path, words, message
):
    (tmp_path / "config.json").write_text("{}")
    for name in ("animate_run", "plot_curves", "frontier"):
        monkeypatch.setattr(f"marlcomm.analysis.{name}", lambda *_, **__: pytest.fail("it was measured"))
    assert main([str(tmp_path) if word == "RUN" else word for word in words]) == 2
    assert message in capsys.readouterr().err


def test_a_run_folder_that_is_read_only_is_told_before_anything_is_measured(monkeypatch, capsys, tmp_path):
    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr("marlcomm.analysis.inspect_run", lambda *_, **__: pytest.fail("it was measured"))
    monkeypatch.setattr(Path, "open", refused)
    assert main(["inspect", str(tmp_path)]) == 2
    assert "Read-only file system. Choose another place for the page, --out" in capsys.readouterr().err


def test_list_names_everything(capsys):
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("ndq", "qmix", "vdn", "iql", "hallway", "sensor", "search", "cut:f"))


@pytest.mark.parametrize(
    ("name", "said", "unsaid"),
    [
        ("ndq", ["Algorithms", "beta=", "Learners", "target_interval="], ["Channels", "vdn", "on_policy"]),
        ("gated", ["Channels", "channel.dims="], ["Algorithms", "Tasks"]),
        ("1o2r_vs_4r", ["Tasks", "task.obs_own_pos="], ["hallway", "MMM2"]),
        ("cut", ["cut:f"], ["drop"]),
    ],
)
def test_list_shows_one_thing_by_its_name(name, said, unsaid, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["list", name]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in said), printed
    assert not any(word in printed for word in unsaid), printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["list", "nqd"], "WHAT='nqd' is not known. Did you mean 'ndq'"),
        (["train", "ndqq", "hallway"], "Did you mean 'ndq'"),
        (["train", "ndq", "halway"], "Did you mean 'hallway'"),
        (["train", "ndq", "hallway", "--seeds", "0"], "at least one seed"),
        (["train", "ndq", "hallway", "--steps", "0"], "steps=0"),
        (["train", "ndq", "hallway", "--steps", "abc"], "--steps: 'abc' must be a whole number"),
        (["frontier", "run", "--silent", "abc"], "--silent: 'abc' must be a number"),
        (["train", "ndq", "hallway", "--set", "betta=1"], "Did you mean 'beta'"),
        (["train", "ndq", "hallway", "--set", "beta=loud"], "beta='loud' must be a number"),
        (["train", "ndq", "hallway", "--set", "hidden=2.5"], "hidden='2.5' must be a whole"),
        (["train", "ndq", "hallway", "--set", "hidden=0"], "hidden=0"),
        (["train", "ndq", "hallway", "--set", "num_envs=0"], "num_envs is 0"),
        (["train", "ndq", "hallway", "--set", "discount=1.5"], "discount is 1.5"),
        (["train", "ndq", "hallway", "--set", "learning_rate=-1"], "learning_rate is -1"),
        (["train", "ndq", "hallway", "--set", "beta"], "must be key=value"),
        (["train", "ndq", "hallway", "--set", "beta=1", "beta=2"], "given twice"),
        (["train", "ndq", "hallway", "--set", "task.lengths=0,4"], "lengths"),
        (["train", "ndq", "hallway", "--set", "task.length=4"], "Did you mean 'lengths'"),
        (["train", "ndq", "hallway", "--set", "hidden=8|16"], "hidden"),
        (["train", "ndq", "hallway", "--set", "agent=mine"], "only Python can pass"),
        (["train", "maddpg", "hallway", "--set", "critic=central"], "critic='central'"),
        (["train", "qmix", "hallway", "--set", "training_edit=randomcut"], "Did you mean 'random_cut'"),
        (["train", "qmix", "hallway", "--set", "channel=mean", "rounds=2"], "Did you mean 'channel.rounds'"),
        (["train", "ndq", "hallway", "--checkpoint-seconds", "-1"], "checkpoint_seconds=-1"),
        (["evaluate", "/dev/null"], "not a run folder"),
        (["train", "ndq", "hallway", "--resume"], "needs --out"),
        (["train", "ndq", "hallway", "--out", "/dev/null/run"], "cannot write"),
        (["evaluate", "/nowhere"], "not a run folder"),
        (["inspect", "/nowhere"], "not a run folder"),
        (["plot"], "at least one run"),
    ],
)
def test_bad_input_is_answered_with_a_message_and_exit_code_2(words, message, capsys):
    assert main(words) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_bad_edits_are_answered_likewise(run, capsys):
    for edit, message in {"cut:1.5": "outside", "cutt:1": "unknown name", "drop": "needs a number"}.items():
        assert main(["evaluate", str(run), "--edit", edit]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("written", "message"),
    [(b"{", "cannot be read"), (b"\xff\xfe", "cannot be read"), (b"[]", "holds a list"), (b"{}", "no algorithm, task")],
)
def test_a_damaged_configuration_is_named(tmp_path, capsys, written, message):
    (tmp_path / "config.json").write_bytes(written)
    assert main(["evaluate", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "config.json") in said
    assert message in said


def test_an_existing_run_folder_is_refused(run, capsys):
    assert main(["train", "ndq", "sensor", "--steps", "600", "--out", str(run), "--quiet", *SMALL]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("values", [("hiden=9", "beta=1"), ("beta=1", "hiden=9")])
def test_a_flag_takes_several_values_or_is_repeated(tmp_path, capsys, values):
    """Whichever of them is wrong is named, however they are written."""
    train = ["train", "ndq", "sensor", "--out", str(tmp_path / "run")]
    repeated = [word for value in values for word in ("--set", value)]
    for words in (["--set", *values], repeated):
        assert main([*train, *words, "--quiet"]) == 2
        assert "'hiden'" in capsys.readouterr().err


def test_frontier_draws_and_prints(run, tmp_path, capsys):
    out = tmp_path / "pictures" / "frontier.svg"
    words = ["frontier", str(run), "--edit", "silence", "--episodes", "20", "--out", str(out)]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [entry["edit"] for entry in found["entries"]] == ["", "silence"]
    assert (found["silent"], found["informed"], found["normalized"]) == (12.5, 15.0, True)
    assert "<svg" in out.read_text()
    assert main([*words, "--silent", "0", "--informed", "20"]) == 0
    printed = capsys.readouterr().out
    assert "on the front" in printed
    assert "worth" in printed
    assert main(["frontier", str(run), "--out", "frontier.txt"]) == 2
