"""What commands print: tables, and messages about what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

COLUMNS = {
    "return": "return",
    "won": "won",
    "bits_per_step": "bits/step",
    "sent_fraction": "sent",
    "threshold": "threshold",
    "episode_length": "length",
    "env_steps": "steps",
    "updates": "updates",
}


def print_tables(tables: Mapping[str, Sequence[Sequence[str]]], columns: Sequence[str]) -> None:
    """Prints tables of words, each under its title."""
    console = Console()
    for title, rows in tables.items():
        table = Table(*columns, title=title, title_justify="left", show_lines=False)
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)


def print_members(members: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Prints a table with a row for each member of a population."""
    columns = [key for key in COLUMNS if key in members[0]]
    table = Table()
    table.add_column("member")
    for column in columns:
        table.add_column(COLUMNS[column], justify="right")
    for name, member in zip(names, members, strict=True):
        table.add_row(name, *(_cell(member[column]) for column in columns))
    Console().print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
