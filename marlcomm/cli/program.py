"""The command line: marlcomm train | evaluate | inspect | watch | plot | export | list.

Exit codes: 0 done, 1 every member diverged, 2 bad input or a run that cannot be used, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import tyro
from rich.console import Console

from marlcomm.cli.commands import COMMANDS


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; gives the exit code."""
    words = _repeat_flags(list(sys.argv[1:] if arguments is None else arguments))
    try:
        call = tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="marlcomm", description=__doc__, args=words)
        return call
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not _is_users(error):
            raise
        Console(stderr=True).print(f"marlcomm: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2


def console_script() -> None:
    """What the installed command `marlcomm` runs."""
    prepare()
    sys.exit(main())


def prepare() -> None:
    """Sets up JAX for the command line: all cores, and a cache of compiled programs, so that a second run starts at
    once. Must run before anything touches a device."""
    import jax

    from marlcomm.devices import use_all_cores

    use_all_cores()
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(home / "marlcomm" / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _is_users(error: Exception) -> bool:
    """Whether the message says what the user can do; anything else is a fault of ours, and keeps its traceback."""
    from marlcomm.training import CheckpointError, RunFolderError

    return isinstance(error, ValueError | OSError | ImportError | CheckpointError | RunFolderError)


def _repeat_flags(words: list[str]) -> list[str]:
    """`--set a=1 b=2` as `--set a=1 --set b=2`, so that both ways of writing work; the same for --edit."""
    repeated, flag = [], None
    for word in words:
        if word in ("--set", "--edit"):
            flag = word
        elif word.startswith("-"):
            flag = None
        elif flag and repeated[-1] != flag:
            repeated.append(flag)
        repeated.append(word)
    return repeated
