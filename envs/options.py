"""Checks of options. Each error names the task, the field, the value and what would be right."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from marlcomm import validation

P = ParamSpec("P")
R = TypeVar("R")


def _of_a_task(check: Callable[Concatenate[str, Any, P], R]) -> Callable[Concatenate[str, str, Any, P], R]:
    """The same check of the option `field` of `task`."""

    @functools.wraps(check)
    def checked(task: str, field: str, value: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        return check(f"{task}: {field}", value, *args, **kwargs)

    return checked


MOST = 100_000  # of anything that a task counts: nothing larger would fit into memory, or end


def check_count(task: str, field: str, value: Any, at_least: int = 1, at_most: int = MOST) -> int:
    """`value` as an int, if it is a whole number in the range; else a UsageError."""
    return validation.check_count(f"{task}: {field}", value, at_least, at_most)


def check_counts(task: str, field: str, values: Any, at_least: int = 1) -> tuple[int, ...]:
    """`values` as a tuple of ints, if it is a sequence of whole numbers in `at_least` .. `MOST`; else a UsageError."""
    counts = validation.check_counts(f"{task}: {field}", values, at_least)
    return tuple(check_count(task, f"{field}[{i}]", count, at_least) for i, count in enumerate(counts))


def check_odd(task: str, field: str, value: Any, at_most: int = MOST) -> int:
    """`value` as an int, if it is an odd number, 1 to `at_most`; else a UsageError."""
    number = check_count(task, field, value, at_most=at_most)
    if number % 2 == 0:
        raise validation.UsageError(f"{task}: {field}={number} must be odd, such as {number - 1}.")
    return number


check_above_zero = _of_a_task(validation.check_above_zero)
check_choice = _of_a_task(validation.check_choice)
check_flag = _of_a_task(validation.check_flag)
check_number = _of_a_task(validation.check_number)
