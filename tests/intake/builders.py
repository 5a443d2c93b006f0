"""Requests for tests of intake, valid by default, and what stands in the tables afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from services.intake.acceptance import Accepted, Caller, Contact, Rules, Submission, accept
from services.intake.handlers.acknowledgement import FIRST_LOOK, Receipts
from services.intake.handlers.reception import Answer, House, Incoming, Outcome, receive
from services.intake.store import requests
from services.intake.store.requests import Receipt
from shared import clock, idempotency
from shared.database import Database
from shared.idempotency import Claim, Overtaken

NOW: Final = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
RULES: Final = Rules("CN", ZoneInfo("Asia/Shanghai"))
SHOP: Final = Caller("shop")
SIGNING_KEY: Final = b"k" * 40


def submission(text: str = "洗衣机不转了", *, phone: str | None = None, email: str | None = None, **fields: Any) -> Submission:
    """What a caller sends."""
    customer = fields.pop("customer", None) or Contact(phone=phone, email=email)
    return Submission(fields.pop("channel", "web"), text, customer, **fields)


def incoming(sent: Submission | None = None, *, key: str | None = None, caller: Caller = SHOP, **fields: Any) -> Incoming:
    """A request on its way into a batch."""
    accepted = accepted_of(sent or submission(**fields), caller)
    claim = None if key is None else Claim(caller.principal, "POST /v1/requests", key, idempotency.fingerprint(accepted.digest.hex()))
    return Incoming(accepted, claim)


def accepted_of(sent: Submission, caller: Caller = SHOP, at: datetime = NOW) -> Accepted:
    """The same, judged."""
    return accept(sent, caller, received_at=at, rules=RULES)


def write(receipt: Receipt) -> bytes:
    """An answer's body."""
    return orjson.dumps(receipt._asdict(), default=str)


async def take(database: Database, *items: Incoming, acknowledge: bool = False) -> list[Outcome]:
    """Take a batch in, in one transaction."""
    receipts = Receipts(("email",), clock.real_now() - FIRST_LOOK) if acknowledge else None
    while True:
        with suppress(Overtaken):
            async with database.transaction() as tx:
                house = House(RULES.zone, await requests.reference_key(tx), write, SIGNING_KEY, receipts)
                return await receive(tx, items, house)


async def take_one(database: Database, item: Incoming, *, acknowledge: bool = False) -> dict[str, Any]:
    """Take one request in; what its sender is told."""
    (outcome,) = await take(database, item, acknowledge=acknowledge)
    return told(outcome)


def told(outcome: Outcome) -> dict[str, Any]:
    """The answer's body."""
    assert isinstance(outcome, Answer), outcome
    body: dict[str, Any] = orjson.loads(outcome.body)
    return body


async def rows(database: Database, table: str, order: str = "1") -> list[dict[str, Any]]:
    """A whole table."""
    async with database.transaction() as tx:
        return [dict(row) for row in await tx.fetch(f"SELECT * FROM {table} ORDER BY {order}")]


async def events(database: Database, *types: str) -> list[dict[str, Any]]:
    """The bodies of what was appended to the outbox, per log in order."""
    return [
        orjson.loads(row["payload"]) | {"type_of_event": row["type"]}
        for row in await rows(database, "outbox", "topic, part, seq")
        if not types or row["type"] in types
    ]


async def counts(database: Database) -> dict[str, int]:
    """How many rows the tables that a request touches hold."""
    tables = ("request", "customer", "identity", "customer_identity", "external_message", "idempotency", "outbox", "merge_suggestion")
    async with database.transaction() as tx:
        return {table: await tx.fetchval(f"SELECT count(*) FROM {table}") for table in tables}


NOTHING: Final = dict.fromkeys(
    ("request", "customer", "identity", "customer_identity", "external_message", "idempotency", "outbox", "merge_suggestion"), 0
)


def own_key(customer_id: UUID) -> Caller:
    """The customer himself, with his own key."""
    return Caller(str(customer_id), customer_id)


def at(item: Incoming, moment: datetime) -> Incoming:
    """The same request, received at another time."""
    return item._replace(accepted=item.accepted._replace(received_at=moment, occurred_at=moment))


def flatten(parts: Sequence[Sequence[Outcome]]) -> list[Outcome]:
    """The outcomes of several batches."""
    return [outcome for part in parts for outcome in part]
