"""`python -m deploy.demo`, that is `make demo`: plays some days of a service department on the platform that `make run` started.

Days pass in seconds: the services are given a fast business clock whose end is about now, and real time again afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.demo import report
from deploy.demo.cast import NotSetUp, set_up
from deploy.demo.client import Api, Away
from deploy.demo.customers import Customers
from deploy.demo.ledger import Ledger
from deploy.demo.mailbox import Mailbox
from deploy.demo.staff import Colleague, Desk, Lead
from deploy.demo.stage import NoPlatform, Stage
from deploy.demo.story import Story, tell
from deploy.demo.times import Times
from deploy.local.home import Home
from shared import clock

LAST_DAY: Final = timedelta(days=1)
"""Nobody writes any more; what was begun is finished."""


def main(
    requests: Annotated[int, typer.Option(help="About how many matters customers write about.", min=20, max=20_000)] = 300,
    days: Annotated[float, typer.Option(help="Days that pass, the last one without new requests.", min=2, max=60)] = 10,
    seconds: Annotated[float, typer.Option(help="How long they take.", min=20, max=3600)] = 150,
    seed: Annotated[int | None, typer.Option(help="Tells the same story again; by default another one each time.", min=0)] = None,
) -> None:
    """Play the demo; exit code 1 when something is missing, lost or cannot be proved."""
    console = Console()
    chosen = int(clock.real_now().timestamp()) % 100_000 if seed is None else seed
    try:
        passed = asyncio.run(_play(console, chosen, requests, timedelta(days=days), timedelta(seconds=seconds)))
    except (NoPlatform, NotSetUp, Away, report.NotQuiet) as reason:
        console.print(str(reason), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from reason
    raise typer.Exit(0 if passed else 1)


async def _play(console: Console, seed: int, requests: int, span: timedelta, real: timedelta) -> bool:
    stage = Stage.of(Home.from_environment())
    stage.tell()
    zone = ZoneInfo(stage.environment["AFTERCARE_ZONE"])
    ledger = Ledger()
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(timeout=15, limits=limits) as client:
        colleagues = await set_up(stage, client, ledger.waits, clock.real_now() - 2 * span)
        console.print(f"Story {seed}: {span.days} days in {real.total_seconds():.0f} s. The services get a fast clock.", highlight=False)
        async with stage.fast_clock(span, real) as fast:
            times = Times(fast, zone)
            begin = fast.business_start.astimezone(zone)
            story = tell(seed, start=begin, days=(span - LAST_DAY) / timedelta(days=1), requests=requests)
            await _act(console, stage, client, story, times, colleagues, ledger)
        console.print("Real time again; waiting until everything has arrived.", highlight=False)
        await report.await_quiet()
        manager = Api(client, stage.urls, stage.key("admin"), ledger.waits)
        outcome = await report.look(manager, ledger, begin, begin + span, zone.key)
    report.show(console, outcome, ledger)
    console.print(f"\nDashboard: {stage.urls['metrics']}/dashboard (sign in with a key of {stage.home.keys})", highlight=False)
    for name in outcome.missing:
        console.print(f"Nothing was {name}: the demo shows too little. Try another --seed, or more --requests.", style="red")
    return outcome.passed


async def _act(
    console: Console, stage: Stage, client: httpx.AsyncClient, story: Story, times: Times, colleagues: list[Colleague], ledger: Ledger
) -> None:
    """Everybody plays until the last day is over."""
    desk, channels, lead = (Api(client, stage.urls, stage.key(role), ledger.waits) for role in ("agent", "bot", "lead"))
    customers = Customers(story, times, desk, channels, Mailbox(stage.home.path / "mail"), ledger)
    players = [customers.read_mail(), Lead(lead, times, ledger).work(), *(Desk(who, times, ledger).work() for who in colleagues)]
    async with _beside([*players, _show_progress(console, story, times, ledger)]):
        await customers.write()
        await times.until(story.end + LAST_DAY)


@asynccontextmanager
async def _beside(others: list[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run the others while the block runs; the first that fails ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(other) for other in others]
        yield
        for task in tasks:
            task.cancel()


async def _show_progress(console: Console, story: Story, times: Times, ledger: Ledger) -> None:
    """Until cancelled: how far the story is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=console) as shown:
        task = shown.add_task("matters", total=len(story.matters), told="")
        while True:
            done = ledger.done
            counts = f"{done['resolutions']} resolutions, {done['surveys answered']} answers, {done['merges']} merges"
            told = f"{times.now():%a %d %b %H:%M}  {counts}"
            shown.update(task, completed=len(ledger.first), told=told)
            await asyncio.sleep(0.5)


if __name__ == "__main__":
    typer.run(main)
