"""Each hop of the chain alone: everything before it is done already, nothing after it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from benchmarks import load, requests
from benchmarks.bench import QUIET, UNLIMITED, Bench
from benchmarks.load import Load
from benchmarks.platform import SERVICES, Part, Platform, running
from shared.clock import monotonic
from shared.events.topics import INTAKE, TICKETS

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


@dataclass(frozen=True)
class _Step:
    hop: Hop
    part: Part
    topics: tuple[str, ...]
    """What it carries, or applies."""

    async def done(self, platform: Platform) -> int:
        """How many events it has carried, or applied."""
        positions = "SELECT seq FROM outbox_cursor" if self.part.roles == "relay" else "SELECT last_seq AS seq FROM consumer_part"
        sql = f"SELECT coalesce(sum(seq), 0)::bigint AS done FROM ({positions} WHERE topic = ANY($1)) positions"
        (row,) = await platform.fetch(self.part.service, sql, list(self.topics))
        return int(row["done"])


_STEPS: Final = (
    _Step(INTAKE_RELAY, Part("intake", "relay"), (INTAKE.name,)),
    _Step(TO_TICKETS, Part("tickets", "consume"), (INTAKE.name,)),
    _Step(TICKETS_RELAY, Part("tickets", "relay"), (TICKETS.name,)),
    _Step(TO_METRICS, Part("metrics", "consume"), (INTAKE.name, TICKETS.name)),
)


async def alone(bench: Bench, turn: int) -> dict[Hop, float]:
    """Requests a second of each hop, one after the other over the same databases and topics."""
    async with bench.kafka() as kafka:
        databases = {service: await bench.database_url(service) for service in SERVICES}
        env = UNLIMITED | QUIET

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
    """Requests a second, from the first look at which something is done until all is: its member had to join, its producer to start."""
    heads = await platform.heads()
    total = sum(heads[topic] for topic in step.topics)
    done = await platform.until(lambda: step.done(platform), lambda done: done > 0, patience=PATIENCE)
    began_at = monotonic()
    if done == total:
        raise load.LoadFailed(f"{step.hop}: all {total:,} events were done before anybody looked")
    await platform.until(lambda: step.done(platform), lambda done: done == total, patience=PATIENCE)
    return (total - done) / total * accepted / (monotonic() - began_at)
