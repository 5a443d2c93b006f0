"""Two instances of each service share the partitions, and nothing is counted twice: how the platform grows onto more machines.

One run, however many rounds are asked for: what is counted is right or wrong, and partitions are dealt out in the same way each time.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import httpx

from benchmarks import load, requests
from benchmarks.bench import Bench
from benchmarks.figure import Figure
from benchmarks.load import Load
from benchmarks.platform import SERVICES, Part, Platform
from services.metrics.commands import verify
from shared.clock import monotonic, real_now
from shared.database import Database

NAME = "instances"
ABOUT = "two instances of each service share the partitions, and nothing is counted twice"

TWICE: Final = tuple(Part(service, "all", ordinal) for service in SERVICES for ordinal in (0, 1))

SHARED_AFTER: Final = 300.0
"""Seconds until which every instance must have got its partitions; a few on a machine that is not busy."""

SMALL_WAVE: Final = 200
"""Requests that reach every partition."""

_APPLIED: Final = re.compile(r'^consumer_applied_total\{consumer="(\w+)",topic="([\w.]+)"\} ([\d.e+]+)$', re.MULTILINE)


async def run(bench: Bench) -> list[Figure]:
    """Send requests through both doors of intake, let everything settle, count everywhere."""
    async with bench.platform(TWICE) as platform:
        accepted = await _until_all_work(platform, bench)
        before = await applied(platform)
        count = bench.count(6_000, 1_000)
        bench.say(f"{count} requests through two instances of intake")
        accepted += await _send(platform, count, "wave")
        bench.say("waiting until everybody has applied everything")
        await platform.settle(timeout=600)
        counted = await _counted(platform)
        return [*_sharing(before, await applied(platform)), *_differences(accepted, counted, await _wrong_figures(platform))]


async def _until_all_work(platform: Platform, bench: Bench) -> int:
    """A second instance gets its partitions some seconds after the first: small waves until each has applied something; how many."""
    deadline = monotonic() + SHARED_AFTER
    accepted = 0
    for wave in itertools.count():
        bench.say("waiting until the partitions are shared")
        accepted += await _send(platform, SMALL_WAVE, f"first{wave}")
        await platform.settle(timeout=300)
        if all(events for instances in (await applied(platform)).values() for events in instances):
            break
        if monotonic() > deadline:
            raise TimeoutError(f"after {SHARED_AFTER:.0f} s one instance still does nothing: {await applied(platform)}")
        await asyncio.sleep(1)
    return accepted


async def _send(platform: Platform, count: int, name: str) -> int:
    """So many requests, half of them through each instance of intake; those that were accepted."""
    doors = [platform.url("intake", ordinal) for ordinal in (0, 1)]
    found = await asyncio.gather(*(_send_to(platform, door, f"{name}-{ordinal}", count // 2) for ordinal, door in enumerate(doors)))
    return sum(found)


async def _send_to(platform: Platform, door: str, name: str, count: int) -> int:
    calls = requests.creations(door, platform.headers("service"), name=name)
    measured = await load.run(Load(door, calls, seconds=600, warm_up=0, connections=16, most=count))
    if measured.broken or measured.unanswered:
        raise load.LoadFailed(f"{measured.broken} calls broken, {measured.unanswered} unanswered")
    return measured.accepted


# ------------------------------------------------------------------ sharing


async def applied(platform: Platform) -> Mapping[str, Sequence[int]]:
    """`{consumer: events that each of its instances has applied}`, as they say of themselves."""
    found: dict[str, list[int]] = defaultdict(list)
    async with httpx.AsyncClient() as client:
        for service in SERVICES:
            for door in platform.doors[service]:
                text = (await client.get(f"{door}/metrics")).text
                found[service].append(sum(int(float(events)) for _, _, events in _APPLIED.findall(text)))
    return found


def _sharing(before: Mapping[str, Sequence[int]], after: Mapping[str, Sequence[int]]) -> list[Figure]:
    found = {service: [late - early for early, late in zip(before[service], after[service], strict=True)] for service in after}
    return [
        Figure.of(
            f"two instances of {service}: share of the second one",
            [instances[1] / max(1, sum(instances)) * 100],
            "%",
            beside=f"of {sum(instances):,} events that both applied",
            target=">= 25 %",
            bound="the partitions of the keys: 12 logs per topic, dealt out evenly; one run",
        )
        for service, instances in found.items()
    ]


# ------------------------------------------------------------------ counting


async def _counted(platform: Platform) -> dict[str, int]:
    """How many requests each of them knows."""
    return {
        "requests in intake": await _count(platform, "intake", "SELECT count(*) FROM request"),
        "tickets in tickets": await _count(platform, "tickets", "SELECT count(*) FROM ticket"),
        "openings in the event log": await _count(platform, "metrics", "SELECT count(*) FROM event_log WHERE type = 'ticket.opened.v1'"),
        "tickets_opened of the KPIs": await _kpi(platform),
    }


async def _count(platform: Platform, service: str, sql: str) -> int:
    (row,) = await platform.fetch(service, sql)
    return int(row["count"])


async def _kpi(platform: Platform) -> int:
    """As anybody asks for it."""
    today = real_now().date()
    asked = {"kpi": "tickets_opened", "from": str(today - timedelta(days=2)), "to": str(today + timedelta(days=2))}
    async with httpx.AsyncClient(headers=platform.headers("manager")) as client:
        answer = await client.get(f"{platform.url('metrics')}/v1/kpis", params=asked)
        answer.raise_for_status()
        items: list[dict[str, Any]] = answer.json()["items"]
    return int(sum(item["value"] for item in items))


async def _wrong_figures(platform: Platform) -> int:
    """What `aftercare kpi verify` finds."""
    database = Database(platform.databases["metrics"], pool_size=2, application_name="benchmarks")
    try:
        return len(await verify(database))
    finally:
        await database.close()


def _differences(accepted: int, counted: Mapping[str, int], wrong: int) -> list[Figure]:
    beside = f"of {accepted:,} accepted"
    figures = [
        Figure.of(
            f"two instances: difference of {what}",
            [abs(found - accepted)],
            "requests",
            beside=beside,
            target="<= 0 requests",
            bound="one run",
        )
        for what, found in counted.items()
    ]
    proved = Figure.of(
        "two instances: figures that differ from the event log (kpi verify)", [wrong], "rows", target="<= 0 rows", bound="one run"
    )
    return [*figures, proved]
