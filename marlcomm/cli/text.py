"""Reads what stands on the command line: numbers as people write them, yes and no, and values of settings."""

from __future__ import annotations

import ast
import re
import types
import typing
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg
from tyro.constructors import PrimitiveConstructorSpec

from marlcomm.validation import UsageError

YES, NO, NONE = ("true", "yes", "on"), ("false", "no", "off"), ("none",)
_UNITS = {"k": 3, "K": 3, "M": 6, "G": 9}
_MOST_DIGITS = 30  # more is no count of anything


def read_count(name: str, text: str) -> int:
    """A whole number, such as 100000, 100_000, 1e5 or 2M. Raises UsageError where it is none."""
    number = _decimal(text)
    if number is None or number.adjusted() > _MOST_DIGITS or number != number.to_integral_value():
        raise UsageError(f"{_given(name, text)} must be a whole number, such as 100000, 100_000, 1e5 or 2M.")
    return int(number)


def read_number(name: str, text: str) -> float:
    """A number, such as 0.001, 1e-3 or 150k. Raises UsageError where it is none."""
    try:
        return float(text)
    except ValueError:
        number = _decimal(text)
    if number is None:
        raise UsageError(f"{_given(name, text)} must be a number, such as 0.001, 1e-3 or 150k.")
    return float(number)


def read_seeds(text: str) -> int | tuple[int, ...]:
    """How many seeds, such as 3, or which, such as 0,1,5 (or 5, with the comma, for one). Raises UsageError."""
    if "," not in text:
        return read_count("seeds", text)
    return tuple(read_count("seeds", part) for part in text.split(",") if part.strip())


def read_flag(name: str, text: str) -> bool:
    """Yes or no. Raises UsageError where it is neither."""
    if text.lower() not in (*YES, *NO):
        raise UsageError(f"{name}={text!r} must be yes or no, or true or false.")
    return text.lower() in YES


def read_as(name: str, text: str, kind: Any) -> Any:
    """The value that is meant where `kind`, a type or a hint, is wanted. Raises UsageError where there is none."""
    readers: dict[Any, Callable[[str, str], Any]] = {bool: read_flag, int: read_count, float: read_number}
    if kind is str:
        return text
    if kind in readers:
        return readers[kind](name, text)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        kinds = typing.get_args(kind)
        if text.lower() in NONE and type(None) in kinds:
            return None
        if kinds[0] in (bool, int, float, str) and set(kinds[1:]) <= {type(None)}:
            return read_as(name, text, kinds[0])
    return read_literal(text)


def read_literal(text: str) -> Any:
    """Numbers, words, and lists of them, as Python reads them; what it cannot read is a word."""
    for words, value in ((YES[:1], True), (NO[:1], False), (NONE, None)):
        if text.lower() in words:
            return value
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _given(name: str, text: str) -> str:
    """What was written for what; the parser of flags says itself which it is, and so gives no name."""
    return f"{name}={text!r}" if name else repr(text)


def _decimal(text: str) -> Decimal | None:
    body, unit = re.fullmatch(r"(.*?)([kKMG]?)", text.strip(), re.DOTALL).groups()  # pyright: ignore
    try:
        number = Decimal(body)
        return number.scaleb(_UNITS.get(unit, 0)) if number.is_finite() else None
    except ArithmeticError:  # no number, or none that Decimal holds
        return None


def _argument(metavar: str, read: Callable[[str], Any]) -> PrimitiveConstructorSpec:
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda words: read(words[0]),
        is_instance=lambda value: value is None or isinstance(value, int | float | tuple),
        str_from_instance=lambda value: [str(value)],
    )


_COUNT = _argument("N", lambda text: read_count("", text))
Count = Annotated[int, _COUNT]
# of which the help says what None stands for
OptionalCount = Annotated[int | None, _COUNT, arg(help_behavior_hint="")]
_NUMBER = _argument("X", lambda text: read_number("", text))
OptionalNumber = Annotated[float | None, _NUMBER, arg(help_behavior_hint="")]
OptionalName = Annotated[str | None, arg(help_behavior_hint="")]
OptionalPath = Annotated[Path | None, arg(help_behavior_hint="")]
Seeds = Annotated[int | tuple[int, ...], _argument("N | A,B,...", read_seeds)]
