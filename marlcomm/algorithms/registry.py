"""Algorithms by name, and the settings that each of them takes."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.iql import iql
from marlcomm.algorithms.ndq import ndq
from marlcomm.algorithms.qmix import qmix
from marlcomm.algorithms.value_based import IMPROVED, value_based
from marlcomm.algorithms.vdn import vdn
from marlcomm.envs.api import Environment
from marlcomm.envs.options import fits_type, nearest
from marlcomm.learners.value import ValueHParams, ValueSettings

Factory = Callable[..., Algorithm]

_FACTORIES: dict[str, Factory] = {"iql": iql, "ndq": ndq, "qmix": qmix, "vdn": vdn}


def make_algorithm(name: str, env: Environment, **settings: Any) -> Algorithm:
    """Makes the algorithm called `name` for a task.

    Args:
      name: one of `algorithm_names()`.
      env: the task.
      **settings: those of `algorithm_settings(name)`, and objects: `channel`, `mixer`, `agent`, `optimiser`.

    Raises:
      ValueError: no algorithm or setting has that name (the message lists those that exist and the nearest), or
        a value has the wrong type or lies out of its range.
    """
    factory = factory_of(name)
    known = {setting: kind for setting, (kind, _) in algorithm_settings(name).items()}
    objects = _objects(factory)
    for setting in settings.keys() - known.keys() - objects:
        raise ValueError(f"Algorithm {name!r} has no setting {setting!r}.{nearest(setting, list(known))}")
    for setting, value in settings.items():
        if setting in known and not fits_type(value, known[setting]):
            raise ValueError(
                f"Algorithm {name!r}: {setting}={value!r} is of type {type(value).__name__}; "
                f"it must be {known[setting].__name__}."
            )
    return replace(factory(env, **settings), name=name, settings=settings)


def register_algorithm(name: str, factory: Factory, *, replace: bool = False) -> None:
    """Lets `make_algorithm(name, env, ...)`, and so the command line, call `factory(env, **settings)`.

    Raises:
      ValueError: the name is taken and `replace` is False.
    """
    if name in _FACTORIES and not replace:
        raise ValueError(f"An algorithm called {name!r} exists already; choose another name or pass replace=True.")
    _FACTORIES[name] = factory


def algorithm_names() -> tuple[str, ...]:
    """The names that `make_algorithm` knows, sorted."""
    return tuple(sorted(_FACTORIES))


def algorithm_settings(name: str) -> dict[str, tuple[Any, Any]]:
    """Setting -> (type, default) for every setting of the algorithm that is a number, a flag or a word.

    The factory's own settings come first, then those that it hands on to the value learner.
    """
    own = own_settings(name)
    parameters = inspect.signature(factory_of(name)).parameters.values()
    hands_on = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    return own | ({k: v for k, v in shared_settings().items() if k not in own} if hands_on else {})


def own_settings(name: str) -> dict[str, tuple[Any, Any]]:
    """The part of `algorithm_settings` that only this algorithm has."""
    factory = factory_of(name)
    hints = typing.get_type_hints(factory)
    return {
        key: (hints[key], parameter.default)
        for key, parameter in inspect.signature(factory).parameters.items()
        if hints.get(key) in (bool, int, float, str)
    }


def shared_settings() -> dict[str, tuple[Any, Any]]:
    """Setting -> (type, default) for those that every algorithm of the value learner takes."""
    kinds = typing.get_type_hints(ValueSettings)
    static = {field.name: (kinds[field.name], field.default) for field in fields(ValueSettings)}
    traced = {field.name: (float, field.default) for field in fields(ValueHParams) if field.name != "weights"}
    improved = {key: ((static | traced)[key][0], value) for key, value in IMPROVED.items()}
    return {"hidden": (int, 64), "paper": (bool, False)} | static | traced | improved


def factory_of(name: str) -> Factory:
    """What makes the algorithm called `name`. Raises ValueError with the nearest name where there is none."""
    if name not in _FACTORIES:
        raise ValueError(f"No algorithm is called {name!r}.{nearest(name, algorithm_names())}")
    return _FACTORIES[name]


def _objects(factory: Factory) -> set[str]:
    return set(inspect.signature(factory).parameters) | set(inspect.signature(value_based).parameters)
