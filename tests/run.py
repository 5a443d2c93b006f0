"""`make test`: the whole suite, part by part, with the time of each part beside its budget and everything that was skipped.

The parts are sets of markers; the last one takes what no other part took, so that a test without a marker still runs. Under CI=true a
skipped test is a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

from shared.clock import monotonic

NO_TESTS: Final = 5
"""pytest's exit code when nothing matched."""


@dataclass(frozen=True)
class Part:
    """Some of the suite. ``budget`` in seconds on two cores is a wish that the table shows, not a limit."""

    name: str
    markers: str
    budget: int
    workers: int = 1


PARTS: Final = (
    Part("pure", "pure", 60, workers=2),
    Part("PostgreSQL", "(postgres or api) and not (pure or kafka or apache_kafka or schemathesis or journey)", 100, workers=2),
    Part("Kafka", "(kafka or apache_kafka) and not (pure or schemathesis or journey)", 140, workers=2),
    Part("schemathesis", "schemathesis", 60),
    Part("journeys", "journey and not schemathesis", 60),
    Part("chaos", "chaos", 150),
    Part("everything else", "not (pure or postgres or api or kafka or apache_kafka or schemathesis or journey or chaos)", 60),
)


@dataclass
class Outcome:
    """How one part went."""

    part: Part
    seconds: float
    code: int
    counts: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.code in (0, NO_TESTS)


def main(arguments: Sequence[str]) -> int:
    """Run every part, even after one failed; 0 when all passed and, under CI, nothing was skipped."""
    outcomes = [run(part, arguments) for part in PARTS]
    console = Console()
    console.print(table(outcomes))
    skipped = [reason for outcome in outcomes for reason in outcome.skipped]
    for reason in skipped:
        console.print(f"skipped: {reason}", markup=False)
    total: Counter[str] = sum((outcome.counts for outcome in outcomes), Counter())
    sys.stdout.write(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped\n")
    strict = os.environ.get("CI") == "true"
    if strict and skipped:
        console.print("CI=true: nothing may be skipped")
    return 0 if all(outcome.passed for outcome in outcomes) and total["passed"] and not (strict and skipped) else 1


def run(part: Part, arguments: Sequence[str]) -> Outcome:
    """Run one part in a pytest of its own."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        workers = ["-n", str(part.workers), "--dist", "loadfile"] if part.workers > 1 else []
        command = [sys.executable, "-m", "pytest", "-q", "-m", part.markers, f"--junit-xml={report}", *workers, *arguments]
        sys.stdout.write(f"\n--- {part.name}\n")
        sys.stdout.flush()
        started = monotonic()
        code = subprocess.run(command, check=False).returncode
        outcome = Outcome(part, monotonic() - started, code)
        if report.exists():
            count(outcome, report)
        return outcome


def count(outcome: Outcome, report: Path) -> None:
    """Read pytest's own report."""
    # written by the pytest that this process started a moment ago
    for case in ElementTree.parse(report).iter("testcase"):
        skip = case.find("skipped")
        if skip is not None:
            outcome.counts["skipped"] += 1
            outcome.skipped.append(f"{case.get('classname')}::{case.get('name')}: {skip.get('message')}")
        elif case.find("failure") is not None or case.find("error") is not None:
            outcome.counts["failed"] += 1
        else:
            outcome.counts["passed"] += 1


def table(outcomes: Sequence[Outcome]) -> Table:
    """Where the time went."""
    shown = Table("part", "passed", "failed", "skipped", "seconds", "budget", title="Where the time went")
    for outcome in outcomes:
        over = outcome.seconds > outcome.part.budget
        shown.add_row(
            outcome.part.name,
            str(outcome.counts["passed"]),
            f"[red]{outcome.counts['failed']}[/red]" if not outcome.passed else "0",
            str(outcome.counts["skipped"]),
            f"[yellow]{outcome.seconds:.0f}[/yellow]" if over else f"{outcome.seconds:.0f}",
            str(outcome.part.budget),
        )
    shown.add_section()
    shown.add_row("all", "", "", "", f"{sum(outcome.seconds for outcome in outcomes):.0f}", "480")
    return shown


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
