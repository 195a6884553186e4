"""The packages smac, smacv2 and smaclite, none of which is on PyPI: loaded, or missed with what to type."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from marlcomm.bridge.starcraft.protocol import MissingPackage
from marlcomm.validation import UsageError, first_line, nearest

SOURCES = {
    "smac": "git+https://github.com/oxwhirl/smac.git",
    "smacv2": "git+https://github.com/oxwhirl/smacv2.git",
    "smaclite": "git+https://github.com/uoe-agents/smaclite.git",
}
OURS = ("self", "map_name", "seed")  # arguments of constructors that users give in other ways


def install_command(package: str) -> str:
    """What to type for a package: those that want an old protobuf go into an interpreter of their own."""
    wanted = f'"{package} @ {SOURCES[package]}"'
    if package == "smaclite":
        return f'pip install --no-deps {wanted} and pip install gymnasium pygame scikit-learn "rtree>=1.1"'
    python = f"{package}_env/bin/python"
    return (
        f"python -m venv {package}_env and {python} -m pip install numpy {wanted}, since it wants an old protobuf; "
        f"then train with task.python={python}"
    )


def is_optimizer() -> bool:
    """Whether the package smac here is PyPI's, SMAC3, which optimizes hyper-parameters."""
    found = importlib.util.find_spec("smac")  # whose parts are not imported: those of SMAC need not load
    return found is not None and not any(Path(each, "env").is_dir() for each in found.submodule_search_locations or ())


def load(package: str, module: str) -> Any:
    """A module of one of the packages.

    Raises:
      MissingPackage: it is missing, is another of the same name, or does not load; the message says what to type.
    """
    if importlib.util.find_spec(package) is None:
        hint = "; what PyPI calls smac is an optimizer" if package == "smac" else ""
        raise MissingPackage(f"The package {package} is missing{hint}: {install_command(package)}")
    if package == "smac" and is_optimizer():
        raise MissingPackage(
            "The package smac that is installed is SMAC3, an optimizer of hyper-parameters, and has no battles: "
            f"{install_command(package)}"
        )
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackage(f"The package {package} does not load ({error}): {install_command(package)}") from error
    except Exception as error:  # such as protobuf's TypeError about descriptors, or a missing library of rtree
        why = first_line(error).rstrip(".")
        raise MissingPackage(
            f"The package {package} does not load ({type(error).__name__}: {why}): {install_command(package)}"
        ) from error


def check_options(function: Callable[..., Any], options: Mapping[str, Any], where: str) -> None:
    """Raises UsageError for the first option that a constructor does not know, with the nearest that it does."""
    parameters = inspect.signature(function).parameters
    known = [name for name, each in parameters.items() if name not in OURS and each.kind != each.VAR_KEYWORD]
    for option in options:
        if option not in known:
            raise UsageError(f"{where} has no option {option!r}.{nearest(option, known)}")
