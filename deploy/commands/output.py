"""What commands print: a table for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, columns: Sequence[str], empty: str) -> None:
    """Print rows. ``columns`` are shown as a table; JSON holds every field."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        Console().print(empty)
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console().print(table)


def print_json(value: Any) -> None:
    """One JSON value and a line end."""
    sys.stdout.write(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode() + "\n")


def say(text: str, *, as_json: bool, **facts: Any) -> None:
    """One sentence, or its facts."""
    if as_json:
        print_json(facts)
    else:
        Console().print(text, highlight=False)


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
