"""Each hop of the chain alone: everything before it is done already, nothing after it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from benchmarks import load, requests
from benchmarks.bench import UNLIMITED, Bench
from benchmarks.load import Load
from benchmarks.platform import LOOK, SERVICES, Part, Platform, running
from shared.clock import monotonic

Hop = str

ACCEPT: Final = "accepting"
INTAKE_RELAY: Final = "intake's relay"
TO_TICKETS: Final = "topic to tickets"
TICKETS_RELAY: Final = "tickets' relay"
TO_METRICS: Final = "topic to metrics"

ALONE: Final = (ACCEPT, INTAKE_RELAY, TO_TICKETS, TICKETS_RELAY, TO_METRICS)

CALLERS: Final = 128
PATIENCE: Final = 600.0
"""Seconds that one hop may take."""

Left = Callable[[Platform], Awaitable[int]]
"""How much a hop has still to do."""


@dataclass(frozen=True)
class _Step:
    hop: Hop
    part: Part
    left: Left


def _unsent(service: str, topic: str) -> Left:
    async def left(platform: Platform) -> int:
        sql = "SELECT sum(h.head - c.seq)::bigint AS unsent FROM outbox_head h JOIN outbox_cursor c USING (topic, part) WHERE topic = $1"
        (row,) = await platform.fetch(service, sql, topic)
        return int(row["unsent"] or 0)

    return left


def _unread(consumer: str, *topics: str) -> Left:
    async def left(platform: Platform) -> int:
        behind = await platform.behind()
        return sum(behind[topic, consumer] for topic in topics)

    return left


_STEPS: Final = (
    _Step(INTAKE_RELAY, Part("intake", "relay"), _unsent("intake", "aftercare.intake")),
    _Step(TO_TICKETS, Part("tickets", "consume"), _unread("tickets", "aftercare.intake")),
    _Step(TICKETS_RELAY, Part("tickets", "relay"), _unsent("tickets", "aftercare.tickets")),
    _Step(TO_METRICS, Part("metrics", "consume"), _unread("metrics", "aftercare.intake", "aftercare.tickets")),
)


async def alone(bench: Bench, turn: int) -> dict[Hop, float]:
    """Requests a second of each hop, one after the other over the same databases and topics."""
    async with bench.kafka() as kafka:
        databases = {service: await bench.database_url(service) for service in SERVICES}
        env = UNLIMITED | {"INTAKE_ACKNOWLEDGE": "false"}

        async def with_part(part: Part, work: Callable[[Platform], Awaitable[float]]) -> float:
            folder = bench.folder / f"hops-{turn}-{part.name}"
            async with running(folder, [part], databases, kafka, bench.servers, env) as platform:
                return await work(platform)

        accepted = 0

        async def accept(platform: Platform) -> float:
            nonlocal accepted
            calls = requests.creations(platform.url("intake"), platform.headers("service"), name="h")
            sent = await load.run(Load(platform.url("intake"), calls, bench.seconds(30, 5), connections=CALLERS))
            accepted = sent.accepted
            return sent.rate

        try:
            bench.say(f"round {turn + 1}: {ACCEPT} alone")
            found = {ACCEPT: await with_part(Part("intake", "api"), accept)}
            for step in _STEPS:
                bench.say(f"round {turn + 1}: {step.hop} alone, {accepted} requests")
                found[step.hop] = await with_part(step.part, lambda platform, step=step: _rate(platform, step, accepted))  # type: ignore[misc]
            return found
        finally:
            for url in databases.values():
                await bench.drop(url)


async def _rate(platform: Platform, step: _Step, accepted: int) -> float:
    """Requests a second, from the first look at which something is done already until nothing is left."""
    first = await step.left(platform)
    began_at = monotonic()
    total, left = first, first
    while left:
        platform.require_alive()
        if monotonic() > began_at + PATIENCE:
            raise TimeoutError(f"{step.hop}: {left} of {total} events are left after {PATIENCE:.0f} s")
        await asyncio.sleep(LOOK)
        left = await step.left(platform)
        if left == first:
            # it has not begun: its member joins, its producer starts
            began_at = monotonic()
    events = max(1.0, await _events_of(platform, step))
    return total / events * accepted / (monotonic() - began_at)


async def _events_of(platform: Platform, step: _Step) -> float:
    """All events that passed this hop."""
    heads = await platform.heads()
    sources = ("intake", "tickets") if step.hop == TO_METRICS else (step.part.service if "relay" in step.part.roles else "intake",)
    return float(sum(heads.get(f"aftercare.{service}", 0) for service in sources))
