"""Judges the harness: a run with each planted bug must end with a difference, within five minutes. See mutants.py for the bugs."""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from shared.clock import monotonic
from tests.chaos.mutants import MUTANTS

LIMIT: Final = 300.0
"""Seconds within which a bug must be found, on a machine that does nothing else."""
STOP_TIME: Final = 60.0


@dataclass(frozen=True)
class Verdict:
    """What became of a run with a bug."""

    mutant: str
    found: bool
    seconds: float
    by: str
    """The first check that differed, with its first difference; or why nothing was found."""


def main(arguments: Sequence[str]) -> int:
    """0 when each bug was found in time."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutants --all", description=__doc__)
    parser.add_argument("--only", default=",".join(MUTANTS), help="names separated by commas")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for each run")
    parser.add_argument("--json", type=Path, help="write the verdicts there as well")
    asked = parser.parse_args(arguments)
    console = Console()
    verdicts = []
    for name in asked.only.split(","):
        console.print(f"{name}: {MUTANTS[name].about}", highlight=False)
        verdicts.append(judge(name, asked.seed, asked.limit))
        console.print(
            f"  {'found' if verdicts[-1].found else 'NOT FOUND'} after {verdicts[-1].seconds:.0f} s: {verdicts[-1].by}", markup=False
        )
    console.print(table(verdicts))
    if asked.json is not None:
        asked.json.write_bytes(orjson.dumps([asdict(verdict) for verdict in verdicts], option=orjson.OPT_INDENT_2))
    return 0 if all(verdict.found for verdict in verdicts) else 1


def judge(name: str, seed: int, limit: float = LIMIT) -> Verdict:
    """One run."""
    mutant = MUTANTS[name]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        log = Path(folder, "log")
        command = [
            *(sys.executable, "-m", "tests.chaos", "--mutant", name, "--seed", str(seed), "--json", str(report)),
            *("--seconds", f"{mutant.seconds:g}", "--rate", f"{mutant.rate:g}", "--faults", ",".join(mutant.faults)),
        ]
        began = monotonic()
        code = run(command, log, limit)
        seconds = monotonic() - began
        forget_home(log)
        if not report.exists():
            lines = log.read_text(errors="replace").splitlines()[-3:]
            why = "no verdict in time" if code is None else f"the run itself ended with code {code}"
            return Verdict(name, False, seconds, f"{why}: {' | '.join(lines)}")
        document = orjson.loads(report.read_bytes())
    return Verdict(name, code == 1, seconds, first_difference(document) if code == 1 else "no difference")


def run(command: Sequence[str], log: Path, limit: float) -> int | None:
    """The exit code; None when it took too long and was ended."""
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_TIME)
            except subprocess.TimeoutExpired:
                process.kill()
            return None


def forget_home(log: Path) -> None:
    """The run keeps the home of a platform that differs, for somebody to look at; nobody will."""
    if found := re.search(r"The home is kept: (\S+)", log.read_text(errors="replace")):
        shutil.rmtree(found[1], ignore_errors=True)


def first_difference(document: dict[str, Any]) -> str:
    """For people."""
    differing = {name: check["differences"] for name, check in document["checks"].items() if check["differences"]}
    return "; ".join(f"{name}: {found[0]} (of {len(found)})" for name, found in list(differing.items())[:1]) + (
        f"; and {len(differing) - 1} more checks" if len(differing) > 1 else ""
    )


def table(verdicts: Sequence[Verdict]) -> Table:
    """The verdicts, for people."""
    shown = Table("planted bug", "found", "after", "by", title="Does the harness find them?")
    for verdict in verdicts:
        shown.add_row(verdict.mutant, "yes" if verdict.found else "[red]NO[/red]", f"{verdict.seconds:.0f} s", verdict.by)
    return shown
