"""A batch of requests costs what it is, however many tickets there are and whatever the planner knows of them."""

from __future__ import annotations

from typing import Final

import pytest

from services.tickets.handlers.reception import receive
from shared.database import Database
from shared.events.intake import RequestReceived
from tests.rows_read import MANY, fill, new, rows_read
from tests.tickets.builders import request_received

pytestmark = pytest.mark.postgres

A_BATCH: Final = 12
_OTHERS: Final = {
    "ticket": """
        INSERT INTO ticket (number, series, version, status, customer_id, channel, entered_by, locale, tier, type, priority,
                            opened_at, changed_at, episode, words)
        SELECT n, n, 1, 'new', md5('customer ' || i)::uuid, 'web', 'customer', 'en', 'standard', 'repair', 'normal', now(), now(), 0, ''
          FROM generate_series(1, $1::int) i, LATERAL (SELECT 'AS-T' || lpad(i::text, 7, '0')) AS made(n)
    """,
    "customer": """
        INSERT INTO customer (id, locale, tier) SELECT md5('customer ' || i)::uuid, 'en', 'standard' FROM generate_series(1, $1::int) i
    """,
    "timer": """
        INSERT INTO timer (kind, subject, gen, due_at)
        SELECT 'first_response', 'AS-T' || lpad(i::text, 7, '0'), 1, now() + interval '1 day' FROM generate_series(1, $1::int) i
    """,
}


@pytest.mark.parametrize("analysed", [False, True])
async def test_requests_are_taken_in_without_a_look_at_others_tickets(tickets_database: Database, analysed: bool) -> None:
    async with new(tickets_database, _OTHERS) as tx:
        for _ in range(8):  # their plans are kept
            await receive(tx, _requests())
        await fill(tx, _OTHERS, analysed=analysed)

        read = await rows_read(tx, receive(tx, _requests()))

    assert read["outbox_head"]
    assert {table: rows for table, rows in read.items() if rows > MANY // 10} == {}


def _requests() -> list[RequestReceived]:
    """Of customers who had none before."""
    return [request_received() for _ in range(A_BATCH)]
