"""What `python -m services.<name> [api|consume|relay|timers|migrate|all]` runs.

A service describes itself by a `Service` in its `__main__.py` and calls `main`. Without a role it runs `all` of them in one process; in a
cluster each role is scaled by itself. Every process answers the probes on its port, whatever its role.

Exit codes: 0 ended as asked, 1 a part of the process died, 2 wrong role or settings, 3 the port is taken.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Generic

import uvloop
from fastapi import FastAPI
from pydantic import ValidationError

from shared import clock, garbage, http, idempotency, retention, telemetry
from shared.backoff import pause
from shared.consumer import Consumer, Handle, Read, Stuck, read_contract
from shared.consumer import figures as consumer_figures
from shared.database import is_transient
from shared.events.envelope import Event
from shared.events.topics import consumed_by, produced_by
from shared.kafka import KafkaSettings
from shared.positions import PositionsReader
from shared.process import GivenUp, Loop, Process, every
from shared.relay import Relay
from shared.relay import figures as outbox_figures
from shared.runtime import AnyRuntime, Runtime, S, release
from shared.schema import is_current
from shared.server import PortTaken
from shared.timers import TimerLoop, TimerSpec

__all__ = ["Runtime", "Service", "main"]

log = telemetry.logger()

ROLES: Final = ("api", "consume", "relay", "timers")
HOUR: Final = 3600.0
LOOK_AGAIN: Final = 0.5
"""Seconds between two looks at a database that is not there or not migrated yet."""


@dataclass(frozen=True)
class Service(Generic[S]):
    """A service as its process sees it."""

    name: str
    settings: type[S]
    migrations: Path
    app: Callable[[Runtime[S]], FastAPI]
    handle: Callable[[Runtime[S]], Handle] | None = None
    """Makes the handler of consumed events."""
    reads: Collection[type[Event]] | None = None
    """The types of events that it looks at; None: all of its topics."""
    read: Read = read_contract
    """How it reads their bodies."""
    gather: float = 0.1
    """Seconds that events may wait for company before it reads them (`KafkaSettings.gather_ms`): what nobody waits for may wait longer."""
    batch: int = 500
    """Records of one transaction at most, when many wait."""
    timers: Callable[[Runtime[S]], TimerSpec] | None = None
    """Makes what the timers do."""
    loops: Mapping[str, Callable[[Runtime[S], asyncio.Event], Awaitable[None]]] = field(default_factory=dict)
    """Further loops, run with the timers."""


def main(service: Service[Any], arguments: Sequence[str] | None = None) -> None:
    """Run the roles that the command line names; ends the process with an exit code."""
    roles = _roles(sys.argv[1:] if arguments is None else arguments, service.name)
    try:
        settings = service.settings()
        clock.business_clock()
    except (ValidationError, clock.ClockRefused) as error:
        _leave(2, f"{service.name}: the settings are wrong.\n{error}")
    telemetry.configure_logs(service=service.name, version=release(), env=settings.environment, level=settings.log_level)
    telemetry.describe_build(service.name, release())
    if roles == {"migrate"}:
        # Alembic and SQLAlchemy are for this alone
        from shared import migrations

        migrations.upgrade(service.name, settings.database_url.get_secret_value(), location=service.migrations)
        log.info("database_migrated")
        return
    garbage.collect_seldom()
    os.nice(settings.nice)
    try:
        code = uvloop.run(_run(service, settings, roles))
    except PortTaken as error:
        _leave(3, f"{service.name}: {error}")
    sys.exit(code)


def _roles(arguments: Sequence[str], name: str) -> set[str]:
    asked = set(arguments or ["all"])
    if asked == {"migrate"}:
        return asked
    roles = set(ROLES) if "all" in asked else asked
    if roles - set(ROLES) or (asked - set(ROLES) - {"all"}):
        _leave(2, f"usage: python -m services.{name} [{'|'.join(ROLES)}|migrate|all] ...")
    return roles


def _leave(code: int, message: str) -> Any:
    sys.stderr.write(f"{message}\n")
    sys.exit(code)


async def _run(service: Service[S], settings: S, roles: Collection[str]) -> int:
    runtime: Runtime[S] = Runtime.start(settings)
    app = service.app(runtime) if "api" in roles else _probes_only(runtime)
    loops: dict[str, Loop] = {"event-loop-lag": partial(telemetry.watch_event_loop, service.name)}
    for role in roles:
        loops |= _LOOPS[role](service, runtime)
    if produced_by(service.name):
        runtime.health.add_check("outbox", partial(outbox_figures.check, runtime.database))
    process = Process(runtime, app, loops, starting=partial(_start, service, runtime))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, process.end)
    return await process.run()


def _probes_only(runtime: AnyRuntime) -> FastAPI:
    return http.create_app(runtime, title=f"Aftercare {runtime.service}", description="Probes of a process without a REST door.")


async def _start(service: Service[Any], runtime: AnyRuntime) -> None:
    """Wait until the database is there and has this release's schema; make the outbox days of the next week."""
    never = asyncio.Event()
    told = ""
    while (missing := await _missing(service, runtime)) is not None:
        if missing != told:
            log.warning("start_waits", reason=missing)
            told = missing
        await pause(never, LOOK_AGAIN)


async def _missing(service: Service[Any], runtime: AnyRuntime) -> str | None:
    try:
        if not await is_current(service.name, runtime.database, location=service.migrations):
            return "schema_not_current"
        if produced_by(service.name):
            await retention.ensure_outbox_days(runtime.database)
    except Exception as error:
        if not is_transient(error):
            raise
        return "database_unavailable"
    return None


# --- which loops a role has -----------------------------------------------------------------------------------------------------------


def _api(_service: Service[Any], runtime: AnyRuntime) -> dict[str, Loop]:
    """Besides the door: forget idempotency keys that are a week old."""
    return {"idempotency-keys": every(HOUR, partial(idempotency.delete_old, runtime.database), is_transient=is_transient)}


def _consume(service: Service[Any], runtime: AnyRuntime) -> dict[str, Loop]:
    topics = consumed_by(service.name)
    make_handler = service.handle
    if not topics or make_handler is None:
        return {}

    async def consume(stop: asyncio.Event) -> None:
        settings = runtime.settings
        where = kafka_settings(runtime, gather=service.gather)
        handle = make_handler(runtime)
        consumer = Consumer(
            runtime.database,
            service.name,
            settings.ordinal,
            topics,
            handle,
            where,
            reads=service.reads,
            read=service.read,
            wakeup=runtime.wakeup,
            max_records=service.batch,
        )
        runtime.health.add_check("consumer-partitions", consumer.partitions)
        runtime.health.add_check("consumer-lag", consumer.lag)
        try:
            await consumer.run(stop)
        except Stuck as error:
            raise GivenUp from error

    runtime.health.add_check("consumer", partial(consumer_figures.check, runtime.database))
    return {"consumer": consume}


def _relay(service: Service[Any], runtime: AnyRuntime) -> dict[str, Loop]:
    if not produced_by(service.name):
        return {}

    async def relay(stop: asyncio.Event) -> None:
        await Relay(runtime.database, kafka_settings(runtime), wakeup=runtime.wakeup).run(stop)

    async def positions(stop: asyncio.Event) -> None:
        await PositionsReader(runtime.database, kafka_settings(runtime), service.name).run(stop)

    async def days() -> None:
        await retention.ensure_outbox_days(runtime.database)
        await retention.drop_old_days(runtime.database)

    return {
        "relay": relay,
        "positions": positions,
        "outbox-days": every(HOUR, days, is_transient=is_transient),
        "outbox-figures": partial(outbox_figures.watch, runtime.database),
    }


def _timers(service: Service[Any], runtime: AnyRuntime) -> dict[str, Loop]:
    loops: dict[str, Loop] = {name: partial(run, runtime) for name, run in service.loops.items()}
    make_spec = service.timers
    if make_spec is not None:

        async def timers(stop: asyncio.Event) -> None:
            await TimerLoop(runtime.database, make_spec(runtime)).run(stop)

        loops["timers"] = timers
    return loops


_LOOPS: Final[Mapping[str, Callable[[Service[Any], AnyRuntime], dict[str, Loop]]]] = {
    "api": _api,
    "consume": _consume,
    "relay": _relay,
    "timers": _timers,
}


def kafka_settings(runtime: AnyRuntime, *, gather: float = 0.1) -> KafkaSettings:
    """Where this process finds the broker, and how long its fetches gather."""
    settings = runtime.settings
    return KafkaSettings(settings.kafka_bootstrap_servers, topic_prefix=settings.kafka_topic_prefix, gather_ms=round(gather * 1000))
