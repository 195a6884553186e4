"""Turns `key=value` words of the command line into a checked algorithm and hyper-parameters to sweep."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from marlcomm.algorithms import Algorithm, algorithm_names, algorithm_settings, make_algorithm
from marlcomm.algorithms.registry import factory_of, families, family_of, own_settings, shared_settings
from marlcomm.cli.text import read_as, read_number
from marlcomm.envs import env_names, env_options, make_env
from marlcomm.envs.registry import env_factory, option_types
from marlcomm.names import edit_names
from marlcomm.renamed import today
from marlcomm.validation import UsageError, nearest

SEVERAL = "|"
ANY_TASK = "hallway"  # defaults do not depend on the task


def split_settings(algorithm: str, task: str, words: Sequence[str]) -> tuple[Algorithm, dict[str, list[float]]]:
    """The algorithm on its task, and the hyper-parameters that got several values.

    Args:
      algorithm: its name; task: its name.
      words: `key=value`; keys of the task begin with `task.`; `a|b` gives several values.

    Raises:
      UsageError: a word without `=`, a key twice, an unknown key (with the nearest), a value of the wrong type.
    """
    options: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    sweep: dict[str, list[float]] = {}
    for key, text in _pairs(words):
        if key.startswith("task."):
            option = key.removeprefix("task.")
            options[option] = read_as(key, text, option_types(task).get(option))
        elif SEVERAL in text:
            sweep[key] = _several(algorithm, key, text)
        else:
            settings[key] = _one(algorithm, task, key, text)
    return make_algorithm(algorithm, make_env(task, **options), **settings), sweep


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    given = set()
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {word!r}: must be key=value")
        if key in given:
            raise UsageError(f"--set {key}: given twice")
        given.add(key)
        yield key, text


def _one(algorithm: str, task: str, key: str, text: str) -> Any:
    """The value of a setting."""
    known = algorithm_settings(algorithm)
    if today(key, known) in known:
        return read_as(key, text, known[today(key, known)][0])
    if key.startswith("weights."):
        return read_number(key, text)
    if key in (objects := _objects(algorithm)):
        if objects[key]:
            return text
        raise UsageError(f"--set {key}: takes no number, flag or word; only Python can pass what it takes")
    if key in env_options(task):
        raise UsageError(f"--set {key}: belongs to the task: write task.{key}={text}")
    raise UsageError(f"Algorithm {algorithm!r} has no setting {key!r}.{nearest(key, [*known, *_task_keys(task)])}")


def _several(algorithm: str, key: str, text: str) -> list[float]:
    """The values of a hyper-parameter that members of a population differ in."""
    known, sweepable = algorithm_settings(algorithm), made_for_any_task(algorithm).hparam_names()
    key = today(key, sweepable)
    if key in known and key not in sweepable:
        raise UsageError(
            f"--set {key}={text}: {key} fixes a shape or a branch of the program, which all members of a population "
            f"share: give one value, in a run of its own. What can be swept: {', '.join(sweepable)}."
        )
    if key not in sweepable:
        raise UsageError(f"--set {key}={text}: no hyper-parameter {key!r}.{nearest(key, sweepable)}")
    return [read_number(f"--set {key}", part) for part in text.split(SEVERAL)]


def _task_keys(task: str) -> list[str]:
    return [f"task.{option}" for option in env_options(task)]


def describe_everything() -> dict[str, list[tuple[str, str, str]]]:
    """Title -> rows (name, what it is, settings and defaults), for `marlcomm list`."""
    algorithms = []
    for family in families():
        names = [name for name in algorithm_names() if family_of(name) == family]
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


def made_for_any_task(name: str) -> Algorithm:
    """An algorithm with its defaults, on some task."""
    return make_algorithm(name, make_env(ANY_TASK))


def _defaults(name: str) -> dict[str, Any]:
    """An algorithm's own settings, and those of its family that it sets otherwise."""
    made = made_for_any_task(name)
    found = vars(made.learner.config) | vars(made.hparams)
    shared = shared_settings(family_of(name))
    otherwise = {key: found[key] for key, (_, default) in shared.items() if found.get(key, default) != default}
    return {key: default for key, (_, default) in own_settings(name).items()} | otherwise


def _objects(algorithm: str) -> dict[str, bool]:
    """The parameters of an algorithm that take an object, and whether a word can name one, as with an optimizer."""
    makers = factory_of(algorithm), family_of(algorithm).build
    kinds = {name: kind for maker in makers for name, kind in typing.get_type_hints(maker).items()}
    return {name: str in typing.get_args(kind) for name, kind in kinds.items() if kind is not str}


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key}={default}" for key, default in settings.items()) or "-"


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").split("\n")[0]


def _default(value: Any) -> str:
    return "(required)" if value is inspect.Parameter.empty else str(value)
