"""What stands around the commands: exit codes, whose fault it was, what can be printed where, and how soon."""

from __future__ import annotations

import copy
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from marlcomm import names
from marlcomm.cli import main, program
from marlcomm.cli.printing import print_members, print_tables
from marlcomm.validation import UsageError

MEMBERS = [{"return": 12.345, "won": 0.5, "bits_per_step": 1.25, "sent_fraction": 1.0, "episode_length": 7.5}]
TABLES = {"Tasks": [("hallway", "A corridor…", "task.lengths=(4, 4)")]}


def use_command(monkeypatch, command):
    monkeypatch.setattr(program, "COMMANDS", {"do": command, "other": command})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "ndqq", "hallway"], "Did you mean 'ndq'"),
        (["train", "ndq", "halway"], "Did you mean 'hallway'"),
        (["train", "ndq", "hallway", "--resume"], "--out"),
        (["evaluate", ".", "--edit", "cut:0.5"], "not a run folder"),
        (["plot", ".", "--out", "curves.doc"], "'.doc'"),
        (["train", "ndq"], "TASK"),
    ],
)
def test_what_is_misspelled_is_answered_before_jax_is_imported(words, said):
    script = f"""
import sys
from marlcomm.cli import main
assert main({words!r}) == 2
assert "jax" not in sys.modules and "matplotlib" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert said in done.stderr


def test_a_misspelled_edit_is_answered_before_jax_is_imported(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    script = f"""
import sys
from marlcomm.cli import main
assert main(["evaluate", {str(tmp_path)!r}, "--edit", "cutt:0.5"]) == 2
assert "jax" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Did you mean 'cut'" in done.stderr


def test_version(capsys):
    assert main(["--version"]) == 0
    assert "0.1" in capsys.readouterr().out


def raises(error):
    def command() -> int:
        """Do it."""
        raise error

    return command


@pytest.mark.parametrize(
    "error", [UsageError("steps=0 must be"), FileNotFoundError("steps=0 must be"), ImportError("steps=0 must be")]
)
def test_what_the_user_can_do_something_about_is_one_line(monkeypatch, capsys, error):
    use_command(monkeypatch, raises(error))
    assert main(["do"]) == 2
    assert capsys.readouterr().err == "marlcomm: steps=0 must be\n"


def test_too_little_memory_is_one_line(monkeypatch, capsys):
    use_command(monkeypatch, raises(RuntimeError("RESOURCE_EXHAUSTED: out of memory allocating 9 bytes\nmore")))
    assert main(["do"]) == 2
    said = capsys.readouterr().err
    assert "memory" in said
    assert said.count("\n") == 1


def converts_wrongly() -> int:
    """Do it."""
    return np.zeros(3).reshape(2)  # pyright: ignore


def takes_a_wrong_number() -> int:
    """Do it."""
    return int("many")


@pytest.mark.parametrize(
    "command", [converts_wrongly, takes_a_wrong_number, raises(TypeError("odd")), raises(KeyError("q"))]
)
def test_a_fault_of_ours_keeps_its_traceback_and_says_how_to_report_it(monkeypatch, capsys, command):
    use_command(monkeypatch, command)
    assert main(["do"]) == 70
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert command.__name__ in said
    assert "report" in said
    assert said.splitlines()[-1].count("marlcomm:") == 1


def test_interrupted(monkeypatch):
    use_command(monkeypatch, raises(KeyboardInterrupt()))
    assert main(["do"]) == 130


@pytest.mark.parametrize("write", [print, lambda text: print_members([{"return": 1.0}], [text])])
def test_a_reader_who_leaves_is_no_error(monkeypatch, write):
    def command() -> int:
        """Do it."""
        write("a line")
        return 0

    use_command(monkeypatch, command)
    reader, writer = os.pipe()
    os.close(reader)
    errors = io.StringIO()
    with os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        monkeypatch.setattr(sys, "stderr", errors)
        assert main(["do"]) == 0
    assert errors.getvalue() == ""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("width", [1, 12, 19, 40, 80, 200])
def test_tables_can_be_printed_everywhere_and_lose_nothing(monkeypatch, encoding, width):
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding)

    def command() -> int:
        """Do it."""
        print_tables(TABLES, ("name", "what", "settings and defaults"))
        print_members(MEMBERS, ["seed 0, beta=0.001"])
        print(Path("läufe/ndq-1"))
        return 0

    use_command(monkeypatch, command)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["do"]) == 0
    said = written.getvalue().decode(encoding)
    shown = "".join(said.split())
    assert all(word in shown for word in ("hallway", "12.35", "7.5", "1.25"))
    assert ("läufe" in said) == (encoding != "ascii")


def test_no_colour_where_none_is_wanted(monkeypatch, capsys):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    use_command(monkeypatch, raises(UsageError("steps")))
    assert main(["do"]) == 2
    assert "\x1b[3" not in capsys.readouterr().err


def test_modules_of_the_users_are_imported_first(monkeypatch, tmp_path, capsys):
    (tmp_path / "my_parts_of_a_test.py").write_text("from marlcomm.names import TASKS\nTASKS.add('mine', print)\n")
    (tmp_path / "my_broken_parts.py").write_text("import nothing_that_exists\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(names, "TASKS", copy.copy(names.TASKS))
    use_command(monkeypatch, lambda: 0)
    assert main(["do", "--import", "my_parts_of_a_test"]) == 0
    assert "mine" in names.TASKS
    for words, said in {
        "nothing_here": "no such module",
        "my parts": "name of a module",
        "": "name of a module",
    }.items():
        assert main(["do", "--import", words]) == 2
        assert said in capsys.readouterr().err
    assert main(["do", "--import", "my_broken_parts"]) == 2
    assert "nothing_that_exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "content", "said"),
    [("my_misspelled", "undefined_name", "NameError: name"), ("my_exit", "raise SystemExit('enough')", "SystemExit")],
)
def test_a_module_of_the_users_that_fails_is_theirs_and_shown_with_its_traceback(
    monkeypatch, tmp_path, capsys, module, content, said
):
    (tmp_path / f"{module}.py").write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert main(["do", "--import", module]) == 2
    *shown, last = capsys.readouterr().err.splitlines()
    assert last.startswith(f"marlcomm: --import {module}: it fails: {said}")
    assert any(f"{module}.py" in line for line in shown)


@pytest.mark.parametrize(("error", "code"), [(UsageError("steps=0"), 2), (KeyError("odd"), 70)])
def test_the_exit_code_is_the_same_where_nobody_reads_what_went_wrong(monkeypatch, error, code):
    use_command(monkeypatch, raises(error))
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stderr", pipe)
        assert main(["do"]) == code


def test_a_process_ends_with_its_own_code_where_nobody_reads_what_went_wrong():
    script = """
import sys
from marlcomm.cli import main, program
from marlcomm.validation import UsageError
def do() -> int:
    raise UsageError("steps=0")
program.COMMANDS = {"do": do, "other": do}
sys.exit(main(["do"]))
"""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert subprocess.run([sys.executable, "-c", script], stderr=writer).returncode == 2
    finally:
        os.close(writer)


def test_a_warning_is_one_line():
    words = ["-m", "marlcomm", "train", "qmix", "hallway", "--set", "channel=mean", "channel.hops=2", "channel.dims=no"]
    found = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert found.returncode == program.USAGE
    warning, error = found.stderr.strip().splitlines()
    assert warning.startswith("marlcomm: ")
    assert "rounds" in warning
    assert "channel.dims" in error
