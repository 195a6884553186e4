"""Checks and conversions of arguments, for Python and the command line alike.

Every error names the field, its value and what would be right. Numbers of numpy become those of Python, so that they
can be recorded. Nothing here needs JAX.
"""

from __future__ import annotations

import collections.abc
import contextlib
import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

MOST_SAID = 200  # letters of the line that is quoted of another error
SEEDS = 2**32  # keys take 32 bits of a seed: any other would be the same run as one of these
MEMBERS = 100_000  # of a population: each has its own copy of all that is learned


class UsageError(ValueError):
    """An argument is wrong; the message names it, its value and what would be right."""


def first_line(error: BaseException) -> str:
    """The first line of what an error says, cut where it is long; its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:MOST_SAID]


def brief(error: BaseException) -> str:
    """An error's type, and the first line of what it says."""
    return f"{type(error).__name__}: {first_line(error) if str(error).strip() else 'no message'}"


def to_python(value: Any) -> Any:
    """The value with numbers of numpy as those of Python, and arrays as numbers or lists; also inside containers.

    What is neither stays as it is: objects, and arrays that are traced and so have no value yet.
    """
    if hasattr(value, "__array__") and not isinstance(value, type):
        import numpy as np

        try:
            array = np.asarray(value)
        except TypeError:  # traced
            return value
        return array.tolist() if array.dtype.kind in "biufUS" else value
    if type(value) is tuple:  # not one with names
        return tuple(map(to_python, value))
    if isinstance(value, list):
        return [to_python(each) for each in value]
    if isinstance(value, dict):
        return {to_python(key): to_python(each) for key, each in value.items()}
    return value


def check_count(name: str, value: Any, at_least: int | None = 1, at_most: int | None = None) -> int:
    """`value` as an int, if it is a whole number in the range, such as 3 or 1e6; else a UsageError."""
    number = to_python(value)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, Integral) or not _inside(number, at_least, at_most):
        raise UsageError(f"{name}={_short(value)} must be a whole number{_range(at_least, at_most)}.")
    return int(number)


def check_counts(name: str, values: Any, at_least: int = 1) -> tuple[int, ...]:
    """`values` as a tuple of ints, if it is a sequence of whole numbers of `at_least` or more; else a UsageError."""
    listed = to_python(values)
    if isinstance(listed, str) or not isinstance(listed, Sequence):
        example = f"({at_least}, {at_least})"
        raise UsageError(f"{name}={_short(values)} must be a sequence of whole numbers, such as {example}.")
    return tuple(check_count(f"{name}[{i}]", value, at_least) for i, value in enumerate(listed))


def check_number(
    name: str, value: Any, at_least: float = -math.inf, at_most: float = math.inf, *, finite: bool = True
) -> float:
    """`value` as a float, if it is a real number in the range, and finite where that is asked; else a UsageError."""
    number = to_python(value)
    number = _as_float(number) if isinstance(number, Real) and not isinstance(number, bool) else math.nan
    if math.isnan(number) or (finite and math.isinf(number)):
        raise UsageError(f"{name}={_short(value)} must be a {'finite ' if finite else ''}number.")
    if not at_least <= number <= at_most:
        limits = _range(at_least, at_most).removeprefix(", ")
        raise UsageError(f"{name}={_short(value)} must be {limits}.")
    return number


def check_above_zero(name: str, value: Any) -> float:
    """`value` as a float, if it is a finite real number above zero; else a UsageError."""
    number = check_number(name, value)
    if number <= 0:
        raise UsageError(f"{name}={_short(value)} must be above 0.")
    return number


def as_type(name: str, value: Any, kind: type) -> Any:
    """`value` as `kind`, one of bool, int, float and str: 3.0 passes as an int, whole numbers as floats.

    What is traced, and so has no value yet, passes as a number.

    Raises:
      UsageError: it is of another type, or no number.
    """
    given = to_python(value)
    if kind is int and isinstance(given, float) and given.is_integer():
        given = int(given)
    if not fits_type(given, kind):
        raise UsageError(f"{name}={_short(value)} is of type {type(value).__name__}; it must be {kind.__name__}.")
    if kind is float and isinstance(given, Real):
        return check_number(name, given, finite=False)
    return given


def check_flag(name: str, value: Any) -> bool:
    """`value` as a bool, if it is True or False; else a UsageError."""
    flag = to_python(value)
    if not isinstance(flag, bool):
        raise UsageError(f"{name}={_short(value)} must be True or False.")
    return flag


def check_choice(name: str, value: Any, choices: Sequence[str]) -> Any:
    """`value`, if it is one of `choices`; else a UsageError with the nearest."""
    if value not in choices:
        raise UsageError(f"{name}={_short(value)} is not known.{nearest(str(value), choices)}")
    return value


def check_seed(name: str, value: Any) -> int:
    """`value` as an int, if it is a whole number in 0 .. 2**32 - 1; else a UsageError.

    Beyond that, and below 0, seeds would count modulo 2**32: two of them would silently be the same run.
    """
    return check_count(name, value, 0, SEEDS - 1)


def check_seeds(seeds: Any, first: Any = 0) -> tuple[int, ...]:
    """The seeds of a population, as ints.

    Args:
      seeds: how many, counted from `first`, or the seeds themselves.
      first: the first seed where `seeds` is a number.

    Raises:
      UsageError: no seeds, more than a population can have members, the same one twice, or one that is not a whole
        number in 0 .. 2**32 - 1.
    """
    given = to_python(seeds)
    first = check_seed("seed", first)
    if isinstance(given, Sequence) and not isinstance(given, str):
        check_members(len(given))
        listed = tuple(check_seed("seeds", seed) for seed in given)
        check_different("seeds", listed)
    else:
        count = check_count("seeds", given, 0)
        check_members(count)
        check_seed("the last seed", first + max(count, 1) - 1)
        listed = tuple(range(first, first + count))
    if not listed:
        raise UsageError(f"seeds={_short(seeds)}: a run needs at least one seed.")
    return listed


def check_members(count: int) -> None:
    """Raises UsageError where a population cannot have as many members as this."""
    if count > MEMBERS:
        raise UsageError(f"seeds: {_short(count)} members are more than the {MEMBERS:,} that can be trained together.")


def check_different(name: str, values: Sequence[Any]) -> None:
    """Raises UsageError where a value is listed twice: what is trained for it would be the same run twice."""
    with contextlib.suppress(TypeError):  # lists among them
        if len(set(values)) == len(values):
            return
    for number, value in enumerate(values):
        if value in values[:number]:
            raise UsageError(f"{name}: {_short(value)} is listed twice.")


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """The middle of an error about an unknown name: the closest one that exists, or nothing."""
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def nearest(name: str, known: Sequence[str]) -> str:
    """The end of an error about an unknown name: the closest one that exists, and all of them."""
    return f"{did_you_mean(name, known)} There are: {', '.join(known) or 'none'}."


def check_field_types(name: str, thing: Any) -> None:
    """Raises UsageError for the first field of a dataclass whose type is not the annotated one, see `fits_type`."""
    hints = typing.get_type_hints(type(thing))
    for field in dataclasses.fields(thing):
        value = getattr(thing, field.name)
        if not fits_type(value, hints[field.name]):
            raise UsageError(
                f"{name}: {field.name}={_short(value)} is of type {type(value).__name__}; it must be {field.type}."
            )


def fits_type(value: Any, hint: Any) -> bool:
    """Whether `value` may pass as `hint`.

    Checked are plain types, dataclasses, unions, sequences, and that a mapping is one; all else passes.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits_type(value, argument) for argument in arguments)
    if origin in (tuple, list, collections.abc.Sequence):
        if isinstance(value, str) or not isinstance(value, tuple | list):
            return hasattr(value, "__array__")  # arrays are for the task itself to judge
        items = [argument for argument in arguments if argument is not Ellipsis]
        return len(items) != 1 or all(fits_type(item, items[0]) for item in value)
    if origin is collections.abc.Mapping:
        return isinstance(value, collections.abc.Mapping)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return isinstance(value, hint)
    if hint in (int, float) and isinstance(value, bool):
        return False
    if hint is float:
        return isinstance(value, int | float) or hasattr(value, "__float__")
    if hint is int:
        return hasattr(value, "__index__")
    if hint in (bool, str, type(None)):
        return isinstance(value, hint)
    return True


def _as_float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number beyond all floats
        return math.inf if number > 0 else -math.inf


def _inside(number: Any, low: float | None, high: float | None) -> bool:
    return (low is None or number >= low) and (high is None or number <= high)


def _range(low: float | None, high: float | None) -> str:
    """Such as ", at least 1" or ", 0 to 4294967295"; nothing where there are no limits."""
    if low is None or low == -math.inf:
        return "" if high is None or high == math.inf else f", at most {high:.10g}"
    return f", at least {low:.10g}" if high is None or high == math.inf else f", {low:.10g} to {high:.10g}"


def _short(value: Any) -> str:
    """How a value is written in an error: on one line, and not for pages."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}..."
