"""What XLA made of a program: its own count of operations and bytes, and which instructions move data about."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

BYTES = {"pred": 1, "bf16": 2, "token": 0, "opaque": 0}  # others say their bits: f32, s8, u64, c64
MOVERS = ("copy", "transpose", "select", "gather", "scatter", "dynamic-slice", "dynamic-update-slice", "concatenate",
          "pad", "broadcast", "convert", "rng")  # fmt: skip
OTHERS = ("dot", "fusion", "while")
UPDATE = "dynamic-update-slice"
NOTHING_WRITTEN = ("while", "call", "conditional", "parameter", "tuple", "get-tuple-element", "bitcast", "constant")
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) .*\{$")
_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?([\w.\-]+) = (.*)$")
_OPERANDS = re.compile(r"[(,]\s*%?([\w.\-]+)(?=[,)])")
_OPERATION = re.compile(r"^\s*([a-z][\w\-]*)\(")
_ARRAY = re.compile(r"\b([a-z]+)(\d*)(?:e\d+m\d+\w*)?\[([\d,]*)\]")
_CALLED = re.compile(r"\b(calls|body|condition|to_apply|true_computation|false_computation)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_ORIGIN = re.compile(r'op_name="([^"]*)"')
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')


class Tally(NamedTuple):
    """Instructions of one kind in a compiled program."""

    places: int  #: where they stand in the program
    fused: int  #: of these, within a fusion, where they write nothing of their own
    runs: int  #: how often they run, loops of known length counted through; those of unknown length as once
    written: int  #: bytes that the ones outside fusions write in all runs; of an update in place, those of the update


class Cost(NamedTuple):
    """XLA's own estimate of a program; it counts the body of a loop once."""

    flops: float
    bytes_accessed: float


class Writer(NamedTuple):
    """One instruction outside fusions."""

    written: int  #: bytes in all runs
    runs: int
    operation: str
    shape: str
    origin: str  #: where in the program it comes from, as JAX notes it; that of its last operation, for a fusion


class _Instruction(NamedTuple):
    operation: str
    shape: str
    origin: str
    result_bytes: int
    random: bool
    called: tuple[tuple[str, str], ...]  # how, and which computation
    trips: int


def cost(compiled: Any) -> Cost:
    """XLA's cost analysis of what `jax.jit(...).lower(...).compile()` gives; NaN for what it does not say."""
    said = compiled.cost_analysis() or {}
    said = said[0] if isinstance(said, list) else said
    return Cost(*(float(said.get(name, math.nan)) for name in ("flops", "bytes accessed")))


def summary(text: str) -> dict[str, Tally]:
    """Instructions of a compiled program by kind: those that move data, matrix products, fusions, loops.

    `rng` draw random bits: instructions of that name, and the rounds of Threefry, each an `xor` of u32.

    Args:
      text: HLO, as `compiled.as_text()` gives it.
    """
    computations, entry = _parse(text)
    runs, fused = _runs(computations, entry)
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for name, instructions in computations.items():
        if not runs[name]:
            continue
        for each in instructions:
            kinds = {each.operation} & {*MOVERS, *OTHERS} | ({"rng"} if each.random else set())
            for kind in kinds:
                tally = found[kind]
                tally[0] += 1
                tally[1] += fused[name]
                tally[2] += runs[name]
                tally[3] += 0 if fused[name] else runs[name] * each.result_bytes
    return {kind: Tally(*found[kind]) for kind in (*OTHERS, *MOVERS) if kind in found}


def heaviest(text: str, count: int = 10) -> list[Writer]:
    """The instructions that write most, the heaviest first; loops, and what only names parts of others, are left out.

    Args:
      text: HLO, as `compiled.as_text()` gives it.
      count: how many at most.
    """
    computations, entry = _parse(text)
    runs, fused = _runs(computations, entry)
    found = [
        Writer(runs[name] * each.result_bytes, runs[name], each.operation, each.shape, each.origin)
        for name, instructions in computations.items()
        if runs[name] and not fused[name]
        for each in instructions
        if each.operation not in NOTHING_WRITTEN
    ]
    return sorted(found, reverse=True)[:count]


def _parse(text: str) -> tuple[dict[str, list[_Instruction]], str]:
    """Instructions by computation, and the name of the one that is entered."""
    computations: dict[str, list[_Instruction]] = {}
    entry, current, sizes = "", None, {}
    for line in text.splitlines():
        if (head := _COMPUTATION.match(line)) and " = " not in line.split("{")[0]:
            current, sizes = computations.setdefault(head[2], []), {}
            entry = head[2] if head[1] else entry
        elif line.startswith("}"):
            current = None
        elif current is not None and (body := _INSTRUCTION.match(line)):
            current.append(_in_place(_instruction(body[2]), body[2], sizes, computations))
            sizes[body[1]] = _bytes(current[-1].shape)
    return computations, entry


def _instruction(body: str) -> _Instruction:
    shape, rest = _split_shape(body)
    operation = _OPERATION.match(rest)
    called = [(how, name) for how, name in _CALLED.findall(rest)]
    if branches := _BRANCHES.search(rest):
        called += [("branch", name.strip().lstrip("%")) for name in branches[1].split(",")]
    name, trips, origin = operation[1] if operation else "", _TRIPS.search(rest), _ORIGIN.search(rest)
    return _Instruction(
        operation=name,
        shape=shape,
        origin=origin[1] if origin else "",
        result_bytes=_bytes(shape),
        random=name.startswith("rng") or (name == "xor" and shape.startswith("u32")),
        called=tuple(called),
        trips=int(trips[1]) if trips else 1,
    )


def _in_place(
    instruction: _Instruction, body: str, sizes: dict[str, int], computations: dict[str, list[_Instruction]]
) -> _Instruction:
    """The same with the bytes that it writes, where it writes a part of an array that stays in its place."""
    if instruction.operation == UPDATE:
        _, update, *_ = [*_OPERANDS.findall(_split_shape(body)[1]), "", ""]
        return instruction._replace(result_bytes=sizes.get(update, instruction.result_bytes))
    if instruction.operation == "fusion":
        inner = [last for _, name in instruction.called for last in computations.get(name, [])[-1:]]
        if inner and inner[0].operation == UPDATE:
            return instruction._replace(result_bytes=inner[0].result_bytes)
    return instruction


def _split_shape(body: str) -> tuple[str, str]:
    """The type of a result, which may be a tuple of types, and what follows it."""
    depth = 0
    for place, letter in enumerate(body):
        depth += (letter in "({[") - (letter in ")}]")
        if letter == " " and depth == 0:
            return body[:place], body[place:]
    return body, ""


def _bytes(shape: str) -> int:
    total = 0
    for kind, bits, sizes in _ARRAY.findall(shape):
        width = BYTES.get(kind + bits, int(bits) / 8 if bits else 0)
        total += math.ceil(width * math.prod(int(size) for size in sizes.split(",") if size))
    return total


def _runs(computations: dict[str, list[_Instruction]], entry: str) -> tuple[dict[str, int], dict[str, bool]]:
    """How often each computation runs, and whether it is part of a fusion."""
    runs: dict[str, int] = dict.fromkeys(computations, 0)
    fused: dict[str, bool] = dict.fromkeys(computations, False)

    def walk(name: str, times: int, within: bool) -> None:
        runs[name] += times
        fused[name] |= within
        for each in computations[name]:
            for how, called in _followed(each):
                if called in computations:
                    walk(called, times * (each.trips if how == "body" else 1), within or each.operation == "fusion")

    walk(entry, 1, False)
    return runs, fused


def _followed(instruction: _Instruction) -> Iterator[tuple[str, str]]:
    """What an instruction runs; not what it applies to single numbers, as a reduction does."""
    for how, name in instruction.called:
        if how != "to_apply" or instruction.operation in ("call", "async-start"):
            yield how, name
