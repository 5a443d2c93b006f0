"""`make test`: the whole suite, with the time of each part beside its budget and everything that was skipped.

What needs the machine for itself, because the whole platform runs in it, runs one after the other; all other tests share two workers, so
that one waits for a broker while the other one computes. Both runs together take every test, whatever its markers. Under CI=true a skipped
test is a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

from shared.clock import monotonic
from tests.parts import NOTE, PARTS

NO_TESTS: Final = 5
"""pytest's exit code when nothing matched."""

NOT_COLLECTED: Final = "not collected"
"""In place of a part: a file that could not be read has tests of whatever part."""

BUDGET: Final = 600
"""Seconds for everything, on two cores."""


@dataclass(frozen=True)
class Run:
    """Tests that one pytest runs."""

    name: str
    markers: str
    options: tuple[str, ...] = ()


RUNS: Final = (
    Run("side by side", "not (journey or chaos)", ("-n", "2", "--dist", "worksteal")),
    Run("alone", "journey or chaos"),
)


@dataclass
class Outcome:
    """How one run went, part by part."""

    run: Run
    seconds: float
    code: int
    parts: dict[str, Counter[str]] = field(default_factory=dict)
    times: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Seconds of a worker by part."""
    skipped: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.code in (0, NO_TESTS)


def main(arguments: Sequence[str]) -> int:
    """Make all runs, even after one failed; 0 when all passed and, under CI, nothing was skipped."""
    outcomes = [outcome_of(run, arguments) for run in RUNS]
    console = Console()
    console.print(table(outcomes))
    skipped = [reason for outcome in outcomes for reason in outcome.skipped]
    for reason in skipped:
        console.print(f"skipped: {reason}", markup=False)
    total: Counter[str] = sum((counts for outcome in outcomes for counts in outcome.parts.values()), Counter())
    sys.stdout.write(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped\n")
    strict = os.environ.get("CI") == "true"
    if strict and skipped:
        console.print("CI=true: nothing may be skipped")
    return 0 if all(outcome.passed for outcome in outcomes) and total["passed"] and not (strict and skipped) else 1


def outcome_of(run: Run, arguments: Sequence[str]) -> Outcome:
    """Run a pytest."""
    # compiled tests are kept: each worker needs them all, and compiling them takes it longer than collecting them
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "-p", "tests.parts", "-m", run.markers, f"--junit-xml={report}", *run.options]
        sys.stdout.write(f"\n--- {run.name}\n")
        sys.stdout.flush()
        started = monotonic()
        code = subprocess.run([sys.executable, "-m", "pytest", *options, *arguments], check=False, env=environment).returncode
        outcome = Outcome(run, monotonic() - started, code)
        if report.exists():
            count(outcome, report)
        return outcome


def count(outcome: Outcome, report: Path) -> None:
    """Read pytest's own report."""
    # written by the pytest that this process started a moment ago
    for case in ElementTree.parse(report).iter("testcase"):
        part = part_of(case)
        counts = outcome.parts.setdefault(part, Counter())
        outcome.times[part] += float(case.get("time", 0))
        skip = case.find("skipped")
        if skip is not None:
            counts["skipped"] += 1
            outcome.skipped.append(f"{case.get('classname')}::{case.get('name')}: {skip.get('message')}")
        elif case.find("failure") is not None or case.find("error") is not None:
            counts["failed"] += 1
        else:
            counts["passed"] += 1


def part_of(case: ElementTree.Element) -> str:
    """The part that a test is of."""
    found = case.find(f"properties/property[@name='{NOTE}']")
    return NOT_COLLECTED if found is None else str(found.get("value"))


def table(outcomes: Sequence[Outcome]) -> Table:
    """Where the time went: of each part the time of its tests, of each run what the clock said."""
    shown = Table("part", "passed", "failed", "skipped", "seconds", "budget", title="Where the time went")
    budgets = {part.name: part.budget for part in PARTS} | {NOT_COLLECTED: 0}
    for outcome in outcomes:
        for part in sorted(outcome.parts, key=[*budgets].index):
            counts, seconds, budget = outcome.parts[part], outcome.times[part], budgets[part]
            failed = f"[red]{counts['failed']}[/red]" if counts["failed"] else "0"
            time = f"[yellow]{seconds:.0f}[/yellow]" if seconds > budget else f"{seconds:.0f}"
            shown.add_row(part, str(counts["passed"]), failed, str(counts["skipped"]), time, str(budget))
        ended = "" if outcome.passed else f"[red]exit code {outcome.code}[/red]"
        shown.add_row(f"{outcome.run.name}, by the clock", "", ended, "", f"{outcome.seconds:.0f}", "")
        shown.add_section()
    shown.add_row("all, by the clock", "", "", "", f"{sum(outcome.seconds for outcome in outcomes):.0f}", str(BUDGET))
    return shown


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
