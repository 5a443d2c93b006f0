"""`python -m tests.chaos`: load the real platform, break it, let it rest, and compare it with what it promised.

Exit code 0: no difference; 1: differences, or no rest; 2: misused. The home is kept when there is something to look at.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from deploy.local.home import Home
from tests.chaos import mutants, report
from tests.chaos.platform import forget, new_home
from tests.chaos.run import PATIENCE, Options, Outcome, Say, run, wrappers
from tests.chaos.schedule import UnknownFault, choose

INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """One run."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        choose(_options(asked).faults, asked.brokers)
    except UnknownFault as unknown:
        parser.error(str(unknown))
    try:
        outcome = play(_options(asked), Console(), json=asked.json, keep=asked.keep, under=asked.under)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    return 0 if outcome.passed else 1


def options_of(arguments: Sequence[str]) -> Options:
    """What a command line asks for."""
    return _options(_parser().parse_args(arguments))


def _options(asked: argparse.Namespace) -> Options:
    faults = () if asked.faults == "none" else tuple(asked.faults.split(","))
    return Options(asked.seconds, asked.rate, faults, asked.seed, asked.brokers, asked.mutant, asked.patience)


def play(options: Options, console: Console, *, json: Path | None = None, keep: bool = False, under: Path = Path("/tmp")) -> Outcome:
    """Run, tell, and clear away what nobody needs to look at. ``under``: where the home is made."""
    home = new_home(under)

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    try:
        outcome = asyncio.run(_interruptible(options, home, say))
    except BaseException:
        say(f"The home is kept: {home.path}\nAgain: {options.command}")
        raise
    report.show(outcome, console)
    if json is not None:
        report.write(outcome, json)
    if outcome.passed and not keep:
        forget(home)
    else:
        report.write(outcome, home.path / "report.json")
        say(f"The home is kept: {home.path}\nAgain: {options.command}")
    return outcome


async def _interruptible(options: Options, home: Home, say: Say) -> Outcome:
    """SIGTERM and SIGHUP end it like Ctrl-C."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await run(options, home, wrappers(mutants.wrapper(options.mutant) if options.mutant else {}), say)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long the load lasts")
    parser.add_argument("--rate", type=float, default=60, help="requests a second")
    parser.add_argument("--faults", default="all", help="all, none, or names separated by commas")
    parser.add_argument("--seed", type=int, default=1, help="everything derives from it")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--json", type=Path, help="write the report there as well")
    parser.add_argument("--mutant", choices=tuple(mutants.MUTANTS), help="plant this bug first: the run must find it (see mutants.py)")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE, help="seconds for work in hand after the load, and again for coming to rest"
    )
    parser.add_argument("--under", type=Path, default=Path("/tmp"), help="where the home is made; /dev/shm if the disk is slow")
    parser.add_argument("--keep", action="store_true", help="keep the home of a run that went well")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
