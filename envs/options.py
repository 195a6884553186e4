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


check_above_zero = _of_a_task(validation.check_above_zero)
check_choice = _of_a_task(validation.check_choice)
check_count = _of_a_task(validation.check_count)
check_counts = _of_a_task(validation.check_counts)
check_flag = _of_a_task(validation.check_flag)
check_number = _of_a_task(validation.check_number)
