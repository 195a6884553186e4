"""What a thing is made of, as JSON can hold it and alike in every process: what run folders record and compare."""

from __future__ import annotations

import enum
import functools
import hashlib
import inspect
import sys
import types
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from marlcomm.envs.api import Environment
from marlcomm.envs.registry import env_options
from marlcomm.messages import Channel

# of these, and of whatever is installed, the name says enough: their versions are on record
_LIBRARIES = {"marlcomm", *sys.stdlib_module_names}
_PICTURES = {"matplotlib", "PIL"}  # they decide nothing
_FLAX = {"parent", "name"}  # fields that say where a module stands, not what it is
_DEEPEST = 12


def describe(thing: Any) -> tuple[Any, dict[str, str]]:
    """What a thing is made of, and checksums of the code in it that no library brings, by name.

    Numbers, flags, words and containers of them stay as they are; arrays become type, shape and a checksum; a function
    its name and what it holds on to; anything else its type and its fields. The same thing gives the same description
    in another process.
    """
    walk = _Walk()
    return walk.of(thing), dict(sorted(walk.code.items()))


class _Walk:
    """A walk through a thing; `code` gathers checksums of code on the way."""

    def __init__(self) -> None:
        self.code: dict[str, str] = {}
        self._above: list[int] = []  # what is being described: it may hold itself

    def of(self, thing: Any) -> Any:
        if thing is None or isinstance(thing, bool | int | float | str):
            return _base(thing)
        if isinstance(thing, np.ndarray | np.generic | jax.Array):
            return _array(thing)
        if id(thing) in self._above or len(self._above) > _DEEPEST:
            return type(thing).__qualname__
        self._above.append(id(thing))
        try:
            return self._composed(thing)
        finally:
            self._above.pop()

    def _composed(self, thing: Any) -> Any:
        if isinstance(thing, Mapping):
            return {str(key): self.of(value) for key, value in thing.items()}
        if isinstance(thing, Set):
            return sorted(map(str, map(self.of, thing)))
        if isinstance(thing, list | tuple) and not hasattr(thing, "_fields"):
            return [self.of(entry) for entry in thing]
        if isinstance(thing, enum.Enum | type | types.ModuleType):
            return self._named(thing)
        if isinstance(thing, functools.partial):
            return {"type": self.of(thing.func), "arguments": self.of(thing.args), **self.of(thing.keywords)}
        if isinstance(thing, types.MethodType):
            return {"type": self.of(thing.__func__), "of": self.of(thing.__self__)}
        function = inspect.unwrap(thing) if callable(thing) else thing
        if isinstance(function, types.FunctionType):
            return self._function(function)
        if isinstance(thing, types.BuiltinFunctionType):
            return thing.__qualname__
        kind = self._named(type(thing))
        made_by = getattr(thing, "made_by", None)
        if isinstance(made_by, tuple):  # a task that its name and options make again
            name, options = made_by
            return {"type": name, **self.of({**env_options(name), **options})}
        return {"type": kind, **{name: self.of(value) for name, value in _fields(thing).items()}}

    def _named(self, thing: Any) -> str:
        """The name of a class, a module or a choice; code of a class that no library brings is noted."""
        if isinstance(thing, enum.Enum):
            return str(thing)
        if isinstance(thing, type):
            for kind in thing.__mro__:
                if not _from_library(kind):
                    for name, member in vars(kind).items():
                        self._note(f"{kind.__qualname__}.{name}", _code_of(member))
            return thing.__qualname__
        return thing.__name__

    def _function(self, function: types.FunctionType) -> Any:
        """A function's name, and what it holds on to."""
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        held = {name: self.of(cell.cell_contents) for name, cell in cells if _filled(cell)}
        held |= {name: self.of(value) for name, value in _defaults(function).items()}
        if not _from_library(function):
            self._note(function.__qualname__, function.__code__)
            for name in function.__code__.co_names:  # what it finds in its own file
                value = function.__globals__.get(name)
                if isinstance(value, bool | int | float | str | np.ndarray):
                    held[name] = self.of(value)
                elif isinstance(value, types.FunctionType) and not _from_library(value):
                    self.of(value)
        return {"type": function.__qualname__, **held} if held else function.__qualname__

    def _note(self, name: str, code: types.CodeType | None) -> None:
        if code is not None:
            self.code[name] = hashlib.sha256(_code_text(code).encode()).hexdigest()[:16]


def _base(thing: Any) -> Any:
    """Without the subclass: an enumeration of numbers, or a float of NumPy's."""
    if isinstance(thing, enum.Enum):
        return str(thing)
    for kind in (bool, int, float, str):
        if isinstance(thing, kind):
            return kind(thing)
    return thing


def _array(array: Any) -> Any:
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    values = np.asarray(array)
    if values.ndim == 0 and values.dtype.kind in "biuf":
        return values.item()
    content = values.tobytes() if values.dtype != object else repr(values.tolist()).encode()
    return f"{values.dtype}{list(values.shape)} {hashlib.sha256(content).hexdigest()[:16]}"


def _fields(thing: Any) -> dict[str, Any]:
    """What an object holds, by name, without what it has only worked out from it and a task's driver."""
    if isinstance(thing, tuple):
        return dict(zip(getattr(thing, "_fields"), thing, strict=True))  # noqa: B009  (a named one)
    if type(thing).__module__.partition(".")[0] in _PICTURES:
        return {}
    if is_dataclass(thing):
        names = [field.name for field in fields(thing) if field.name not in _FLAX and hasattr(thing, field.name)]
        return {name: getattr(thing, name) for name in names if not _worked_out(type(thing), name)}
    own = getattr(thing, "__dict__", {})
    return {name: value for name, value in own.items() if not _worked_out(type(thing), name)}


def _worked_out(kind: type, name: str) -> bool:
    if issubclass(kind, Environment) and name == "driver":  # who plays changes nothing of what is learned
        return True
    if issubclass(kind, Channel) and name == "state_size":  # the task's, and older runs do not know it
        return True
    return isinstance(inspect.getattr_static(kind, name, None), functools.cached_property)


def _defaults(function: types.FunctionType) -> dict[str, Any]:
    positional = function.__defaults__ or ()
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    named = dict(zip(names[len(names) - len(positional) :], positional, strict=True))
    return {**named, **(function.__kwdefaults__ or {})}


def _filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:  # a function that refers to itself, not yet defined
        return False
    return True


def _from_library(thing: Any) -> bool:
    module = getattr(thing, "__module__", None) or ""
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return module.partition(".")[0] in _LIBRARIES or "site-packages" in file


def _code_of(member: Any) -> types.CodeType | None:
    """The code of a method, as it was written; None for what a decorator of dataclasses made."""
    member = getattr(member, "__func__", getattr(member, "fget", member))
    code = getattr(inspect.unwrap(member) if callable(member) else member, "__code__", None)
    return None if code is None or code.co_filename.startswith("<string") else code


def _code_text(code: types.CodeType) -> str:
    """Instructions, names and constants: what the code does, wherever it stands."""
    constants = [
        _code_text(c)
        if isinstance(c, types.CodeType)
        else str(sorted(map(repr, c)))
        if isinstance(c, frozenset)
        else repr(c)
        for c in code.co_consts
    ]
    return f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {constants}"
