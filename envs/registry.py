"""Tasks by name. `register_env` adds one; those that come with the package stand in `marlcomm.names`."""

from __future__ import annotations

import functools
import inspect
import json
import reprlib
import typing
from collections.abc import Callable
from typing import Any

from marlcomm.envs.api import Environment
from marlcomm.names import SIMULATORS, TASKS
from marlcomm.validation import UsageError, first_line, fits_type, nearest, to_python

Factory = Callable[..., Environment[Any]]


def make_env(name: str, **options: Any) -> Environment[Any]:
    """Makes the task called `name`.

    Args:
      name: one of `env_names()`.
      **options: the factory's own keyword arguments; see its docstring.

    Raises:
      ValueError: no task or option has that name (the message lists those that exist and the nearest), an
        option lacks or has the wrong type, or the task itself refuses its value.
    """
    factory = env_factory(name)
    options = to_python(options)
    _check_options(name, factory, options)
    env = _made(name, factory, options)
    env.made_by = (name, options) if _can_be_recorded(options) else None
    return env


def register_env(name: str, factory: Factory | None = None, *, replace: bool = False) -> Any:
    """Lets `make_env(name, ...)` call `factory`; without one, the class or function that this stands above.

    Args:
      name: not empty, and not taken yet.
      factory: a class or function that returns an `Environment`; its keyword arguments become the options.
      replace: allows a name that is taken.

    Raises:
      ValueError: the name is empty, or taken and `replace` is False.
      TypeError: the factory cannot be called.
    """

    def register(factory: Factory) -> Factory:
        if not callable(factory):
            raise TypeError(f"register_env: factory={factory!r} must be callable, such as a class of tasks.")
        TASKS.add(name, factory, replace=replace)
        return factory

    return register if factory is None else register(factory)


def env_names() -> tuple[str, ...]:
    """The names that `make_env` knows, sorted."""
    return tuple(TASKS)


def env_options(name: str) -> dict[str, Any]:
    """The options of the task called `name`, with their defaults (`inspect.Parameter.empty` if required)."""
    return {key: parameter.default for key, parameter in _parameters(env_factory(name)).items()}


def env_factory(name: str) -> Factory:
    """What makes the task called `name`. Raises ValueError with the nearest name where there is none."""
    return TASKS.get(name)


def _made(name: str, factory: Factory, options: dict[str, Any]) -> Environment[Any]:
    """The task; whatever its maker raises about the options becomes one sentence."""
    try:
        return factory(**options)
    except (ValueError, ImportError):
        raise
    except (ArithmeticError, AssertionError, LookupError, MemoryError, RuntimeError, TypeError) as error:
        if not options:
            raise
        given = ", ".join(f"{option}={reprlib.repr(value)}" for option, value in options.items())
        why = first_line(error)
        raise UsageError(f"Task {name!r} cannot be made with {given}: {why}") from error


def _can_be_recorded(options: dict[str, Any]) -> bool:
    """Whether a run folder can hold the options, and make the task of them again."""
    try:
        json.dumps(options)
    except TypeError:
        return False
    return True


def option_types(name: str) -> dict[str, Any]:
    """The annotations of the options of the task called `name`, and of its simulator, as far as they are known."""
    of_task, makes = _type_hints(env_factory(name)), SIMULATORS.maker(name)
    return of_task if makes is None else {**_type_hints(makes), **of_task}


def _parameters(factory: Factory) -> dict[str, inspect.Parameter]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {k: p for k, p in inspect.signature(factory).parameters.items() if p.kind in named}


def _check_options(name: str, factory: Factory, options: dict[str, Any]) -> None:
    parameters = _parameters(factory)
    kinds = {p.kind for p in inspect.signature(factory).parameters.values()}
    hints = _type_hints(factory)
    for option, value in options.items():
        if option not in parameters:
            if inspect.Parameter.VAR_KEYWORD in kinds:
                continue
            raise ValueError(f"Task {name!r} has no option {option!r}.{nearest(option, tuple(parameters))}")
        if option in hints and not fits_type(value, hints[option]):
            wanted = getattr(parameters[option], "annotation", hints[option])
            raise ValueError(
                f"Task {name!r}: {option}={value!r} is of type {type(value).__name__}; it must be {wanted}."
            )
    missing = [k for k, p in parameters.items() if p.default is inspect.Parameter.empty and k not in options]
    if missing:
        raise ValueError(f"Task {name!r} needs the option {missing[0]!r}; its options: {', '.join(parameters)}.")


def _type_hints(factory: Factory) -> dict[str, Any]:
    """The annotations of the factory's arguments; none for those of a user that cannot be resolved."""
    factory = factory.func if isinstance(factory, functools.partial) else factory
    function = factory.__init__ if inspect.isclass(factory) else factory
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        return {}
