"""Turns `key=value` words of the command line into a checked algorithm and hyper-parameters to sweep."""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Sequence
from typing import Any

from marlcomm.algorithms import Algorithm, algorithm_names, algorithm_settings, make_algorithm
from marlcomm.algorithms.registry import FAMILIES, factory_of, family_of, own_settings, shared_settings
from marlcomm.envs import env_names, env_options, make_env
from marlcomm.envs.registry import env_factory
from marlcomm.names import edit_names

SEVERAL = "|"
ANY_TASK = "hallway"  # defaults do not depend on the task


def split_settings(algorithm: str, task: str, words: Sequence[str]) -> tuple[Algorithm, dict[str, list[float]]]:
    """The algorithm on its task, and the hyper-parameters that got several values.

    Args:
      algorithm: its name; task: its name.
      words: `key=value`; keys of the task begin with `task.`; `a|b` gives several values.

    Raises:
      ValueError: a word without `=`, a key twice, an unknown key (with the nearest), a value of the wrong type.
    """
    options: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    sweep: dict[str, list[float]] = {}
    known = algorithm_settings(algorithm)
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise ValueError(f"--set {word!r}: must be key=value")
        if key in settings or key in options or key in sweep:
            raise ValueError(f"--set {key}: given twice")
        if key not in known and key in _only_objects(algorithm):
            raise ValueError(f"--set {key}: takes no number, flag or word; only Python can pass what it takes")
        if key.startswith("task."):
            options[key.removeprefix("task.")] = _parse(text)
        elif SEVERAL in text:
            sweep[key] = [_number(key, part) for part in text.split(SEVERAL)]
        else:
            settings[key] = _as_type(key, text, known[key][0]) if key in known else _parse(text)
    return make_algorithm(algorithm, make_env(task, **options), **settings), sweep


def describe_everything() -> dict[str, list[tuple[str, str, str]]]:
    """Title -> rows (name, what it is, settings and defaults), for `marlcomm list`."""
    algorithms = []
    for family in FAMILIES:
        names = [name for name in algorithm_names() if family_of(name) is family]
        algorithms += [(name, _first_line(factory_of(name)), _listed(_defaults(name))) for name in names]
        shared = {key: default for key, (_, default) in shared_settings(family).items()}
        algorithms.append(("all of these", f"settings of {family.title}", _listed(shared)))
    tasks = [
        (
            name,
            _first_line(env_factory(name)),
            ", ".join(f"task.{key}={_default(value)}" for key, value in env_options(name).items()) or "-",
        )
        for name in env_names()
    ]
    edits = [(usage, purpose, "") for usage, purpose in edit_names()]
    return {"Algorithms": algorithms, "Tasks": tasks, "Edits (marlcomm evaluate --edit)": edits}


def _defaults(name: str) -> dict[str, Any]:
    """An algorithm's own settings, and those of its family that it sets otherwise."""
    made = make_algorithm(name, make_env(ANY_TASK))
    found = vars(made.learner.settings) | vars(made.hparams)
    shared = shared_settings(family_of(name))
    otherwise = {key: found[key] for key, (_, default) in shared.items() if found.get(key, default) != default}
    return {key: default for key, (_, default) in own_settings(name).items()} | otherwise


def _only_objects(algorithm: str) -> set[str]:
    """The parameters of an algorithm that no word can name."""
    makers = factory_of(algorithm), family_of(algorithm).build
    kinds = {name: kind for maker in makers for name, kind in typing.get_type_hints(maker).items()}
    return {name for name, kind in kinds.items() if str not in (kind, *typing.get_args(kind))}


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key}={default}" for key, default in settings.items()) or "-"


def _as_type(key: str, text: str, kind: Any) -> Any:
    value = _parse(text)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind is str:
        return text
    return value


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--set {key}: {text!r} is not a number; only numbers can be swept with {SEVERAL}") from None


def _parse(text: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").split("\n")[0]


def _default(value: Any) -> str:
    return "(required)" if value is inspect.Parameter.empty else str(value)
