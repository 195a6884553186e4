"""Algorithms by name, and the settings that each takes; those that come with the package stand in `marlcomm.names`."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from marlcomm import names
from marlcomm.algorithms.algorithm import Algorithm
from marlcomm.algorithms.arguments import convert, plain_types
from marlcomm.algorithms.ddpg_based import ddpg_based
from marlcomm.algorithms.policy_based import policy_based
from marlcomm.algorithms.value_based import IMPROVED, value_based
from marlcomm.envs.api import Environment
from marlcomm.learners.actor_critic_config import ActorCriticConfig, ActorCriticHParams
from marlcomm.learners.config import GROUPS
from marlcomm.learners.on_policy import OnPolicyConfig, OnPolicyHParams
from marlcomm.learners.value import ValueConfig, ValueHParams
from marlcomm.names import ALGORITHMS
from marlcomm.renamed import with_todays_names
from marlcomm.validation import UsageError, nearest

Factory = Callable[..., Algorithm]


@dataclass(frozen=True)
class Family:
    """The algorithms of one learner: their factories hand all settings that are not their own on to `build`.

    Attributes:
      title: what to call it.
      build: such as `value_based`.
      settings: the learner's dataclass of static settings; hparams: that of its hyper-parameters.
      improved: defaults that are not those of the two dataclasses.
    """

    title: str
    build: Factory
    settings: type
    hparams: type
    improved: Mapping[str, Any]


VALUE = Family(names.VALUE, value_based, ValueConfig, ValueHParams, IMPROVED)
ON_POLICY = Family(names.ON_POLICY, policy_based, OnPolicyConfig, OnPolicyHParams, {})
OFF_POLICY = Family(names.OFF_POLICY, ddpg_based, ActorCriticConfig, ActorCriticHParams, {})
FAMILIES = (VALUE, ON_POLICY, OFF_POLICY)
_OF_TITLE = {family.title: family for family in FAMILIES}
_OF_NAME: dict[str, Family] = {}  # of what users register: another family may have the same title


def make_algorithm(name: str, env: Environment, **settings: Any) -> Algorithm:
    """Makes the algorithm called `name` for a task.

    Args:
      name: one of `algorithm_names()`.
      env: the task.
      **settings: those of `algorithm_settings(name)`, and objects: `channel`, `mixer`, `agent`, `optimizer`.

    Raises:
      ValueError: no algorithm or setting has that name (the message lists those that exist and the nearest), or
        a value has the wrong type or lies out of its range.
    """
    factory = factory_of(name)
    known = {setting: kind for setting, (kind, _) in algorithm_settings(name).items()}
    objects = set(inspect.signature(factory).parameters) | set(inspect.signature(family_of(name).build).parameters)
    settings = with_todays_names(settings, {*known, *objects})
    for setting in settings.keys() - known.keys() - objects:
        if setting.startswith("weights."):
            continue
        raise UsageError(f"Algorithm {name!r} has no setting {setting!r}.{nearest(setting, list(known))}")
    return replace(factory(env, **settings), name=name, settings=convert(known, settings))


def register_algorithm(name: str, factory: Factory, *, family: Family = VALUE, replace: bool = False) -> None:
    """Lets `make_algorithm(name, env, ...)`, and so the command line, call `factory(env, **settings)`.

    Args:
      name: a new name.
      factory: `(env, **settings) -> Algorithm`.
      family: whose settings it takes beside its own, where its signature ends with `**settings`.
      replace: whether the name may be taken.

    Raises:
      ValueError: the name is taken and `replace` is False.
    """
    ALGORITHMS.add(name, factory, family.title, replace=replace)
    _OF_NAME[name] = family


def algorithm_names() -> tuple[str, ...]:
    """The names that `make_algorithm` knows, sorted."""
    return tuple(ALGORITHMS)


def algorithm_settings(name: str) -> dict[str, tuple[Any, Any]]:
    """Setting -> (type, default) for every setting of the algorithm that is a number, a flag or a word.

    The factory's own settings come first, then those that it hands on to its family.
    """
    own = own_settings(name)
    parameters = inspect.signature(factory_of(name)).parameters.values()
    hands_on = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    shared = shared_settings(family_of(name)) if hands_on else {}
    return own | {k: v for k, v in shared.items() if k not in own}


def own_settings(name: str) -> dict[str, tuple[Any, Any]]:
    """The part of `algorithm_settings` that only this algorithm has."""
    return _plain_parameters(factory_of(name))


def shared_settings(family: Family) -> dict[str, tuple[Any, Any]]:
    """Setting -> (type, default) for those that every algorithm of a family takes."""
    kinds = typing.get_type_hints(family.settings)
    static = {field.name: (kinds[field.name], field.default) for field in fields(family.settings)}
    traced = {field.name: (float, field.default) for field in fields(family.hparams) if field.name not in GROUPS}
    improved = {key: ((static | traced)[key][0], value) for key, value in family.improved.items()}
    return _plain_parameters(family.build) | static | traced | improved


def factory_of(name: str) -> Factory:
    """What makes the algorithm called `name`. Raises ValueError with the nearest name where there is none."""
    return ALGORITHMS.get(name)


def family_of(name: str) -> Family:
    """The family of the algorithm called `name`. Raises ValueError with the nearest name where there is none."""
    title = ALGORITHMS.group(name)
    return _OF_NAME.get(name) or _OF_TITLE[title]


def families() -> list[Family]:
    """Those of all algorithms, this package's first."""
    found = [*FAMILIES]
    for family in _OF_NAME.values():
        if family not in found:
            found.append(family)
    return found


def _plain_parameters(factory: Factory) -> dict[str, tuple[Any, Any]]:
    """Keyword -> (type, default) of those that are a number, a flag or a word."""
    parameters = inspect.signature(factory).parameters
    return {
        key: (kind, parameters[key].default)
        for key, kind in plain_types(factory).items()
        if parameters[key].default is not inspect.Parameter.empty
    }
