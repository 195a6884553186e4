"""Checks of options. Each error names the task, the field, the value and what would be right."""

from __future__ import annotations

import collections.abc
import difflib
import math
import types
import typing
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any


def check_count(task: str, field: str, value: Any, at_least: int = 1) -> int:
    """`value` as an int, if it is a whole number of `at_least` or more; else a ValueError."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < at_least:
        raise ValueError(f"{task}: {field}={value!r} must be a whole number, at least {at_least}.")
    return int(value)


def check_number(task: str, field: str, value: Any, at_least: float = -math.inf) -> float:
    """`value` as a float, if it is a finite real number of `at_least` or more; else a ValueError."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else float("nan")
    if not abs(number) < float("inf"):
        raise ValueError(f"{task}: {field}={value!r} must be a finite number.")
    if number < at_least:
        raise ValueError(f"{task}: {field}={value!r} must be at least {at_least:g}.")
    return number


def check_above_zero(task: str, field: str, value: Any) -> float:
    """`value` as a float, if it is a finite real number above zero; else a ValueError."""
    if check_number(task, field, value) <= 0:
        raise ValueError(f"{task}: {field}={value!r} must be above 0.")
    return float(value)


def check_flag(task: str, field: str, value: Any) -> bool:
    """`value`, if it is True or False; else a ValueError."""
    if not isinstance(value, bool):
        raise ValueError(f"{task}: {field}={value!r} must be True or False.")
    return value


def check_choice(task: str, field: str, value: Any, choices: Sequence[str]) -> Any:
    """`value`, if it is one of `choices`; else a ValueError with the nearest."""
    if value not in choices:
        raise ValueError(f"{task}: {field}={value!r} is not known.{nearest(str(value), choices)}")
    return value


def check_counts(task: str, field: str, values: Any, at_least: int = 1) -> tuple[int, ...]:
    """`values` as a tuple of ints, if it is a sequence of whole numbers of `at_least` or more."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ValueError(
            f"{task}: {field}={values!r} must be a sequence of whole numbers, such as ({at_least}, {at_least})."
        )
    return tuple(check_count(task, f"{field}[{i}]", value, at_least) for i, value in enumerate(values))


def nearest(name: str, known: Sequence[str]) -> str:
    """The end of an error about an unknown name: the closest one that exists, and all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{hint} There are: {', '.join(known) or 'none'}."


def fits_type(value: Any, hint: Any) -> bool:
    """Whether `value` may pass as `hint`: plain types, unions and sequences are checked, all else passes."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(fits_type(value, argument) for argument in arguments)
    if origin in (tuple, list, collections.abc.Sequence):
        if isinstance(value, str) or not isinstance(value, tuple | list):
            return hasattr(value, "__array__")  # arrays are for the task itself to judge
        items = [argument for argument in arguments if argument is not Ellipsis]
        return len(items) != 1 or all(fits_type(item, items[0]) for item in value)
    if hint in (int, float) and isinstance(value, bool):
        return False
    if hint is float:
        return isinstance(value, int | float) or hasattr(value, "__float__")
    if hint is int:
        return hasattr(value, "__index__")
    if hint in (bool, str, type(None)):
        return isinstance(value, hint)
    return True
