"""How much memory a traced program needs on the way, estimated from its equations before it is compiled."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from jax.extend import core

FREE = {"reshape", "squeeze", "expand_dims", "stop_gradient", "copy", "pvary", "sharding_constraint"}
IN_PLACE = {
    "dynamic_update_slice",
    "scatter",
    "scatter-add",
    "scatter_add",
    "scatter_mul",
    "scatter_min",
    "scatter_max",
}
LOOPS = {"scan", "while"}
# what the compiler runs by itself: operands lie in memory, and so do results. All else is fused into what uses it
ALONE = LOOPS | IN_PLACE | {"dot_general", "conv_general_dilated", "cond", "sort", "top_k", "cumsum", "random_bits"}
ALWAYS = math.inf
# what a compiled program needs is between these shares of what is estimated
SURELY, AT_MOST = 0.5, 1.5


def live_bytes(jaxpr: Any) -> int:
    """The most bytes that a program needs at once beside its arguments, which its results may take the place of.

    Args:
      jaxpr: as `jax.make_jaxpr` gives it. Results of elementwise equations count only where something reads them from
        memory, updates of arrays that nobody else reads happen in place, and loops keep one turn at a time.
    """
    found = _measure(jaxpr.jaxpr if hasattr(jaxpr, "consts") else jaxpr)
    return found.inside + sum(size for size, place in zip(found.outputs, found.places, strict=True) if place is None)


@dataclass(frozen=True)
class _Needs:
    """What a program needs: temporary bytes, bytes of each output, and the input whose place each output takes."""

    inside: int
    outputs: tuple[int, ...]
    places: tuple[int | None, ...]


@dataclass
class _Buffers:
    """Who lies where while equations run in order. A value that is fused lies nowhere: it keeps what it is made of."""

    size: dict[int, int] = field(default_factory=dict)
    born: dict[int, int] = field(default_factory=dict)
    dies: dict[int, float] = field(default_factory=dict)
    of: dict[Any, tuple[int, ...]] = field(default_factory=dict)
    fused: set[Any] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def new(self, variable: Any, now: int, size: int | None = None) -> None:
        """Gives a value a place of its own."""
        number = next(self.numbers)
        self.size[number] = _bytes(variable) if size is None else size
        self.born[number], self.of[variable] = now, (number,)
        self.fused.discard(variable)

    def share(self, variable: Any, sources: Iterable[Any], fused: bool) -> None:
        """Lets a value lie where its sources do."""
        self.of[variable] = tuple(dict.fromkeys(n for each in sources for n in self.of.get(each, ())))
        if fused:
            self.fused.add(variable)


@functools.lru_cache(maxsize=1024)
def _measure(jaxpr: core.Jaxpr) -> _Needs:
    buffers = _Buffers()
    last = _last_uses(jaxpr)
    inputs = [*jaxpr.constvars, *jaxpr.invars]
    for variable in inputs:
        buffers.new(variable, -1, 0)
    inside = [_run(equation, now, last, buffers) for now, equation in enumerate(jaxpr.eqns)]
    end = len(jaxpr.eqns)
    outputs = [out for out in jaxpr.outvars if isinstance(out, core.Var)]
    for out in outputs:
        if out in buffers.fused:
            buffers.new(out, end)
    for variable, places in buffers.of.items():
        for place in places:
            buffers.dies[place] = max(buffers.dies.get(place, -1), last.get(variable, buffers.born[place]))
    kept = {place for out in outputs for place in buffers.of[out]}
    first = {buffers.of[variable][0]: number for number, variable in enumerate(jaxpr.invars)}
    temporary = [place for place in buffers.size if place not in kept]
    peak = max((_live(buffers, temporary, now) + more for now, more in enumerate(inside)), default=0)
    lie = [buffers.of[out] if isinstance(out, core.Var) else () for out in jaxpr.outvars]
    places = [next((first[place] for place in each if place in first), None) for each in lie]
    return _Needs(peak, tuple(_bytes(out) for out in jaxpr.outvars), tuple(places))


def _run(equation: Any, now: int, last: dict[Any, float], buffers: _Buffers) -> int:
    """Places the results of an equation; gives the bytes that it needs while it runs."""
    name = equation.primitive.name
    read = [each for each in equation.invars if isinstance(each, core.Var)]
    inner = [_measure(each) for each in _inner(equation)]
    if name in ALONE:
        for each in read:
            if each in buffers.fused:
                buffers.new(each, now)
    places = _places(equation, inner)
    for number, out in enumerate(equation.outvars):
        source = equation.invars[places[number]] if number < len(places) and places[number] is not None else None
        if isinstance(source, core.Var) and last.get(source, -1) <= now:
            buffers.share(out, [source], source in buffers.fused)
        elif name in FREE:
            buffers.share(out, read, any(each in buffers.fused for each in read))
        elif name in ALONE or inner or name.startswith(("reduce_", "arg")):
            buffers.new(out, now)
        else:
            buffers.share(out, read, True)
    return max((needs.inside for needs in inner), default=0)


def _places(equation: Any, inner: Sequence[_Needs]) -> Sequence[int | None]:
    """For each result the operand whose place it takes, if nobody reads that any more."""
    name, parameters = equation.primitive.name, equation.params
    if name in IN_PLACE:
        return [0]
    if name == "scan":
        begin, carried = parameters["num_consts"], parameters["num_carry"]
        return [begin + number for number in range(carried)]
    if name == "while":
        begin = parameters["cond_nconsts"] + parameters["body_nconsts"]
        return [begin + number for number in range(len(equation.outvars))]
    return inner[0].places if len(inner) == 1 else []


def _inner(equation: Any) -> list[Any]:
    """The programs within an equation."""
    found = []
    for value in equation.params.values():
        for each in value if isinstance(value, tuple | list) else (value,):
            if isinstance(each, core.ClosedJaxpr):
                found.append(each.jaxpr)
            elif isinstance(each, core.Jaxpr):
                found.append(each)
    return found


def _last_uses(jaxpr: Any) -> dict[Any, float]:
    last: dict[Any, float] = {}
    for now, equation in enumerate(jaxpr.eqns):
        last.update((each, now) for each in equation.invars if isinstance(each, core.Var))
    last.update((each, ALWAYS) for each in jaxpr.outvars if isinstance(each, core.Var))
    return last


def _live(buffers: _Buffers, places: Iterable[int], now: int) -> int:
    return sum(buffers.size[place] for place in places if buffers.born[place] <= now <= buffers.dies[place])


def _bytes(variable: Any) -> int:
    shape, dtype = getattr(variable.aval, "shape", ()), getattr(variable.aval, "dtype", None)
    return math.prod(shape) * getattr(dtype, "itemsize", 4)
