"""What the hot path and the queues ask stays small however many tickets there are: shown by the plans at 20,000."""

from __future__ import annotations

from typing import Final, cast

import pytest

from services.tickets.store import assignments, passing, queues
from shared.database import Database, Transaction
from shared.timers import Timer
from tests.explaining import Explaining
from tests.tickets.builders import DAY, NOON, request_received
from tests.tickets.observation import take_in
from tests.tickets.staffing import add_agent, add_team

pytestmark = pytest.mark.postgres

MANY: Final = 20_000
_FILL: Final = """
INSERT INTO ticket (number, series, version, status, customer_id, channel, entered_by, locale, tier, type, priority, team, assignee,
                    opened_at, changed_at, episode, resolved_at, closed_at, words)
SELECT n, n, 1, CASE WHEN done THEN 'closed' WHEN waits THEN 'new' ELSE 'in_progress' END, gen_random_uuid(), 'web', 'customer', 'en',
       (ARRAY['standard', 'gold', 'vip'])[1 + i % 3], 'repair', (ARRAY['low', 'normal', 'high', 'urgent'])[1 + i % 4], 'team-' || i % 5,
       CASE WHEN NOT waits THEN 'agent-' || i % 50 END, $2::timestamptz - i * interval '1 minute', $2, done::int,
       CASE WHEN done THEN $2 END, CASE WHEN done THEN $2 END, ''
  FROM generate_series(1, $1) i, LATERAL (SELECT 'AS-T' || lpad(i::text, 7, '0'), i % 50 < 20, i % 50 > 25) AS made(n, done, waits)
"""


async def test_queues_and_loads_are_read_from_their_indexes(tickets_database: Database) -> None:
    for team in range(5):
        await add_team(tickets_database, f"team-{team}")
    await add_agent(tickets_database, "agent-7", "team-1")
    async with tickets_database.transaction() as tx:
        await tx.execute(_FILL, MANY, NOON)
    async with tickets_database.transaction() as tx:
        await tx.execute("ANALYZE ticket")
        asked = Explaining(tx, analyse=True)
        asking = cast(Transaction, asked)

        first = await queues.waiting(asking, "team-1", after=None, limit=50)
        second = await queues.waiting(asking, "team-1", after=first[-1].place, limit=50)
        everything = await queues.page(asking, after="", limit=51)
        loads = await assignments.loads(asking, ["agent-7", "agent-22"])
        await queues.open_of_agent(asking, "agent-22", None, 200)

    places = [each.place for each in first + second]
    assert places == sorted(places)
    assert len(set(places)) == 100
    assert sum(queue.waiting for queue in everything) == MANY * 24 // 50
    assert loads == {"agent-22": MANY // 50}
    indexes = [{step["Index Name"] for step in plan if "Index Name" in step} for plan in asked.plans]
    # the third question counts all that wait, here half of the table: how it is best read is for the planner to say
    assert [found & {"ticket_queue"} for found in indexes[:2]] == [{"ticket_queue"}] * 2
    assert [found & {"ticket_load"} for found in indexes[3:]] == [{"ticket_load"}] * 2
    kinds = [{step["Node Type"] for step in plan if step.get("Relation Name") in (None, "ticket")} for plan in asked.plans]
    assert not any("Seq Scan" in found for found in kinds[:2] + kinds[3:])
    assert not any("Sort" in found for found in kinds[:2]), "the index has the order in which the queue is handed out"


async def test_what_is_due_is_looked_up_by_key_while_nothing_is_known_of_the_tables(tickets_database: Database) -> None:
    await take_in(tickets_database, *(request_received() for _ in range(200)))
    async with tickets_database.transaction() as tx:
        await tx.execute("DELETE FROM pg_statistic WHERE starelid IN ('sla_clock'::regclass, 'ticket'::regclass, 'timer'::regclass)")
        due = [Timer(*row) for row in await tx.fetch("SELECT kind, subject, gen, due_at FROM timer WHERE kind = 'first_response'")]
        asked = Explaining(tx, analyse=True)

        watched = await passing.load(cast(Transaction, asked), due, NOON - DAY)

    steps = asked.plans[0]
    assert len(watched) == 200
    assert max(step["Actual Loops"] for step in steps) <= 200, "each is looked for once, not once for each clock that there is"
