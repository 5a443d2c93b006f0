"""What remains of a run: `figures.json` for machines, `results.md` for people, `figures.svg` for a glance, and the table on the terminal.

A run of some benchmarks replaces their figures and keeps the others'.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.figure import Figure
from benchmarks.machine import Machine
from benchmarks.picture import draw

RESULTS: Final = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Entry:
    """A figure as it is kept."""

    benchmark: str
    measured_at: str
    is_quick: bool
    pace: tuple[float, ...]
    """`machine.pace` before the benchmark and after it; none of a figure of a release that did not look."""
    figure: Figure

    def as_json(self) -> dict[str, Any]:
        """Flat, for machines."""
        told = {"benchmark": self.benchmark, "measured_at": self.measured_at, "quick": self.is_quick, "pace": self.pace}
        return {**asdict(self.figure), **told}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Entry:
        """The opposite of `as_json`."""
        values = {field.name: data[field.name] for field in fields(Figure)}
        values["spread"] = None if values["spread"] is None else tuple(values["spread"])
        return cls(data["benchmark"], data["measured_at"], data["quick"], tuple(data.get("pace", ())), Figure(**values))


def keep(new: Sequence[Entry], order: Sequence[str], machine: Machine, folder: Path = RESULTS) -> list[Entry]:
    """Put new figures in the place of the earlier ones of the same benchmarks, and write all files; all figures there are now."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "figures.json"
    known = [Entry.from_json(data) for data in json.loads(file.read_text())] if file.exists() else []
    replaced = {entry.benchmark for entry in new}
    entries = [*(entry for entry in known if entry.benchmark not in replaced), *new]
    entries.sort(key=lambda entry: order.index(entry.benchmark) if entry.benchmark in order else len(order))
    file.write_text(json.dumps([entry.as_json() for entry in entries], indent=1, ensure_ascii=False) + "\n")
    (folder / "results.md").write_text(markdown(entries, machine))
    (folder / "figures.svg").write_text(draw([entry.figure for entry in entries]))
    return entries


# ------------------------------------------------------------------ for people


def show(entries: Sequence[Entry], console: Console) -> None:
    """The table on the terminal."""
    table = Table(title="Aftercare beside its limits", title_justify="left")
    for heading in ("what", "value", "beside", "ratio", "target", ""):
        table.add_column(heading, justify="right" if heading in {"value", "ratio"} else "left", overflow="fold")
    for entry in entries:
        figure = entry.figure
        mark = "" if not figure.target else "[green]yes[/]" if figure.ok else "[red]no[/]"
        table.add_row(figure.what, _value(figure), _beside(figure), _ratio(figure), figure.target, mark)
    console.print(table)


def markdown(entries: Sequence[Entry], machine: Machine) -> str:
    """The same with the machine, the spread and what bounds each figure."""
    facts = "\n".join(f"| {name} | {value} |" for name, value in machine.facts)
    head = (
        "# Aftercare beside its limits\n\nMade by `make bench`; what each figure means is in [README.md](../README.md). A run of some"
        " benchmarks replaces their figures only:\neach says when it was measured (UTC) and at which pace of the machine: seconds of ten"
        " million additions in a loop of Python, before and after.\n"
    )
    table = [
        "| what | value | spread | beside | ratio | target | reached | what bounds it | measured | pace |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    table += [_row(entry) for entry in entries]
    picture = "![All figures with a target](figures.svg)\n"
    return f"{head}\n| machine | |\n|---|---|\n{facts}\n\n" + "\n".join(table) + f"\n\n{picture}"


def _row(entry: Entry) -> str:
    figure = entry.figure
    reached = "" if not figure.target else "yes" if figure.ok else "**no**"
    what = figure.what + (" (quick)" if entry.is_quick else "")
    measured = f"{datetime.fromisoformat(entry.measured_at).astimezone(UTC):%Y-%m-%d %H:%M}"
    told = [what, _value(figure), _spread(figure), _beside(figure), _ratio(figure), figure.target, reached, figure.bound]
    cells = [*told, measured, in_words(entry.pace)]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def in_words(pace: Sequence[float]) -> str:
    """For people: `0.57, then 0.61 s`."""
    return f"{', then '.join(f'{seconds:.2f}' for seconds in pace)} s" if pace else ""


def number(value: float) -> str:
    """Three digits that count, and no more than that."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _value(figure: Figure) -> str:
    return f"{number(figure.value)} {figure.unit}".strip()


def _spread(figure: Figure) -> str:
    return "" if figure.spread is None else f"{number(figure.spread[0])} - {number(figure.spread[1])}"


def _beside(figure: Figure) -> str:
    if figure.beside_value is None:
        return figure.beside
    return f"{figure.beside}: {number(figure.beside_value)}"


def _ratio(figure: Figure) -> str:
    return "" if figure.ratio is None else f"{figure.ratio:.2f}"
