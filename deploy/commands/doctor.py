"""`aftercare doctor`: looks at everything that can be red, and says what to read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import typer

from deploy.commands import lag
from deploy.commands.places import SERVICES, bootstrap_servers, database_of, database_url, transaction_of
from shared import schema
from shared.database import is_transient
from shared.kafka import CLIENT_ERRORS, KafkaSettings, topics

Finding = dict[str, Any]

PATIENCE: Final = 10.0
"""Seconds that one look may take."""


async def examine() -> list[Finding]:
    """One finding per thing looked at; ``state`` is ok or red."""
    looks: list[tuple[str, Callable[[], Awaitable[str]]]] = [(f"{name} database", _database_look(name)) for name in SERVICES]
    looks += [("broker and topics", _topics), ("outboxes", _outboxes), ("consumers", _consumers), ("dead letters", _dead_letters)]
    return [await _look(what, look) for what, look in looks]


class Red(Exception):
    """Something is wrong; says what, and where to read on."""


async def _look(what: str, look: Callable[[], Awaitable[str]]) -> Finding:
    try:
        async with asyncio.timeout(PATIENCE):
            return {"what": what, "state": "ok", "detail": await look()}
    except Red as red:
        return {"what": what, "state": "red", "detail": str(red)}
    except typer.BadParameter as missing:
        return {"what": what, "state": "red", "detail": missing.message}
    except CLIENT_ERRORS as away:
        return {"what": what, "state": "red", "detail": f"does not answer ({type(away).__name__})"}
    except Exception as error:
        if not is_transient(error):
            raise
        return {"what": what, "state": "red", "detail": f"does not answer ({type(error).__name__})"}


def _database_look(service: str) -> Callable[[], Awaitable[str]]:
    async def look() -> str:
        database_url(service)
        async with database_of(service) as database:
            await database.ping()
            if not await schema.is_current(service, database):
                raise Red(f"is not at the newest version: aftercare db migrate {service}")
        return "answers, newest version"

    return look


async def _topics() -> str:
    found = await topics.describe(KafkaSettings(bootstrap_servers()))
    wrong = [topic.name for topic in found if not topic.partitions or topic.differences]
    if wrong:
        raise Red(f"missing or set otherwise: {', '.join(wrong)}; aftercare topics apply")
    return f"{len(found)} topics as they should be"


async def _outboxes() -> str:
    rows = await lag.outbox_status(list(SERVICES))
    if stopped := [f"{row['topic']} ({row['stopped']})" for row in rows if row["stopped"]]:
        raise Red(f"stopped: {', '.join(stopped)}; docs/operating.md, outbox stopped")
    if old := [row["topic"] for row in rows if row["unsent"] and row["oldest_unsent_s"] > 60]:
        raise Red(f"unsent for over a minute: {', '.join(old)}; is the broker away, or no relay running?")
    return f"{sum(row['unsent'] for row in rows)} events unsent"


async def _consumers() -> str:
    rows = await lag.lag(all_logs=False)
    if stopped := [f"{row['consumer']} of {row['topic']} ({row['stopped']})" for row in rows if row["stopped"]]:
        raise Red(f"stopped: {', '.join(stopped)}; docs/operating.md")
    return f"{sum(row['behind'] for row in rows)} events behind"


async def _dead_letters() -> str:
    parked = 0
    for service in SERVICES:
        async with transaction_of(service) as tx:
            if await tx.fetchval("SELECT to_regclass('dead_letter')"):
                parked += await tx.fetchval("SELECT count(*) FROM dead_letter WHERE status = 'parked'")
    if parked:
        raise Red(f"{parked} events parked; aftercare dead-letters list")
    return "none"
