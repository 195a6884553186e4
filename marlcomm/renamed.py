"""Old names of settings: they work for one release, with a warning, and in the records of old runs without one."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

Value = TypeVar("Value")
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
# what a setting of two values is called now: old name -> setting, and its value for True and for False
RESTATED: Mapping[str, tuple[str, Any, Any]] = {"cut_in_training": ("training_edit", "random_cut", None)}
EDITS: Mapping[str, str] = {"quantise": "quantize"}


def today(name: str, known: Collection[str], names: Mapping[str, str] = SETTINGS) -> str:
    """Today's name of what was called `name`, where only that is known; otherwise `name` itself."""
    part, dot, field = name.rpartition(".")
    new = names.get(name) or f"{part}{dot}{names.get(field, field)}"
    return new if name not in known and new in known else name


def with_todays_names(given: Mapping[str, Value], known: Collection[str]) -> dict[str, Value]:
    """What was given, by today's names; warns of each old one.

    Args:
      given: name -> value.
      known: the names that there are.
    """
    for name, value in given.items():
        if is_restated(name, known):
            setting, *values = RESTATED[name]
            warn(f"{name}={value}", f"{setting}={values[not value]}")
        elif (new := today(name, known)) != name:
            warn(name, new)
    return recorded_names(given, known)


def is_restated(name: str, known: Collection[str]) -> bool:
    """Whether it is an old flag that is another setting now."""
    return name in RESTATED and name not in known


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


def warn(old: str, new: str, stacklevel: int = 3) -> None:
    """Says once a place that a name is an old one."""
    warnings.warn(f"{old} is called {new} now; the old name goes with the next release", FutureWarning, stacklevel)


def recorded_names(settings: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """The settings of an old record, by today's names, without a warning: nobody can change what is on record."""
    found = {}
    for name, value in settings.items():
        if is_restated(name, known):
            setting, *values = RESTATED[name]
            found.setdefault(setting, values[not value])
        else:
            found[today(name, known)] = value
    return found
