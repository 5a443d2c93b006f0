"""What a run tells: a table for people, JSON for machines."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from tests.chaos.reconcile.check import SHOWN
from tests.chaos.run import Outcome

KPI: Final = "kpi:"


def document(outcome: Outcome) -> dict[str, Any]:
    """Everything, for machines."""
    options, ledger = outcome.options, outcome.ledger
    by_name = {check.name: len(check.differences) for check in outcome.checks}
    latencies = sorted(ledger.latencies)
    return {
        "seed": options.seed,
        "seconds": options.seconds,
        "rate": options.rate,
        "brokers": options.brokers,
        "mutant": options.mutant,
        "passed": outcome.passed,
        "acked": len(ledger.by_reference),
        "unsure": sum(not entry.is_acknowledged for entry in ledger.entries.values()),
        "lost": _sum(by_name, "lost:"),
        "extra": _sum(by_name, "extra:"),
        "order_violations": _sum(by_name, "order:"),
        "kpi_differences": _sum(by_name, KPI),
        "differences": outcome.differences,
        "faults": dict(Counter(struck.name for struck in outcome.struck if not struck.skipped)),
        "skipped": _skipped(outcome),
        "quiet_after_s": None if outcome.quiet_after is None else round(outcome.quiet_after, 1),
        "latency_ms": {name: round(_quantile(latencies, share) * 1000, 1) for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))},
        "most_behind": outcome.most_behind,
        "done": dict(sorted(ledger.done.items())),
        "deaths": dict(outcome.deaths),
        "died_by_themselves": outcome.died_by_themselves,
        "checks": {check.name: {"looked_at": check.looked_at, "differences": check.differences} for check in outcome.checks},
        "replay": options.command,
    }


def write(outcome: Outcome, path: Path) -> None:
    """The document as a file."""
    path.write_bytes(orjson.dumps(document(outcome), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def show(outcome: Outcome, console: Console) -> None:
    """The tables."""
    console.print(_happened(outcome))
    console.print(_checked(outcome))
    for check in outcome.checks:
        for difference in check.differences[:SHOWN]:
            console.print(f"  {check.name}: {difference}", style="red", markup=False, highlight=False, soft_wrap=True)
    found = document(outcome)
    quiet = "never quiet" if outcome.quiet_after is None else f"quiet after {outcome.quiet_after:.1f} s"
    verdict = "no difference" if outcome.passed else f"{outcome.differences} DIFFERENCES" if found["acked"] else "NOTHING WAS ACCEPTED"
    console.print(
        f"seed {found['seed']}: {found['acked']} accepted, lost {found['lost']}, extra {found['extra']}, out of order"
        f" {found['order_violations']}, kpi differences {found['kpi_differences']}, {quiet}: {verdict}",
        style="green" if outcome.passed else "red",
        highlight=False,
    )


def _happened(outcome: Outcome) -> Table:
    shown = Table("what", "how often", title="What happened")
    faults = Counter(struck.name for struck in outcome.struck if not struck.skipped)
    for name, count in sorted(faults.items()):
        shown.add_row(f"fault: {name}", str(count))
    for name, reasons in sorted(_skipped(outcome).items()):
        shown.add_row(f"skipped: {name}", "; ".join(reasons))
    for death in outcome.died_by_themselves:
        shown.add_row(f"[yellow]ended by itself: {death}[/yellow]", "1")
    shown.add_section()
    for name, count in sorted(outcome.ledger.done.items()):
        shown.add_row(name, str(count))
    return shown


def _checked(outcome: Outcome) -> Table:
    shown = Table("invariant", "looked at", "differences", title="What was checked")
    for check in outcome.checks:
        count = len(check.differences)
        shown.add_row(check.name, str(check.looked_at), f"[red]{count}[/red]" if count else "0")
    return shown


def _skipped(outcome: Outcome) -> dict[str, list[str]]:
    """Why faults that were planned did not strike."""
    found: dict[str, list[str]] = {}
    for struck in outcome.struck:
        if struck.skipped:
            found.setdefault(struck.name, []).append(struck.what)
    return found


def _sum(by_name: dict[str, int], prefix: str) -> int:
    return sum(count for name, count in by_name.items() if name.startswith(prefix))


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
