"""A batch costs what it is, however many customers and requests there are and whatever the planner knows of them."""

from __future__ import annotations

from itertools import count
from typing import Final
from uuid import uuid4

import pytest

from services.intake.consumer import handle
from services.intake.handlers.acknowledgement import FIRST_LOOK, Receipts
from services.intake.handlers.reception import House, Incoming, receive
from services.intake.store import requests
from shared import clock
from shared.consumer import Received
from shared.database import Database, Transaction
from shared.events.tickets import TicketOpened
from tests.intake.builders import RULES, SIGNING_KEY, incoming, write
from tests.intake.test_facts import opened
from tests.rows_read import MANY, fill, new, rows_read

pytestmark = pytest.mark.postgres

A_BATCH: Final = 50
_OTHERS: Final = {
    "customer": """
        INSERT INTO customer (customer_id, survivor_id, locale, registered_at)
        SELECT id, id, 'en', now() FROM generate_series(1, $1::int) i, LATERAL (SELECT md5('customer ' || i)::uuid AS id) made
    """,
    "identity": "INSERT INTO identity (scheme, value) SELECT 'email', i || '@example.com' FROM generate_series(1, $1::int) i",
    "customer_identity": """
        INSERT INTO customer_identity (origin_id, customer_id, scheme, value, address, matches, evidence, linked_at)
        SELECT id, id, 'email', i || '@example.com', i || '@example.com', true, 'claimed', now()
          FROM generate_series(1, $1::int) i, LATERAL (SELECT md5('customer ' || i)::uuid AS id) made
    """,
    "request": """
        INSERT INTO request (request_id, reference, customer_id, principal, channel, external_id_reused, content_digest, locale, text,
                             contact, attachments, metadata, occurred_at, occurred_at_clamped, received_at, completeness, missing_fields,
                             entered_by)
        SELECT md5('request ' || i)::uuid, 'other-' || i, md5('customer ' || i)::uuid, 'shop', 'web', false, '', 'en', 'It leaks.',
               '{}', '[]', '{}', now(), false, now(), 1, '[]', 'system'
          FROM generate_series(1, $1::int) i
    """,
    "idempotency": """
        INSERT INTO idempotency (principal, route, key, fingerprint, status, headers, response)
        SELECT 'shop', 'POST /v1/requests', 'other-' || i, '', 202, '{}', '' FROM generate_series(1, $1::int) i
    """,
    "notification": """
        INSERT INTO notification (event_id, notification_id, customer_id, kind, locale, requested_at, ticket_number, next_attempt_at)
        SELECT md5('event ' || i)::uuid, md5('notification ' || i)::uuid, md5('customer ' || i)::uuid, 'acknowledgement', 'en', now(),
               'other-' || i, now() + interval '1 day'
          FROM generate_series(1, $1::int) i
    """,
    "ticket_copy": """
        INSERT INTO ticket_copy (number, customer_id, status, version)
        SELECT 'other-' || i, md5('customer ' || i)::uuid, 'new', 1 FROM generate_series(1, $1::int) i
    """,
}
_numbers: Final = count(1)


@pytest.mark.parametrize("analysed", [False, True])
async def test_requests_are_accepted_without_a_look_at_others(intake_database: Database, analysed: bool) -> None:
    async with new(intake_database, _OTHERS) as tx:
        receipts = Receipts(("email",), clock.real_now() - FIRST_LOOK)
        house = House(RULES.zone, await requests.reference_key(tx), write, SIGNING_KEY, receipts)
        for _ in range(8):  # their plans are kept
            await receive(tx, _requests(), house)
        await fill(tx, _OTHERS, analysed=analysed)

        read = await rows_read(tx, receive(tx, _requests(), house))

    assert read["outbox_head"]
    assert {table: rows for table, rows in read.items() if rows > MANY // 10} == {}


def _requests() -> list[Incoming]:
    return [incoming(email=f"new-{number}@example.com", key=f"new-{number}") for number, _ in zip(_numbers, range(A_BATCH), strict=False)]


@pytest.mark.parametrize("analysed", [False, True])
async def test_what_became_of_tickets_is_noted_without_a_look_at_others(intake_database: Database, analysed: bool) -> None:
    async with new(intake_database, _OTHERS) as tx:
        for _ in range(8):
            await _learn(tx)
        await fill(tx, _OTHERS, analysed=analysed)

        read = await rows_read(tx, _learn(tx))

    assert {table: rows for table, rows in read.items() if rows > MANY // 10} == {}


async def _learn(tx: Transaction) -> None:
    events: list[TicketOpened] = [opened(f"AS-{next(_numbers)}") for _ in range(A_BATCH)]
    await handle(tx, [Received(e.TOPIC.name, 0, n, uuid4(), e.TYPE, e.key, e.occurred_at, e, n) for n, e in enumerate(events, start=1)])
