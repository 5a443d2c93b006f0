"""`make chaos-long`: runs one after the other with random seeds, and now and then three brokers, until the time is over or one differs."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console
from rich.table import Table

from shared.clock import monotonic
from tests.chaos.__main__ import INTERRUPTED, play
from tests.chaos.report import document
from tests.chaos.run import Options

THREE_BROKERS: Final = 4
"""Every so manieth run has three brokers."""


def main(arguments: Sequence[str]) -> int:
    """0 when no run differed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.long", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seconds", type=float, default=120, help="load of each run")
    parser.add_argument("--rate", type=float, default=60)
    parser.add_argument("--under", type=Path, default=Path("/tmp"), help="folder in which the homes are made")
    parser.add_argument("--json", type=Path, help="write all reports there")
    asked = parser.parse_args(arguments)
    console, until, reports = Console(), monotonic() + asked.minutes * 60, list[dict[str, object]]()
    while monotonic() < until:
        brokers = 3 if len(reports) % THREE_BROKERS == THREE_BROKERS - 1 else 1
        options = Options(seconds=asked.seconds, rate=asked.rate, seed=secrets.randbelow(10**9), brokers=brokers)
        console.rule(options.command)
        outcome = play(options, console, under=asked.under)
        reports.append(document(outcome))
        if asked.json is not None:
            asked.json.write_bytes(orjson.dumps(reports, option=orjson.OPT_INDENT_2))
        console.print(table(reports))
        if not outcome.passed:
            return 1
    return 0


COLUMNS: Final = {
    "seed": "seed",
    "brokers": "brokers",
    "acked": "accepted",
    "lost": "lost",
    "extra": "extra",
    "order_violations": "order",
    "kpi_differences": "KPI",
    "differences": "all",
    "quiet_after_s": "quiet after s",
}
"""What a report tells, and how it is headed where there is little room."""


def table(reports: Sequence[dict[str, object]]) -> Table:
    """A line per run."""
    shown = Table(title="Runs")
    for name, heading in COLUMNS.items():
        shown.add_column(heading, no_wrap=name == "seed", justify="right")
    shown.add_column("faults", justify="right")
    for found in reports:
        faults = found["faults"]
        count = sum(faults.values()) if isinstance(faults, dict) else 0
        shown.add_row(*(str(found[name]) for name in COLUMNS), str(count))
    return shown


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(INTERRUPTED)
