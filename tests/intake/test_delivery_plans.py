"""What decides on messages that are due is looked up by key, however many there are: shown by the plans, also where nobody has analysed."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, cast

import pytest

from services.intake.store import budget, circumstances, notifications
from shared import clock
from shared.database import Database, Transaction
from tests.explaining import Explaining

pytestmark = pytest.mark.postgres

MANY: Final = 4_000
DUE: Final = 50
_TABLES: Final = "customer, notification, ticket_copy, ticket_alias, budget_use"
_FILL: Final = (
    """
    INSERT INTO customer (customer_id, survivor_id, locale, registered_at)
    SELECT id, id, 'en', $2 FROM (SELECT md5('customer ' || i)::uuid AS id FROM generate_series(1, $1::int) i) made
    """,
    """
    INSERT INTO notification (event_id, notification_id, customer_id, kind, locale, requested_at, ticket_number, next_attempt_at)
    SELECT md5('event ' || i)::uuid, md5('notification ' || i)::uuid, md5('customer ' || i)::uuid, 'acknowledgement', 'en', $2,
           'AS-' || i, $2
      FROM generate_series(1, $1::int) i
    """,
    """
    INSERT INTO ticket_copy (number, customer_id, status, version)
    SELECT 'AS-' || i, md5('customer ' || i)::uuid, 'new', 1 FROM generate_series(1, $1::int) i WHERE $2::timestamptz IS NOT NULL
    """,
    """
    INSERT INTO ticket_alias (reference, number)
    SELECT 'AS-joined-' || i, 'AS-' || i FROM generate_series(1, $1::int) i WHERE $2::timestamptz IS NOT NULL
    """,
    """
    INSERT INTO budget_use (event_id, claimed_until, key, at)
    SELECT md5('event ' || i)::uuid, $2, 'email:' || i || '@example.com', $2 FROM generate_series(1, $1::int) i
    """,
)


@pytest.mark.parametrize("analysed", [False, True])
async def test_what_is_due_is_claimed_and_judged_by_key(intake_database: Database, analysed: bool) -> None:
    now = clock.real_now()
    async with intake_database.transaction() as tx:
        # in one transaction that holds the tables: nobody else analyses them meanwhile, and what was known of them is forgotten
        await tx.execute(f"TRUNCATE {_TABLES} CASCADE")
        await tx.execute("DELETE FROM pg_statistic WHERE starelid = ANY($1::text[]::regclass[])", _TABLES.split(", "))
        for statement in _FILL:
            await tx.execute(statement, MANY, now - timedelta(minutes=1))
        if analysed:
            await tx.execute(f"ANALYZE {_TABLES}")
        asked = Explaining(tx)
        asking = cast(Transaction, asked)

        due = await notifications.claim_due(asking, limit=DUE, now=now, until=now + timedelta(minutes=2))
        placed = await circumstances.place(asking, due)
        await circumstances.overtaken(asking, due)
        addressees = await circumstances.addressees(asking, {notification.customer_id for notification in due})
        used = await budget.used(asking, [f"email:{number}@example.com" for number in range(1, DUE + 1)], now - timedelta(days=1))

    assert len(due) == len(placed.known) == len(addressees) == len(used) == DUE
    read = {step["Relation Name"] for step in asked.steps if step["Node Type"] in ("Index Scan", "Index Only Scan", "Bitmap Heap Scan")}
    assert read >= {"customer", "notification", "ticket_copy", "ticket_alias", "budget_use"}
    assert [step["Relation Name"] for step in asked.steps if step["Node Type"] == "Seq Scan" and step["Relation Name"] in read] == []
    # by address, not all of the day
    assert {name for step in asked.steps if (name := step.get("Index Name", "")).startswith("budget_use")} == {"budget_use_of"}


async def test_looking_for_what_is_due_reads_nothing_of_what_waits(intake_database: Database) -> None:
    now = clock.real_now()
    async with intake_database.transaction() as tx:
        for statement in _FILL:
            await tx.execute(statement, MANY, now + timedelta(minutes=1))
        await tx.execute("ANALYZE notification")
        asked = Explaining(tx, analyse=True)

        assert not await notifications.is_due(cast(Transaction, asked))

        await tx.execute("UPDATE notification SET next_attempt_at = $1 WHERE ticket_number = 'AS-7'", now - timedelta(minutes=1))
        assert await notifications.is_due(cast(Transaction, asked))

    assert asked.looked_at == 1
