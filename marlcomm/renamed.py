"""Old names of settings: they work for one release, with a warning, and in the records of old runs without one."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from marlcomm.validation import UsageError

Class = TypeVar("Class")

SETTINGS: Mapping[str, str] = {
    "alphabet": "vocab_size",
    "clip": "clip_ratio",
    "cut_share": "training_edit.share",
    "cut_start": "training_edit.start",
    "entropy_finish": "entropy_decay_to",
    "epsilon_finish": "exploration_final",
    "epsilon_start": "exploration_start",
    "epsilon_steps": "exploration_steps",
    "hops": "rounds",
    "labels": "vocab_size",
    "learning_rate_finish": "learning_rate_decay_to",
    "mixing": "mixer",
    "neighbours": "neighbors",
    "normalisation": "normalization",
    "normalise_advantage": "normalize_advantage",
    "normalise_returns": "normalize_returns",
    "optimiser": "optimizer",
    "renormalise": "renormalize",
    "symbols": "vocab_size",
    "teacher": "joint_critic",
    "trace": "gae_lambda",
    "weights.teacher": "weights.joint_critic",
    "words": "message_length",
}
# the names that there are, or what gives them for what is chosen so far
Known = Collection[str] | Callable[[Mapping[str, Any]], Collection[str]]
# what a setting of two values is called now: old name -> setting, and its value for True and for False
RESTATED: Mapping[str, tuple[str, Any, Any]] = {"cut_in_training": ("training_edit", "random_cut", None)}
EDITS: Mapping[str, str] = {"quantise": "quantize"}


def today(name: str, known: Collection[str], names: Mapping[str, str] = SETTINGS) -> str:
    """Today's name of what was called `name`, where only that is known; otherwise `name` itself."""
    part, dot, field = name.rpartition(".")
    new = names.get(name) or f"{part}{dot}{names.get(field, field)}"
    return new if name not in known and new in known else name


def with_todays_names(
    given: Mapping[str, Any], known: Known, warn: Callable[[str, str], None] | None = None
) -> dict[str, Any]:
    """What was given, by today's names; warns of each old one.

    Args:
      given: name -> value.
      known: the names that there are; or those that there are where so much is given, as what was a flag may be a part
        now, which has settings of its own.
      warn: told each old name, and today's.

    Raises:
      UsageError: one setting is given by its old name and by today's.
    """
    warn = warn or _warn
    found = _restated(given, known, warn)
    names = {*(known(found) if callable(known) else known)}
    names |= {f"losses.{name.removeprefix('weights.')}" for name in names if name.startswith("weights.")}
    for name, value in list(found.items()):
        if (new := today(name, names)) != name:
            if new in found:
                raise UsageError(f"{name} is the old name of {new}: give one of them.")
            warn(name, new)
            found = {new if key == name else key: value for key, value in found.items()}
    for group in ("losses", "weights"):
        if isinstance(found.get(group), Mapping):
            found[group] = _within(group, found[group], names, warn)
    return found


def recorded_names(settings: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """The settings of an old record, by today's names, without a warning: nobody can change what is on record."""
    return with_todays_names(settings, known, lambda old, new: None)


def _restated(given: Mapping[str, Any], known: Known, warn: Callable[[str, str], None]) -> dict[str, Any]:
    """What was given, with the settings that old flags are now in their places."""
    flags = [name for name in given if is_restated(name, known(given) if callable(known) else known)]
    found = {name: value for name, value in given.items() if name not in flags}
    for name in flags:
        setting, *values = RESTATED[name]
        now = values[not given[name]]
        warn(f"{name}={given[name]}", f"{setting}={now}")
        if now is not None and found.get(setting, now) != now:
            raise UsageError(f"{name}={given[name]} is {setting}={now} now: give one of {name} and {setting}.")
        found.setdefault(setting, now)
    return found


def _within(
    group: str, given: Mapping[str, Any], known: Collection[str], warn: Callable[[str, str], None]
) -> dict[str, Any]:
    """A mapping of losses, or of their weights, by today's names."""
    whole = {f"{group}.{name}": value for name, value in given.items()}
    return {name.removeprefix(f"{group}."): value for name, value in with_todays_names(whole, known, warn).items()}


def is_restated(name: str, known: Collection[str]) -> bool:
    """Whether it is an old flag that is another setting now."""
    return name in RESTATED and name not in known


def old_attributes(module: str, now: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__` for what has another name now: it is found for one release, with a warning.

    Args:
      module: its name.
      now: old name -> where it stands, such as `marlcomm.agents.from_torch`.
    """

    def get(name: str) -> Any:
        if name not in now:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warnings.warn(f"{module}.{name} is {now[name]} now", FutureWarning, stacklevel=2)
        home, _, today = now[name].rpartition(".")
        return getattr(importlib.import_module(home), today)

    return get


def old_names(**names: str) -> Callable[[type[Class]], type[Class]]:
    """Lets a class be made with old names of its keyword arguments, `old_names(hops="rounds")`; warns of each."""

    def accept(kind: type[Class]) -> type[Class]:
        init = kind.__init__

        @functools.wraps(init)
        def make(self: Any, *args: Any, **given: Any) -> None:
            for old in names.keys() & given.keys():
                warn(f"{kind.__name__}({old}=...)", names[old])
                given[names[old]] = given.pop(old)
            init(self, *args, **given)

        kind.__init__ = make  # pyright: ignore[reportAttributeAccessIssue]
        return kind

    return accept


def warn(old: str, new: str) -> None:
    """Says, at the user's own line, that a name is an old one."""
    message = f"{old} is called {new} now; the old name goes with the next release"
    warnings.warn(message, FutureWarning, _levels_within_the_package())


_warn = warn


def _levels_within_the_package() -> int:
    """The `stacklevel`, for the function that asks, of the first line that is not the package's."""
    package = os.path.dirname(__file__) + os.sep
    frame = inspect.currentframe()
    frame, level = frame and frame.f_back, 1
    while frame and frame.f_back and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    return level
