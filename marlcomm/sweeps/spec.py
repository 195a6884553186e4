"""What a sweep is asked for: a file or a mapping, read and checked, as a list of settings."""

from __future__ import annotations

import itertools
import tomllib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marlcomm.names import ALGORITHMS, TASKS
from marlcomm.validation import (
    UsageError,
    as_type,
    check_count,
    check_different,
    check_flag,
    check_number,
    check_seed,
    check_seeds,
    nearest,
    to_python,
)

KEYS = (
    *("algorithm", "task", "steps", "seeds", "seed", "max_members"),
    *("evaluations", "evaluation_episodes", "checkpoint_seconds"),
)
TABLES = ("set", "grid", "random", "cases")
DISTRIBUTION = {"low", "high", "log", "integer", "choice"}
Settings = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """One point of a sweep, which every seed is trained at.

    Attributes:
      algorithm, task: their names.
      fixed: settings that are the same in the whole sweep; those of the task begin with `task.`.
      varied: settings that differ between points.
    """

    algorithm: str
    task: str
    fixed: Mapping[str, Any]
    varied: Mapping[str, Any]


@dataclass(frozen=True)
class SweepSpec:
    """A sweep, resolved.

    Attributes:
      settings: its points, in order.
      seeds: of every point.
      steps: environment steps of each member; None for what suits each task.
      evaluations, evaluation_episodes, checkpoint_seconds: as for `train`.
      max_members: that train together at the most; None for as many as this machine's memory holds.
    """

    settings: tuple[Setting, ...]
    seeds: tuple[int, ...]
    steps: int | None
    evaluations: int
    evaluation_episodes: int
    checkpoint_seconds: float = 30.0
    max_members: int | None = None


def read_spec(source: str | Path | Mapping[str, Any]) -> SweepSpec:
    """Reads a sweep.

    Args:
      source: a TOML file, or a mapping of the same names. `algorithm` and `task` are a name or several; `seeds` how
        many or which; `steps`, `evaluations`, `evaluation_episodes` and `checkpoint_seconds` as for `train`;
        `max_members` how many train together at the most, None for as many as memory holds. The table `set` holds
        settings for all, `grid` lists of which every combination is tried, `cases` a list of tables tried one by one,
        `random` how many `draws` and, for each setting, `{low, high}` (with `log` or `integer`) or `{choice}`; `seed`
        decides the draws, and is refused where there are none.

    Raises:
      UsageError: no such file, a line that is no TOML, an unknown name, a value of the wrong type, nothing to try, or a
        setting that is given twice.
    """
    content = source if isinstance(source, Mapping) else _read_file(Path(source))
    content = to_python(dict(content))
    for key in content:
        if key not in (*KEYS, *TABLES):
            raise UsageError(f"a sweep has no {key!r}.{nearest(key, [*KEYS, *TABLES])} Settings stand in a table.")
    fixed = _table(content, "set")
    grid = _table(content, "grid")
    for name, values in grid.items():
        _check_listed(f"grid.{name}", values)
    seed = check_seed("seed", content.get("seed", 0))
    random = _table(content, "random", DISTRIBUTION)
    if "seed" in content and not random:
        raise UsageError(f"seed={seed} decides the draws of [random], which there are none; did you mean seeds?")
    draws = list(_draws(random, seed))
    cases = _cases(content.get("cases", [{}]))
    settings = tuple(_points(content, fixed, grid, draws, cases))
    steps, most = content.get("steps"), content.get("max_members")
    return SweepSpec(
        settings,
        check_seeds(content.get("seeds", 1)),
        None if steps is None else check_count("steps", steps),
        check_count("evaluations", content.get("evaluations", 20)),
        check_count("evaluation_episodes", content.get("evaluation_episodes", 320)),
        check_number("checkpoint_seconds", content.get("checkpoint_seconds", 30.0), 0.0, finite=False),
        None if most is None else check_count("max_members", most),
    )


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise UsageError(f"there is no file {path.absolute()}") from None
    except tomllib.TOMLDecodeError as error:  # says the line
        raise UsageError(f"{path}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None


def _points(
    content: Mapping[str, Any], fixed: Settings, grid: Settings, draws: list[Settings], cases: list[Settings]
) -> Iterator[Setting]:
    seen = set()
    combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    for case in cases:
        own = {key: value for key, value in case.items() if key not in ("algorithm", "task")}
        names = [
            _names(key, case.get(key, content.get(key)), known)
            for key, known in (("algorithm", ALGORITHMS), ("task", TASKS))
        ]
        for (algorithm, task), chosen, drawn in itertools.product(itertools.product(*names), combinations, draws):
            _refuse_twice({"set": fixed, "grid": chosen, "cases": own, "random": drawn})
            point = Setting(algorithm, task, fixed, {**own, **chosen, **drawn})
            if repr(point) not in seen:  # two draws may be alike
                seen.add(repr(point))
                yield point


def _names(key: str, given: Any, known: Any) -> list[str]:
    if given is None:
        raise UsageError(f"a sweep needs {key!r}: a name, or several, such as {key} = {[*known][:2]}")
    listed = [given] if isinstance(given, str) else given
    _check_listed(key, listed)
    for name in listed:
        known.check(as_type(key, name, str))
    return listed


def _table(content: Mapping[str, Any], name: str, leaf: set[str] | None = None) -> Settings:
    table = content.get(name, {})
    if not isinstance(table, Mapping):
        raise UsageError(f"{name}={table!r} must be a table of settings, [{name}] in a file")
    return _flat(table, leaf or set())


def _flat(table: Mapping[str, Any], leaf: set[str], before: str = "") -> Settings:
    """Settings with a dot, which TOML reads as tables within tables."""
    found: Settings = {}
    for key, value in table.items():
        inner = isinstance(value, Mapping) and not (leaf and set(value) <= leaf)
        more = _flat(value, leaf, f"{before}{key}.") if inner else {f"{before}{key}": value}
        _refuse_twice({"one place": found, "another": more})
        found |= more
    return found


def _cases(given: Any) -> list[Settings]:
    if not isinstance(given, list) or not given or not all(isinstance(case, Mapping) for case in given):
        raise UsageError(f"cases={given!r} must be tables of settings, at least one, each under [[cases]] in a file")
    return [_flat(case, set()) for case in given]


def _draws(table: Settings, seed: int) -> Iterator[Settings]:
    """As many settings as are drawn; each name has randomness of its own, so that others may come and go."""
    if not table:
        yield {}
        return
    count = check_count("random.draws", table.pop("draws", None))
    if not table:
        raise UsageError("random has draws but no setting to draw, such as learning_rate = {low = 1e-4, high = 1e-2}")
    drawn = {name: _values(f"random.{name}", how, count, seed) for name, how in table.items()}
    for number in range(count):
        yield {name: values[number] for name, values in drawn.items()}


def _values(name: str, how: Any, count: int, seed: int) -> list[Any]:
    chance = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if not isinstance(how, Mapping) or not ({"choice"} == set(how) or {"low", "high"} <= set(how)):
        raise UsageError(f"{name}={how!r} must be {{low, high}}, with log or integer if need be, or {{choice}}")
    if "choice" in how:
        _check_listed(f"{name}.choice", how["choice"])
        return [how["choice"][number] for number in chance.integers(len(how["choice"]), size=count)]
    low, high = (check_number(f"{name}.{end}", how[end]) for end in ("low", "high"))
    log, integer = (check_flag(f"{name}.{flag}", how.get(flag, False)) for flag in ("log", "integer"))
    if low >= high or (log and low <= 0):
        raise UsageError(f"{name}={how!r}: low must be below high" + (", and above 0 with log" if log else ""))
    if integer:
        return chance.integers(
            check_count(name, low, None), check_count(name, high, None), size=count, endpoint=True
        ).tolist()
    found = np.exp(chance.uniform(np.log(low), np.log(high), count)) if log else chance.uniform(low, high, count)
    return [float(f"{value:.6g}") for value in found]


def _check_listed(name: str, values: Any) -> None:
    if not isinstance(values, list | tuple):
        raise UsageError(
            f"{name}={values!r} must be a list of values to try; one value for all stands in the table set"
        )
    if not values:
        raise UsageError(f"{name} is empty: there is nothing to try")
    check_different(name, values)


def _refuse_twice(tables: Mapping[str, Mapping[str, Any]]) -> None:
    for (one, first), (other, second) in itertools.combinations(tables.items(), 2):
        for name in first.keys() & second.keys():
            raise UsageError(f"{name} is given twice, in {one} and in {other}")
