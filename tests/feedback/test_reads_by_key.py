"""A batch of resolutions costs what it is, however many surveys there are and whatever the planner knows of them."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Final
from uuid import uuid4

import pytest

from services.feedback.handlers import inviting
from services.feedback.handlers.inviting import Inviting
from services.feedback.survey.rules import usual
from shared.database import Database
from shared.events.tickets import TicketResolved
from tests.feedback.builders import MOMENT, resolved
from tests.rows_read import MANY, fill, new, rows_read

pytestmark = pytest.mark.postgres

A_BATCH: Final = 50
INVITING: Final = Inviting(usual(timedelta(hours=24)), "https://feedback.example")
_OTHERS: Final = {
    "invitation": """
        INSERT INTO invitation (id, ticket_number, episode, customer_id, form, locale, dimensions, resolved_at, send_at)
        SELECT md5('invitation ' || i)::uuid, 'other-' || i, 1, md5('customer ' || i)::uuid, 'T1.2', 'en', '{}', now(), now()
          FROM generate_series(1, $1::int) i
    """,
    "customer": "INSERT INTO customer (id, locale) SELECT md5('customer ' || i)::uuid, 'en' FROM generate_series(1, $1::int) i",
    "timer": """
        INSERT INTO timer (kind, subject, gen, due_at)
        SELECT 'send', md5('invitation ' || i), 1, now() + interval '1 day' FROM generate_series(1, $1::int) i
    """,
}
_numbers: Final = count(1)


@pytest.mark.parametrize("analysed", [False, True])
async def test_surveys_are_planned_without_a_look_at_others(feedback_database: Database, analysed: bool) -> None:
    async with new(feedback_database, _OTHERS) as tx:
        for _ in range(8):  # their plans are kept
            await inviting.follow(tx, _resolutions(), inviting=INVITING, at=MOMENT)
        await fill(tx, _OTHERS, analysed=analysed)

        read = await rows_read(tx, inviting.follow(tx, _resolutions(), inviting=INVITING, at=MOMENT))

    assert read["outbox_head"] or read["form"] or read["invitation"]
    assert {table: rows for table, rows in read.items() if rows > MANY // 10} == {}


def _resolutions() -> list[TicketResolved]:
    return [resolved(ticket_number=f"AS-{next(_numbers)}", customer_id=uuid4()) for _ in range(A_BATCH)]
