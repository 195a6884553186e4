"""The command line: marlcomm train | sweep | evaluate | inspect | watch | plot | frontier | export | doctor | list.

Exit codes: 0 done, 1 every member diverged, a part of a sweep failed, or the doctor found something wrong, 2 bad input
or a run that cannot be used, 70 a fault of marlcomm itself, 130 interrupted.

With every command: --import MODULE imports a module of yours first, which registers what you add: algorithms, learners,
tasks, channels, mixers, critics, edits.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

import tyro

import marlcomm
from marlcomm import devices
from marlcomm.cli.commands import COMMANDS
from marlcomm.cli.printing import say_error, say_warning
from marlcomm.names import IMPORTED
from marlcomm.validation import UsageError, brief, first_line

DONE, USAGE, FAULT, INTERRUPTED = 0, 2, 70, 130
REPORT = "that is a fault of marlcomm's, not yours: please report it, with these lines and the command."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; gives the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _let_everything_be_printed()
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever reads has seen enough
        _stop_printing()
        return DONE
    except Exception as error:
        return _say_what_went_wrong(error)


def console_script() -> None:
    """What the installed command `marlcomm` runs."""
    devices.prepare()
    warnings.showwarning = say_warning
    sys.exit(main())


def _run(words: list[str]) -> int:
    words, modules = _take_imports(words)
    if words == ["--version"]:
        print(f"marlcomm {marlcomm.__version__}")
        return DONE
    _import(modules)
    try:
        return tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="marlcomm", description=__doc__, args=_repeat_flags(words)
        )
    except SystemExit as end:  # help was asked for, or words that are no command
        return end.code if isinstance(end.code, int) else DONE


def _repeat_flags(words: list[str]) -> list[str]:
    """`--set a=1 b=2` as `--set a=1 --set b=2`, so that both ways of writing work; the same for others."""
    repeated, flag = [], None
    for word in words:
        if word in ("--set", "--edit", "--engine-set"):
            flag = word
        elif word.startswith("-"):
            flag = None
        elif flag and repeated[-1] != flag:
            repeated.append(flag)
        repeated.append(word)
    return repeated


def _take_imports(words: list[str]) -> tuple[list[str], list[str]]:
    """The words without `--import MODULE`, which goes with every command, and the modules."""
    rest, modules, waiting = [], [], iter(words)
    for word in waiting:
        flag, equals, module = word.partition("=")
        if flag != "--import":
            rest.append(word)
            continue
        modules.append(module if equals else next(waiting, ""))
    return rest, modules


def _import(modules: Sequence[str]) -> None:
    """Imports modules of the user's, from the working folder too, which register what they add."""
    if modules and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for module in modules:
        if not all(part.isidentifier() for part in module.split(".")):
            raise UsageError(f"--import {module!r}: must be the name of a module, such as my_parts for my_parts.py")
        try:
            importlib.import_module(module)
            IMPORTED.append(module)
        except (Exception, SystemExit) as error:
            if isinstance(error, ModuleNotFoundError) and error.name == module.split(".")[0]:
                raise UsageError(f"--import {module}: there is no such module here or among those installed") from None
            with contextlib.suppress(OSError):  # where nobody reads
                traceback.print_exception(error)
            raise UsageError(f"--import {module}: it fails: {brief(error)}") from None


def _say_what_went_wrong(error: Exception) -> int:
    """Prints one sentence where the user can do something about it, otherwise where it happened; the exit code."""
    code = USAGE
    try:
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
            say_error(f"this does not fit into memory: ask for less, or for smaller ({first_line(error)})")
        elif _is_users(error):
            say_error(str(error) or type(error).__name__)
        else:
            code = FAULT
            traceback.print_exception(error)
            say_error(REPORT)
    except OSError:  # where nobody reads
        _stop_printing()
    return code


def _is_users(error: Exception) -> bool:
    """Whether the message says what the user can do; anything else is a fault of ours, and keeps its traceback."""
    if isinstance(error, UsageError | OSError | ImportError) or _is_sentence_of_ours(error):
        return True
    from marlcomm.training import CheckpointError, RunFolderError
    from marlcomm.training.drivers import CannotPlay
    from marlcomm.training.processes import ProcessError

    return isinstance(error, CannotPlay | CheckpointError | ProcessError | RunFolderError)


def _is_sentence_of_ours(error: Exception) -> bool:
    """Whether it is a ValueError that this package raised on purpose, not one that happened to it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    within = Path(marlcomm.__file__).parent in Path(last.filename).parents
    return isinstance(error, ValueError) and within and (last.line or "").startswith("raise ")


def _let_everything_be_printed() -> None:
    """What a terminal cannot show is escaped, in place of an error; where nothing can be shown, nothing is."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _stop_printing() -> None:
    """Points streams that nobody reads to nowhere, so that Python can end without a word."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
