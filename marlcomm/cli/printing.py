"""What commands print: tables, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

COLUMNS = {
    "return": "return",
    "won": "won",
    "worth": "worth",
    "bits_per_step": "bits/step",
    "sent_fraction": "sent",
    "threshold": "threshold",
    "episode_length": "length",
    "env_steps": "steps",
    "updates": "updates",
}
NARROW = 40  # columns of a terminal, below which words in a table are cut to pieces


class PipedConsole(Console):
    """A console whose reader may leave: that is an error as of any stream, and ends nothing by itself."""

    def on_broken_pipe(self) -> None:
        """Raises BrokenPipeError, in place of ending the program with the code of a failure."""
        raise BrokenPipeError


def print_tables(tables: Mapping[str, Sequence[Sequence[str]]], columns: Sequence[str]) -> None:
    """Prints tables of words, each under its title."""
    console = PipedConsole()
    for title, rows in tables.items():
        table = Table(title=title, title_justify="left")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*map(escape, row))
        if console.width >= NARROW:
            console.print(table)
        else:
            _print_lines(console, [title, *("\n  ".join(filter(None, row)) for row in rows)])


def print_members(members: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Prints a table with a row for each member of a population; lines where a table does not fit."""
    console = PipedConsole()
    columns = [key for key in COLUMNS if key in members[0]]
    rows = [[_cell(member[column]) for column in columns] for member in members]
    table = Table("member")
    for column in columns:
        table.add_column(COLUMNS[column], justify="right", no_wrap=True)
    for name, row in zip(names, rows, strict=True):
        table.add_row(name, *row)
    needed = Measurement.get(console, console.options.update(max_width=1000), table).minimum
    if needed <= console.width:
        console.print(table)
        return
    for name, row in zip(names, rows, strict=True):
        cells = [f"{COLUMNS[column]} {cell}" for column, cell in zip(columns, row, strict=True)]
        _print_lines(console, [f"{name}: {', '.join(cells)}"])


def print_frontier(found: Any) -> None:
    """Prints what `frontier` gives: the entries on the front, the cheapest first, and what the scale is."""
    best = sorted(found.best.nonzero()[0], key=lambda entry: found.bits_per_step[entry])
    members = [
        {"bits_per_step": found.bits_per_step[e], "return": found.team_return[e]}
        | ({} if found.won[e] != found.won[e] else {"won": found.won[e]})
        | ({"worth": found.worth[e]} if found.normalized else {})
        for e in best
    ]
    names = [", ".join(filter(None, (found.run[e], found.name[e], found.edit[e]))) for e in best]
    if members:
        print_members(members, names)
    console, entries = PipedConsole(), len(found.run)
    scale = f"worth: 0 is the best silent team ({found.silent:g}), 1 the best informed one ({found.informed:g})"
    known = found.silent == found.silent and found.informed == found.informed  # neither is NaN
    unknown = "no scale: " + (
        f"a silent team can get as much here as the best informed one ({found.silent:g})"
        if known
        else "the task does not know the best silent and the best informed team: give --silent and --informed"
    )
    lines = [f"{len(best)} of {entries} are on the front: nobody else is as good for as few bits"]
    lines += [scale] if found.normalized else [unknown] if found.measure == "return" else []
    _print_lines(console, lines)


def print_training(found: Any) -> None:
    """Prints what `train` gives: a table of the members, seconds, and the folder."""
    summary, population = found.summary, found.population
    print_members(summary["members"], [population.name(member) for member in range(len(population))])
    seconds, compiling = summary["wall_seconds"], summary["compile_seconds"]
    print(f"{seconds:.0f} s, of which {compiling:.0f} s compiling; run: {found.folder}")


def print_findings(found: Sequence[Any]) -> None:
    """Prints what the doctor found, what is wrong below with what to do, and what only some tasks need."""
    marks = {"good": "", "wrong": "wrong", "absent": "absent"}
    print_tables({"": [(each.what, each.found, marks[each.state]) for each in found]}, ("what", "found", ""))
    console = PipedConsole()
    wrong = [each for each in found if each.state == "wrong"]
    _print_lines(console, [f"{each.what}: {each.do}" for each in found if each.state == "absent"])
    _print_lines(console, [f"WRONG {each.what}: {each.do}" for each in wrong] or ["nothing is wrong"])


def print_plan(plan: Any) -> None:
    """Prints what a sweep would train together, with which options of the task and settings, and a member's memory."""
    rows = [
        (
            part.name,
            f"{len(part.members)}",
            f"{part.steps:,}",
            " ".join(f"{key}={value}" for key, value in part.asked().items()),
            str(part.memory or "planned before"),
        )
        for part in plan.parts
    ]
    title = f"{plan.members} members in {len(plan.parts)} runs, one after the other"
    print_tables({title: rows}, ("run", "members", "steps", "settings", "memory of a member"))


def say_error(text: str) -> None:
    """Prints what went wrong, to stderr."""
    console = PipedConsole(stderr=True)
    console.print(f"marlcomm: {text}", style="red", markup=False, highlight=False, soft_wrap=True)


def say_warning(message: Warning | str, *_: Any) -> None:
    """Prints a warning to stderr, without the place in the code that it comes from."""
    console = PipedConsole(stderr=True)
    console.print(f"marlcomm: {message}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def _print_lines(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
