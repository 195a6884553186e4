"""Algorithms and learners by name, and the settings that each takes; the package's own stand in `marlcomm.names`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace as changed
from typing import Any

from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.arguments import checked, convert, plain_types
from marlcomm.algorithms.kinds import LearnerKind
from marlcomm.algorithms.known import OBJECTS, Known
from marlcomm.algorithms.parts import by_part, parts_of
from marlcomm.algorithms.recipe import Recipe, recipe_of
from marlcomm.envs.api import Environment
from marlcomm.names import ALGORITHMS, LEARNERS
from marlcomm.renamed import recorded_names, with_todays_names
from marlcomm.validation import UsageError, nearest

Factory = Callable[..., Algorithm]
_LEARNER_OF: dict[str, str] = {}  # of algorithms that users register


def make_algorithm(name: str, env: Environment, **settings: Any) -> Algorithm:
    """Makes the algorithm called `name` for a task.

    Args:
      name: one of `algorithm_names()`.
      env: the task.
      **settings: those of `algorithm_settings(name)`, and objects: `channel`, `mixer`, `agent`, `losses`, `optimizer`.
        Settings of a part have a dot, as in `**{"channel": "mean", "channel.rounds": 2}`.

    Raises:
      UsageError: no algorithm or setting has that name (the message lists those that exist and the nearest), or
        a value has the wrong type or lies out of its range.
    """
    factory = factory_of(name)
    if recipe_of(factory):
        return changed(factory(env, **settings), name=name)
    objects = {*OBJECTS, *inspect.signature(factory).parameters}
    settings = with_todays_names(settings, lambda chosen: setting_names(name, chosen))
    known = algorithm_settings(name, **parts_of(settings))
    for setting in settings.keys() - known.keys() - objects:
        if setting.partition(".")[0] not in ("weights", "losses", "channel", "mixer", "critic"):
            raise UsageError(f"Algorithm {name!r} has no setting {setting!r}.{nearest(setting, list(known))}")
    types = {setting: kind for setting, (kind, _) in known.items() if setting not in objects}
    settings = convert(types, settings)
    return changed(checked(factory)(env, **settings), name=name, settings=settings)


def make_recorded(name: str, env: Environment, settings: Mapping[str, Any]) -> Algorithm:
    """The algorithm of a record, which may be older than names of today and than what the task chooses today."""
    settings = recorded_names(settings, lambda chosen: setting_names(name, chosen))
    if follows := recipe_of(factory_of(name)):
        known = follows.known(settings)
        settings |= {key: known[key][1] for key in follows.chosen_by_task(env, settings)}
    return make_algorithm(name, env, **settings)


def register_algorithm(
    name: str, factory: Factory | None = None, *, learner: str = "value", replace: bool = False
) -> Any:
    """Lets `make_algorithm(name, env, ...)`, and so the command line, call `factory(env, **settings)`.

    Without a factory it is a decorator, `@register_algorithm("mine")`.

    Args:
      name: a new name.
      factory: `(env, **settings) -> Algorithm`.
      learner: whose settings it takes beside its own, where its signature ends with `**settings`.
      replace: whether the name may be taken.

    Raises:
      UsageError: the name is taken and `replace` is False, or there is no such learner.
    """
    follows = recipe_of(factory) if factory else None
    learner = follows.learner if follows else learner

    def register(factory: Factory) -> Factory:
        ALGORITHMS.add(name, factory, LEARNERS.get(learner).title, replace=replace)
        _LEARNER_OF[name] = learner
        return factory

    return register if factory is None else register(factory)


def register_learner(name: str, kind: LearnerKind, *, replace: bool = False) -> None:
    """Lets `build(name, env, ...)` and `register_algorithm(..., learner=name)` use a learner.

    Raises:
      UsageError: the name is taken and `replace` is False.
    """
    LEARNERS.add(name, kind, replace=replace)


def algorithm_names() -> tuple[str, ...]:
    """The names that `make_algorithm` knows, sorted."""
    return tuple(ALGORITHMS)


def algorithm_settings(name: str, **given: Any) -> Known:
    """Setting -> (type, default) for every setting of the algorithm that is a number, a flag or a word.

    The algorithm's own settings come first, then those of its parts and its learner.

    Args:
      name: the algorithm.
      **given: what is chosen already, such as `channel="mean"`: it decides which settings with a dot there are.
    """
    factory = factory_of(name)
    if follows := recipe_of(factory):
        return follows.known(given)
    own = own_settings(name)
    parameters = inspect.signature(factory).parameters.values()
    hands_on = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    shared = Recipe(learner_of(name)).known(given) if hands_on else {}
    return own | {key: it for key, it in shared.items() if key not in own}


def setting_names(name: str, chosen: Mapping[str, Any]) -> set[str]:
    """All that the algorithm takes, objects too, where so much is chosen."""
    parameters = inspect.signature(factory_of(name)).parameters
    return {*algorithm_settings(name, **parts_of(chosen)), *OBJECTS, *parameters}


def own_settings(name: str) -> Known:
    """The part of `algorithm_settings` that only this algorithm has, or has with other defaults."""
    factory = factory_of(name)
    follows = recipe_of(factory)
    if follows is None:
        return _plain_parameters(factory)
    shared, known = shared_settings(follows.learner), follows.known({})
    flags = {flag: known[flag] for flag in follows.variants}
    own = {key: it for key, it in known.items() if "." not in key and shared.get(key) != it}
    return own | flags


def shared_settings(learner: str) -> Known:
    """Setting -> (type, default) for those that every algorithm of a learner takes."""
    plain, _ = by_part(Recipe(learner).known({}))
    return plain


def factory_of(name: str) -> Factory:
    """What makes the algorithm called `name`. Raises UsageError with the nearest name where there is none."""
    return ALGORITHMS.get(name)


def learner_of(name: str) -> str:
    """The learner of the algorithm called `name`. Raises UsageError with the nearest name where there is none."""
    follows = recipe_of(factory_of(name))
    return follows.learner if follows else _LEARNER_OF[name]


def _plain_parameters(factory: Factory) -> Known:
    """Keyword -> (type, default) of those that are a number, a flag or a word."""
    parameters = inspect.signature(factory).parameters
    return {
        key: (kind, parameters[key].default)
        for key, kind in plain_types(factory).items()
        if parameters[key].default is not inspect.Parameter.empty
    }
