"""Names for things, imported when they are first asked for."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from marlcomm.validation import UsageError, did_you_mean, nearest

Thing = TypeVar("Thing")


def load(place: str) -> Any:
    """What stands at `module:attribute`."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


class Names:
    """Things of one kind by name, in groups."""

    def __init__(self, kind: str, groups: Mapping[str, Mapping[str, str]]) -> None:
        """Args: what one of them is called, and group -> name -> place (see `load`)."""
        self.kind = kind
        self._group_titles = tuple(groups)
        self._things: dict[str, Any] = {name: place for group in groups.values() for name, place in group.items()}
        self._groups = {name: title for title, group in groups.items() for name in group}

    def __iter__(self) -> Iterator[str]:
        """All names, sorted."""
        return iter(sorted(self._things))

    def __contains__(self, name: object) -> bool:
        """Whether there is something of that name."""
        return name in self._things

    def check(self, name: str) -> None:
        """Raises UsageError with the nearest name, and all of them by group, where nothing is called `name`."""
        if name in self._things:
            return
        if len(self._group_titles) == 1:
            raise UsageError(f"No {self.kind} is called {name!r}.{nearest(name, tuple(self))}")
        listed = "".join(f"\n  {title}: {', '.join(self.of_group(title))}" for title in self._group_titles)
        raise UsageError(f"No {self.kind} is called {name!r}.{did_you_mean(name, tuple(self))} There are:{listed}")

    def get(self, name: str) -> Any:
        """What is called `name`. Raises as `check`."""
        self.check(name)
        if isinstance(self._things[name], str):
            self._things[name] = load(self._things[name])
        return self._things[name]

    def group(self, name: str) -> str:
        """The title of the group of what is called `name`. Raises as `check`."""
        self.check(name)
        return self._groups[name]

    def __copy__(self) -> Names:
        """Other names, to which something may be added."""
        other = Names(self.kind, {})
        other._group_titles, other._things, other._groups = self._group_titles, {**self._things}, {**self._groups}
        return other

    def of_group(self, title: str) -> tuple[str, ...]:
        """The names of one group, sorted."""
        return tuple(name for name in self if self._groups[name] == title)

    def modules(self) -> set[str]:
        """Of what was added or imported so far."""
        things = [getattr(thing, "func", thing) for thing in self._things.values() if not isinstance(thing, str)]
        return {getattr(thing, "__module__", None) or "" for thing in things}

    def decorator(self, name: str, group: str = "", *, replace: bool = False) -> Callable[[Thing], Thing]:
        """Adds the class or function that it stands above; see `add`."""
        self._check_new(name, replace)

        def register(thing: Thing) -> Thing:
            if not (inspect.isclass(thing) or inspect.isroutine(thing) or isinstance(thing, functools.partial)):
                raise UsageError(f"{self.kind} {name!r}: {thing!r} must be a class, or a function that makes one.")
            self.add(name, thing, group, replace=replace)
            return thing

        return register

    def add(self, name: str, thing: Any, group: str = "", *, replace: bool = False) -> None:
        """Adds something of your own.

        Raises:
          UsageError: the name is not of words, or taken and `replace` is False.
        """
        self._check_new(name, replace)
        self._things[name], self._groups[name] = thing, group
        if group not in self._group_titles:
            self._group_titles += (group,)

    def _check_new(self, name: Any, replace: bool) -> None:
        # the command line and folders read it, and a colon stands for a simulator
        if not isinstance(name, str) or not re.fullmatch(r"[\w.+-]+( [\w.+-]+)*", name):
            raise UsageError(f"name={name!r} must be a string of words of letters, digits and any of `_.+-`.")
        if name in self._things and not replace:
            article = "An" if self.kind[0] in "aeiou" else "A"
            raise UsageError(
                f"{article} {self.kind} called {name!r} exists already; choose another name or pass replace=True."
            )


class Simulators:
    """What makes simulators outside JAX, by the word before the colon of a task's name, its scheme."""

    def __init__(self, places: Mapping[str, str]) -> None:
        """Args: scheme -> place (see `load`) of a function `(name, **options) -> marlcomm.bridge.Simulator`."""
        self._places = dict(places)

    def __contains__(self, name: object) -> bool:
        """Whether `name` has a colon, and so is that of a simulator, if it is any."""
        return isinstance(name, str) and ":" in name

    def schemes(self) -> tuple[str, ...]:
        """All of them, sorted."""
        return tuple(sorted(self._places))

    def place(self, scheme: str) -> str:
        """Where the function of a scheme is."""
        return self._places[scheme]

    def maker(self, name: str) -> Callable[..., Any] | None:
        """What makes a simulator of our schemes; None for others, which perhaps only workers can import."""
        scheme, colon, _ = name.partition(":")
        return load(self._places[scheme]) if colon and scheme in self._places else None

    def check(self, name: str) -> None:
        """Raises UsageError where `name` has no scheme, and is no `module:function` or `file.py:function` either."""
        scheme, colon, rest = name.partition(":")
        if scheme in self._places and rest:
            return
        if scheme in self._places:
            raise UsageError(
                f"{name!r} is a kind of simulator: which of them stands behind a colon, such as {scheme}:NAME."
            )
        module = name.rpartition(":")[0]
        if not (colon and rest and _can_be_found(module)):
            raise UsageError(
                f"No simulator is called {name!r}.{did_you_mean(scheme, self.schemes())} It is one of "
                f"{', '.join(f'{each}:...' for each in self.schemes())}, or module:function or file.py:function, "
                "with a module or file that can be found from here."
            )


class TaskNames(Names):
    """Tasks by name, among them those that simulators outside JAX play."""

    def __init__(self, simulators: Simulators, place: str, groups: Mapping[str, Mapping[str, str]]) -> None:
        """Args: how simulators are called; where the function is that makes a task of one; tasks as for `Names`."""
        super().__init__("task", groups)
        self._simulators, self._place = simulators, place

    def __contains__(self, name: object) -> bool:
        """Whether there is such a task, or it may be one of a simulator."""
        return super().__contains__(name) or name in self._simulators

    def check(self, name: str) -> None:
        """See `Names`; raises UsageError for what is no simulator, too."""
        known = super().__contains__(name)
        if not known and (name in self._simulators or name in self._simulators.schemes()):
            self._simulators.check(name)
        else:
            super().check(name)

    def get(self, name: str) -> Any:
        """See `Names`; of a simulator, what makes its task of options."""
        if super().__contains__(name) or name not in self._simulators:
            return super().get(name)
        self.check(name)
        return functools.partial(load(self._place), name)


def _can_be_found(module: str) -> bool:
    """Whether there is such a module or file, as far as can be told without importing any."""
    if module.endswith(".py"):
        return os.path.isfile(module)
    top = module.partition(".")[0]
    if not all(part.isidentifier() for part in module.split(".")):
        return False
    return os.path.isdir(top) or os.path.isfile(f"{top}.py") or importlib.util.find_spec(top) is not None
