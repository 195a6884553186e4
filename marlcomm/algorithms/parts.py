"""Parts of an algorithm by word, as `channel="mean"`, and their settings with a dot, as `channel.rounds=2`."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from flax import linen as nn

from marlcomm import renamed
from marlcomm.messages import Channel, QuantizedChannel, parse_edit
from marlcomm.named import Names
from marlcomm.names import CHANNELS, CRITICS, EDIT_SCHEDULES, EDITS, MIXERS, edit_names
from marlcomm.renamed import today, with_todays_names
from marlcomm.validation import UsageError, as_type, did_you_mean, nearest, to_python

PLAIN = (bool, int, float, str)
PARTS: Mapping[str, Names] = {
    "channel": CHANNELS,
    "mixer": MIXERS,
    "critic": CRITICS,
    "training_edit": EDIT_SCHEDULES,
}
# fields of modules that nobody sets: sizes are the task's, and the rest is what a module is
_NOT_SET = {"num_agents", "num_actions", "input_size", "state_size", "parent", "name", "team"}

Known = dict[str, tuple[Any, Any]]  # setting -> type, default


def make_part(slot: str, given: Any, settings: Mapping[str, Any]) -> Any:
    """The module that a word stands for; or the one that is given, with other settings.

    Args:
      slot: what part of an algorithm it is, such as "channel".
      given: a word, a module or None.
      settings: of the part, by their names without the dot.

    Raises:
      UsageError: an unknown word or setting (with the nearest), a value of the wrong type, or what is no module.
    """
    if isinstance(given, str):
        if slot not in PARTS:
            raise UsageError(f"{slot}={given!r} must be a flax module.")
        return PARTS[slot].get(given)(**check_part_settings(slot, given, PARTS[slot].get(given), settings))
    if given is not None and not isinstance(given, nn.Module):
        example = sorted(PARTS.get(slot, ()))[:1]
        word = f", or a word such as {example[0]!r}" if example else ""
        raise UsageError(f"{slot}={given!r} must be a flax module{word}.")
    if not settings:
        return given
    if given is None:
        raise UsageError(f"{slot}.{next(iter(settings))}: there is no {slot} to set it of.")
    return given.clone(**check_part_settings(slot, type(given).__name__, type(given), settings))


def quantized(channel: Any, step: float) -> Any:
    """The channel with its real numbers quantized by `step`; the same where that is 0, or what is given is none.

    Raises:
      UsageError: the step is no number, below 0, or not finite.
    """
    step = as_type("quantization_step", step, float)
    if not (math.isfinite(step) and step >= 0):
        raise UsageError(f"quantization_step is {step}: must be above 0, or 0 for messages as they are.")
    if not step or not isinstance(channel, Channel):
        return channel
    return QuantizedChannel(channel=channel, step=step)


def make_training_edit(given: Any, settings: Mapping[str, Any]) -> Any:
    """The edit, or edit schedule, that a word stands for, such as "drop:0.5" or "random_cut"; or what is given.

    Raises:
      UsageError: an unknown word or setting (with the nearest), a value of the wrong type, or a class.
    """
    if isinstance(given, type):
        raise UsageError(f"training_edit={given.__name__} is a class: give what it makes, {given.__name__}(...).")
    if isinstance(given, str) and given in EDIT_SCHEDULES:
        make = EDIT_SCHEDULES.get(given)
        return make(**check_part_settings("training_edit", given, make, settings))
    if settings and not isinstance(given, str) and is_dataclass_instance(given):
        return dataclasses.replace(
            given, **check_part_settings("training_edit", type(given).__name__, type(given), settings)
        )
    if settings:
        raise UsageError(f"training_edit.{next(iter(settings))}: there is no edit schedule to set it of.")
    if not isinstance(given, str):
        return given
    name = given.partition(":")[0]
    if today(name, EDITS, renamed.EDITS) not in EDITS:
        usages = ", ".join([*EDIT_SCHEDULES, *(usage for usage, _ in edit_names())])
        near = did_you_mean(name, [*EDIT_SCHEDULES, *EDITS])
        raise UsageError(f"training_edit={given!r} is not known.{near} There are: {usages}.")
    return parse_edit(given)


def is_dataclass_instance(thing: Any) -> bool:
    """Whether it is made by a dataclass, and is not the class."""
    return dataclasses.is_dataclass(thing) and not isinstance(thing, type)


def check_part_settings(slot: str, word: str, make: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of one part, each as its type. Raises UsageError where one does not exist or fit."""
    known = settings_of_part(make)
    given = with_todays_names(given, known)
    for name in given:
        if name not in known:
            raise UsageError(f"{slot} {word!r} has no setting {name!r}.{nearest(name, list(known))}")
    return {name: as_kind(f"{slot}.{name}", value, known[name][0]) for name, value in given.items()}


@functools.cache
def settings_of_part(make: Callable[..., Any]) -> Known:
    """Setting -> (type, default) of those fields of a module that take a number, a flag or a word."""
    hints = typing.get_type_hints(make)
    if dataclasses.is_dataclass(make):
        defaults = {field.name: field.default for field in dataclasses.fields(make) if field.init}
    else:
        defaults = {name: p.default for name, p in inspect.signature(make).parameters.items()}
    found = {}
    for name, default in defaults.items():
        if name in _NOT_SET or default in (dataclasses.MISSING, inspect.Parameter.empty):
            continue
        if is_plain(hints.get(name)):
            found[name] = hints[name], default
        elif name == "graph":
            found[name] = Any, default
    return found


def is_plain(hint: Any) -> bool:
    """Whether a hint takes a number, a flag or a word, or one of these or None."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        return len(kinds) == 1 and kinds[0] in PLAIN
    return hint in PLAIN


def as_kind(name: str, value: Any, kind: Any) -> Any:
    """`value` as `kind`, a plain type, such a type or None, or anything. Raises UsageError where it does not fit."""
    if kind in PLAIN:
        return as_type(name, value, kind)
    if is_plain(kind) and value is not None:
        return as_type(name, value, next(k for k in typing.get_args(kind) if k is not type(None)))
    return to_python(value)


def by_part(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Settings without a dot, and those with one: part -> setting -> value. `losses.labels.interval` is of `losses`."""
    plain: dict[str, Any] = {}
    dotted: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        part, dot, setting = name.partition(".")
        if dot:
            dotted.setdefault(part, {})[setting] = value
        else:
            plain[name] = value
    return plain, dotted


def parts_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The parts that are chosen."""
    return {slot: settings[slot] for slot in settings.keys() & PARTS.keys()}


def on_top(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others on top. Where another part is chosen, settings of the one before go with it."""
    replaced = {slot for slot in PARTS if slot in above and slot in below and not _same(above[slot], below[slot])}
    kept = {name: value for name, value in below.items() if name.partition(".")[0] not in replaced}
    merged = {**kept, **above}
    for name in ("losses", "weights"):
        if below.get(name) and above.get(name):
            merged[name] = {**below[name], **above[name]}
    return merged


def _same(one: Any, other: Any) -> bool:
    return one is other or (isinstance(one, str) and one == other)
