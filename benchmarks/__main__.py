"""`python -m benchmarks`, that is `make bench`: measure, tell how far it is, keep the figures."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

from rich.console import Console

from benchmarks import machine, report
from benchmarks.bench import Bench
from benchmarks.figure import Figure
from deploy.local.supervisor import StopRequested, request_stop, stop_signals
from shared import telemetry
from shared.clock import monotonic, real_now
from shared.runtime import release

ORDER: Final = (
    "accept",
    "chain",
    "latency",
    "tickets_consumer",
    "metrics_consumer",
    "relay",
    "reads",
    "kpi_reads",
    "rebuild",
    "growth",
    "timers",
    "memory",
    "instances",
    "peers",
)
"""The modules of this package that are benchmarks, as the report has them."""

ON_REQUEST: Final = frozenset({"peers"})
"""Measured only when they are named: they need more than `make setup` installs."""


Teller = Callable[[str], None]


class Benchmark(Protocol):
    """What a benchmark's module has."""

    NAME: str
    ABOUT: str

    async def run(self, bench: Bench) -> list[Figure]:
        """Measure."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every figure reaches its target, 1 when one does not or could not be measured, 2 when asked for what is not there."""
    console = Console()
    asked = _parser().parse_args(arguments)
    known = {benchmark.NAME: benchmark for benchmark in map(_load, ORDER)}
    if asked.list:
        for name, benchmark in known.items():
            console.print(f"{name:<18} {benchmark.ABOUT}", highlight=False, soft_wrap=True)
        return 0
    chosen = asked.only.split(",") if asked.only else [name for name in known if name not in ON_REQUEST]
    if unknown := [name for name in chosen if name not in known]:
        console.print(f"No benchmark {', '.join(unknown)}; there are {', '.join(known)}", style="red")
        return 2
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # topics come and go here, and it wonders at each
    # for what services say that run in this process
    telemetry.configure_logs(service="benchmarks", version=release(), env="local", level="WARNING")
    with stop_signals(request_stop):
        try:
            return _run([known[name] for name in chosen], asked.rounds, quick=asked.quick, order=list(known), console=console)
        except StopRequested:
            console.print("Stopped")
            return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Aftercare side by side with its limits.")
    parser.add_argument("--list", action="store_true", help="say which benchmarks there are")
    parser.add_argument("--only", default="", metavar="A,B", help="only these; the figures of the others are kept")
    parser.add_argument("--rounds", type=int, default=3, help="how often each comparison is repeated (3)")
    parser.add_argument("--quick", action="store_true", help="one short round each: shows that everything works, proves no figure")
    return parser


def _load(module: str) -> Benchmark:
    return cast(Benchmark, importlib.import_module(f"benchmarks.{module}"))


def _run(chosen: Sequence[Benchmark], rounds: int, *, quick: bool, order: Sequence[str], console: Console) -> int:
    entries: list[report.Entry] = []
    failed: list[str] = []
    with console.status("Starting") as status, Bench(rounds=1 if quick else rounds, quick=quick) as bench:
        facts = machine.examine(bench.postgres)
        for index, benchmark in enumerate(chosen, 1):
            bench.say = _teller(console, status.update, f"{index}/{len(chosen)} {benchmark.NAME}")
            try:
                entries += _measure(benchmark, bench, console)
            except Exception:  # the others are measured all the same, and the exit code tells
                console.print_exception()
                failed.append(benchmark.NAME)
            else:
                report.keep(entries, order, facts)
    report.show(entries, console)
    console.print(f"All figures: {report.RESULTS}/results.md, figures.json, figures.svg", highlight=False)
    if failed:
        console.print(f"Not measured, because of an error: {', '.join(failed)}", style="red")
    return 0 if not failed and all(entry.figure.ok for entry in entries) else 1


def _measure(benchmark: Benchmark, bench: Bench, console: Console) -> list[report.Entry]:
    pace, began_at = machine.pace(), monotonic()
    figures = asyncio.run(benchmark.run(bench))
    took, paces = monotonic() - began_at, (pace, machine.pace())
    console.print(f"[bold]{benchmark.NAME}[/] measured in {took:.0f} s; pace {report.in_words(paces)}", highlight=False)
    now = real_now().isoformat(timespec="seconds")
    return [report.Entry(benchmark.NAME, now, bench.quick, paces, figure) for figure in figures]


def _teller(console: Console, update: Teller, name: str) -> Teller:
    """On a terminal a line that changes; elsewhere lines, one after the other."""

    def say(text: str) -> None:
        if console.is_terminal:
            update(f"{name}: {text}")
        else:
            console.print(f"{name}: {text}", highlight=False, soft_wrap=True)

    return say


if __name__ == "__main__":
    sys.exit(main())
