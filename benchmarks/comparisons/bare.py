"""The bare minimum: plain ASGI on uvicorn, one statement of asyncpg for all requests that came meanwhile. No framework, no checks.

Nothing that answers only after the commit can do much less; so this is the limit that intake's door stands beside.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final
from uuid import uuid4

import asyncpg
import orjson

from benchmarks.comparisons.tables import HEADERS, PRINCIPAL, ROUTE, TOPIC, TYPE
from shared import garbage
from shared.clock import real_now

WRITERS: Final = 2
BATCH: Final = 256

_INSERT: Final = f"""
WITH item AS (
       SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::text[], $9::text[],
                            $10::jsonb[], $11::jsonb[], $12::timestamptz[], $13::text[], $14::bytea[], $15::bytea[], $16::smallint[])
         i(request_id, reference, customer_id, channel, digest, type, locale, subject, text, contact, product, at, key, response, payload,
                         part)),
     claimed AS (
       INSERT INTO idempotency (principal, route, key, fingerprint, status, headers, response)
       SELECT '{PRINCIPAL}', '{ROUTE}', key, digest, 202, '{{}}', response FROM item ORDER BY key),
     stored AS (
       INSERT INTO request SELECT request_id, reference, customer_id, '{PRINCIPAL}', channel, digest, type, locale, subject, text, contact,
                                  product, '[]', '{{}}', at, at, 1.0, '[]', 'system' FROM item)
INSERT INTO outbox (topic, part, key, type, event_id, previous_id, headers, payload)
SELECT '{TOPIC}', part, customer_id::text, '{TYPE}', request_id, request_id, $17::jsonb, payload FROM item
"""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Row = tuple[Any, ...]


class Writer:
    """Requests that arrive while a statement runs share the next one."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Row, asyncio.Future[None]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self.idle: list[asyncpg.Connection[asyncpg.Record]] = []
        """One connection for each writer, kept and never reset: every use ends with COMMIT."""

    async def write(self, row: Row) -> None:
        """Returns after the commit."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((row, done))
        if self.idle:
            task = loop.create_task(self._run(self.idle.pop()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await done

    async def _run(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                await _insert(connection, [row for row, _ in batch])
                for _, done in batch:
                    done.set_result(None)
        finally:
            self.idle.append(connection)


async def _insert(connection: asyncpg.Connection[asyncpg.Record], rows: Sequence[Row]) -> None:
    await connection.execute(_INSERT, *map(list, zip(*rows, strict=True)), _HEADERS)


_HEADERS: Final = orjson.dumps(HEADERS).decode()
writer: Final = Writer()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    if scope["method"] != "POST":
        await _answer(send, 200, b"ready")
        return
    key = next((value for name, value in scope["headers"] if name == b"idempotency-key"), b"")
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    row, answer = _row(orjson.loads(body), body, key.decode())
    await writer.write(row)
    await _answer(send, 202, answer)


def _row(data: dict[str, Any], body: bytes, key: str) -> tuple[Row, bytes]:
    request_id, customer_id, at = uuid4(), uuid4(), real_now()
    # of seven characters two in twenty thousand were the same, and whatever shared their transaction failed
    reference = f"AS-{at:%Y%m%d}{request_id.hex[:12].upper()}"
    told = {"request_id": request_id, "reference": reference, "received_at": at, "completeness": 1.0, "missing_fields": []}
    answer = orjson.dumps({**told, "links": {"self": f"/v1/requests/{reference}", "track": f"/v1/track/{reference}"}})
    payload = orjson.dumps({**told, "customer_id": customer_id, **data, "locale": "en", "occurred_at": at, "entered_by": "system"})
    contact, product = orjson.dumps(data["customer"]).decode(), orjson.dumps(data.get("product")).decode()
    digest = hashlib.blake2b(body, digest_size=16).digest()
    part = request_id.int % 12
    named = (request_id, reference, customer_id, data["channel"], digest, data.get("type"), "en", data.get("subject"), data["text"])
    return (*named, contact, product, at, key, answer, payload, part), answer


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    connections = [await asyncpg.connect(os.environ["DATABASE_URL"]) for _ in range(WRITERS)]
    writer.idle.extend(connections)
    garbage.collect_seldom()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    for connection in connections:
        await connection.close()
    await send({"type": "lifespan.shutdown.complete"})
