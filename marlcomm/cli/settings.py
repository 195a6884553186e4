"""Turns `key=value` words of the command line into a checked algorithm and hyper-parameters to sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from marlcomm.algorithms import Algorithm, algorithm_settings, make_algorithm
from marlcomm.algorithms.known import OBJECTS, no_such_setting
from marlcomm.algorithms.parts import PARTS, parts_of
from marlcomm.cli.text import NONE, read_as, read_flag, read_literal, read_number
from marlcomm.envs import env_options, make_env
from marlcomm.envs.registry import option_types
from marlcomm.renamed import is_restated, recorded_names, today
from marlcomm.validation import UsageError, nearest

SEVERAL = "|"


def split_settings(algorithm: str, task: str, words: Sequence[str]) -> tuple[Algorithm, dict[str, list[float]]]:
    """The algorithm on its task, and the hyper-parameters that got several values.

    Args:
      algorithm: its name; task: its name.
      words: `key=value`; keys of the task begin with `task.`, those of a part with its name, such as `channel.`; `a|b`
        gives several values.

    Raises:
      UsageError: a word without `=`, a key twice, an unknown key (with the nearest), a value of the wrong type.
    """
    options: dict[str, Any] = {}
    texts: dict[str, str] = {}
    several: dict[str, str] = {}
    for key, text in _pairs("--set", words):
        if key.startswith("task."):
            option = key.removeprefix("task.")
            options[option] = read_as(key, text, option_types(task).get(option))
        else:
            (several if SEVERAL in text else texts)[key] = text
    settings = _read(algorithm, task, texts)
    made = make_algorithm(algorithm, make_env(task, **options), **settings)
    known = algorithm_settings(algorithm, **settings)
    return made, dict(_several(made, known, key, text) for key, text in several.items())


def read_pairs(flag: str, words: Sequence[str]) -> dict[str, Any]:
    """The values of `key=value` words of a flag. Raises UsageError: a word without `=`, a key twice."""
    return {key: read_literal(text) for key, text in _pairs(flag, words)}


def _pairs(flag: str, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    given = set()
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise UsageError(f"{flag} {word!r}: must be key=value")
        if key in given:
            raise UsageError(f"{flag} {key}: given twice")
        given.add(key)
        yield key, text


def _read(algorithm: str, task: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """The values of settings: of parts first, which decide what else there is; of losses last, which others decide."""
    chosen = _parts(texts, algorithm_settings(algorithm))
    settings: dict[str, Any] = {}
    known = algorithm_settings(algorithm, **chosen)
    turn = {**dict.fromkeys(PARTS, 0), "losses": 2}
    for key in sorted(texts, key=lambda key: turn.get(key.partition(".")[0], 1)):
        if key.partition(".")[0] == "losses":
            known = algorithm_settings(algorithm, **{**chosen, **settings})
        settings[key] = _one(algorithm, task, key, texts[key], known)
        if key.partition(".")[0] in PARTS:
            known = algorithm_settings(algorithm, **{**chosen, **settings})
    return settings


def _parts(texts: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, str]:
    """The words of parts, by today's names; an old flag may stand for one."""
    flags = {key: read_flag(key, text) for key, text in texts.items() if is_restated(key, known)}
    return parts_of(recorded_names({**texts, **flags}, {*PARTS, *known}))


def _one(algorithm: str, task: str, key: str, text: str, known: Mapping[str, Any]) -> Any:
    """The value of a setting."""
    if key == "training_edit" and text.lower() in NONE:
        return None
    if today(key, known) in known:
        return read_as(key, text, known[today(key, known)][0])
    if is_restated(key, known):
        return read_flag(key, text)
    if key.startswith("weights."):
        return read_number(key, text)
    if key.startswith("losses.") and key.count(".") == 1 and text.lower() == "none":
        return None
    if key in PARTS:
        return text
    if key in OBJECTS or key == "env":
        raise UsageError(f"--set {key}: takes no number, flag or word; only Python can pass what it takes")
    if key in env_options(task):
        raise UsageError(f"--set {key}: belongs to the task: write task.{key}={text}")
    tasks = [f"task.{option}" for option in env_options(task)]
    raise no_such_setting(f"Algorithm {algorithm!r}", key, dict(known), tasks)


def _several(algorithm: Algorithm, known: Mapping[str, Any], key: str, text: str) -> tuple[str, list[float]]:
    """A hyper-parameter, and the values of it that members of a population differ in."""
    sweepable = algorithm.hparam_names()
    key = today(key, sweepable)
    if key in known and key not in sweepable:
        raise UsageError(
            f"--set {key}={text}: {key} fixes a shape, a branch or a constant of the program, which all members "
            f"of a population share: give one value, in a run of its own. What can be swept: {', '.join(sweepable)}."
        )
    if key not in sweepable:
        raise UsageError(f"--set {key}={text}: no hyper-parameter {key!r}.{nearest(key, sweepable)}")
    return key, [read_number(f"--set {key}", part) for part in text.split(SEVERAL)]
