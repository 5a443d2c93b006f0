"""Judges the harness: a run with each planted bug must find it, within five minutes, and the very same run without the bug nothing.

Found is a bug only by one of the checks that it must betray itself to. See mutants.py for the bugs.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console
from rich.table import Table

from shared.clock import monotonic
from tests.chaos.mutants import MUTANTS, PATIENCE, SECONDS

LIMIT: Final = 300.0
"""Seconds within which a bug must be found, on a machine that does nothing else."""
STOP_TIME: Final = 60.0


@dataclass(frozen=True)
class Verdict:
    """What became of a run."""

    mutant: str
    is_planted: bool
    """Whether the bug was in the platform; without it the same load, faults and patience must do no harm."""
    right: bool
    """Whether the bug was found; without it, whether nothing was."""
    seconds: float
    by: str
    """The checks that differed, those that had to first; or why nothing is known."""


def main(arguments: Sequence[str]) -> int:
    """0 when each bug was found in time, and nothing without it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutants --all", description=__doc__)
    parser.add_argument("--only", default=",".join(MUTANTS), help="names separated by commas")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for each run")
    parser.add_argument("--json", type=Path, help="write the verdicts there as well")
    asked = parser.parse_args(arguments)
    console = Console()

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    verdicts = []
    for name in asked.only.split(","):
        for is_planted in (True, False):
            say(f"{name}: {MUTANTS[name].about if is_planted else 'the same run, and the platform as it is'}")
            verdict = judge(name, asked.seed, is_planted=is_planted, limit=asked.limit)
            say(f"  {'right' if verdict.right else 'WRONG'} after {verdict.seconds:.0f} s: {verdict.by}")
            verdicts.append(verdict)
    console.print(table(verdicts))
    if asked.json is not None:
        asked.json.write_bytes(orjson.dumps([asdict(verdict) for verdict in verdicts], option=orjson.OPT_INDENT_2))
    return 0 if all(verdict.right for verdict in verdicts) else 1


def judge(name: str, seed: int, *, is_planted: bool, limit: float = LIMIT) -> Verdict:
    """One run."""
    with tempfile.TemporaryDirectory() as folder:
        report, log = Path(folder, "report.json"), Path(folder, "log")
        began = monotonic()
        code = run(command_of(name, seed, report, is_planted=is_planted), log, limit)
        took = monotonic() - began
        forget_home(log)
        if not report.exists():
            lines = log.read_text(errors="replace").splitlines()[-3:]
            why = "no verdict in time" if code is None else f"the run itself ended with code {code}"
            return Verdict(name, is_planted, False, took, f"{why}: {' | '.join(lines)}")
        document = orjson.loads(report.read_bytes())
    differing = {check: found["differences"] for check, found in document["checks"].items() if found["differences"]}
    if not is_planted:
        return Verdict(name, False, code == 0, took, in_words(differing, ()))
    expected = MUTANTS[name].betrayed_by
    return Verdict(name, True, any(check.startswith(expected) for check in differing), took, in_words(differing, expected))


def command_of(name: str, seed: int, report: Path, *, is_planted: bool) -> list[str]:
    """What runs: the same but for the bug."""
    mutant = MUTANTS[name]
    return [
        *(sys.executable, "-m", "tests.chaos", "--seed", str(seed), "--json", str(report), *(("--mutant", name) if is_planted else ())),
        *("--seconds", f"{SECONDS:g}", "--rate", f"{mutant.rate:g}", "--faults", ",".join(mutant.faults), "--patience", f"{PATIENCE:g}"),
    ]


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


def in_words(differing: Mapping[str, Sequence[str]], first: tuple[str, ...]) -> str:
    """The checks that differed, those whose names begin as in `first` before the others, and an example."""
    ordered = sorted(differing, key=lambda check: not check.startswith(first))
    if not ordered:
        return "no difference"
    counts = "; ".join(f"{check} ({len(differing[check])})" for check in ordered)
    return f"{counts}. For instance: {differing[ordered[0]][0]}"


def table(verdicts: Sequence[Verdict]) -> Table:
    """The verdicts, for people."""
    shown = Table("bug", "planted", "right", "after", "by", title="Does the harness find them?")
    for verdict in verdicts:
        planted = "yes" if verdict.is_planted else "no"
        shown.add_row(verdict.mutant, planted, "yes" if verdict.right else "[red]NO[/red]", f"{verdict.seconds:.0f} s", verdict.by)
    return shown
