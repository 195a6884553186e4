"""What `marlcomm list` shows: names of each kind, what they are, and their settings with defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from marlcomm.algorithms.parts import PARTS, settings_of_part
from marlcomm.algorithms.registry import factory_of, learner_of, own_settings, shared_settings
from marlcomm.envs import env_options
from marlcomm.envs.registry import env_factory
from marlcomm.names import ALGORITHMS, LEARNERS, LISTS, TASKS, edit_names
from marlcomm.validation import UsageError, did_you_mean

Row = tuple[str, str, str]  # name, what it is, settings and defaults


def describe(kind: str) -> list[Row]:
    """The rows for one kind of things, one of `marlcomm.names.LISTS`."""
    rows: dict[str, Callable[[], Iterator[Row]]] = {
        "algorithms": _algorithms,
        "learners": _learners,
        "tasks": _tasks,
        "schedules": lambda: _parts("training_edit"),
        "edits": lambda: ((usage, purpose, "") for usage, purpose in edit_names()),
    }
    return list(rows[kind]() if kind in rows else _parts(kind.removesuffix("s")))


def describe_everything() -> dict[str, list[Row]]:
    """Title -> rows, for `marlcomm list`."""
    return {LISTS[kind]: describe(kind) for kind in LISTS}


def described_as(name: str) -> dict[str, list[Row]]:
    """Title -> rows of what has this name; an algorithm with its learner, whose settings it takes, too.

    Raises:
      UsageError: there is nothing of this name.
    """
    everything = describe_everything()
    wanted = {name, learner_of(name)} if name in ALGORITHMS else {name}
    found = {title: [row for row in rows if _name(row) in wanted] for title, rows in everything.items()}
    if not any(found.values()):
        known = [_name(row) for rows in everything.values() for row in rows]
        kinds = f"There are: everything, {', '.join(LISTS)}, and the names in each."
        raise UsageError(f"WHAT={name!r} is not known.{did_you_mean(name, [*LISTS, *known])} {kinds}")
    return {title: rows for title, rows in found.items() if rows}


def _name(row: Row) -> str:
    """Such as "cut" of the edit "cut:f"."""
    return row[0].partition(":")[0]


def _algorithms() -> Iterator[Row]:
    for name in sorted(ALGORITHMS, key=lambda name: (learner_of(name) != "value", learner_of(name), name)):
        yield name, _first_line(factory_of(name)), _listed(own_settings(name))


def _learners() -> Iterator[Row]:
    for name in LEARNERS:
        yield name, _first_line(LEARNERS.get(name).learner), _listed(shared_settings(name))


def _parts(slot: str) -> Iterator[Row]:
    for name in PARTS[slot]:
        make = PARTS[slot].get(name)
        yield name, _first_line(make), _listed({f"{slot}.{key}": it for key, it in settings_of_part(make).items()})


def _tasks() -> Iterator[Row]:
    for name in TASKS:
        options = {f"task.{key}": (None, value) for key, value in env_options(name).items()}
        yield name, _first_line(env_factory(name)), _listed(options)


def _listed(settings: dict[str, tuple[Any, Any]]) -> str:
    return ", ".join(f"{key}={_default(default)}" for key, (_, default) in settings.items()) or "-"


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").split("\n")[0]


def _default(value: Any) -> str:
    return "(required)" if value is inspect.Parameter.empty else str(value)
