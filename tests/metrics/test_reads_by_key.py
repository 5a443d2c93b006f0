"""A batch of events costs what it is, however many came before it and whatever the planner knows of them."""

from __future__ import annotations

from typing import Final

import pytest

from services.metrics import handlers
from shared.database import Database
from tests.metrics.builders import numbered, random_history
from tests.rows_read import MANY, fill, new, rows_read

pytestmark = pytest.mark.postgres

A_BATCH: Final = 100
_OTHERS: Final = {
    "fact": """
        INSERT INTO fact (projection_version, kind, id, facts) SELECT 1, 'ticket', 'other-' || i, '{}' FROM generate_series(1, $1::int) i
    """,
    "kpi_rollup": """
        INSERT INTO kpi_rollup (projection_version, dimension, value, span, bucket, counts, durations)
        SELECT 1, 'agent', 'agent-' || i % 50, 4, i * 4, '{}', '{}' FROM generate_series(1, $1::int) i
    """,
    "kpi_cell": """
        INSERT INTO kpi_cell (projection_version, bucket, channel, type, priority, team, agent, tier, counts)
        SELECT 1, i, 'web', 'repair', 'normal', 'team', 'agent-' || i % 50, 'gold', '{}' FROM generate_series(1, $1::int) i
    """,
    "open_span": """
        INSERT INTO open_span (projection_version, ticket, run, since, until, opened_at, channel, type, priority, team, agent, tier)
        SELECT 1, 'other-' || i, 1, i, i + 1, i, 'web', 'repair', 'normal', 'team', 'agent', 'gold' FROM generate_series(1, $1::int) i
    """,
    "complaint": """
        INSERT INTO complaint (projection_version, ticket, customer_id, topic, opened_at, ended_at, channel, type, priority, team, agent,
                               tier)
        SELECT 1, 'other-' || i, 'customer-' || i, 'leak', i, i + 1, 'web', 'complaint', 'normal', 'team', 'agent', 'gold'
          FROM generate_series(1, $1::int) i
    """,
}


@pytest.mark.parametrize("analysed", [False, True])
async def test_events_are_recorded_without_a_look_at_what_others_left(metrics_database: Database, analysed: bool) -> None:
    entries = numbered(random_history(1, 200))
    batches = [entries[start : start + A_BATCH] for start in range(0, 10 * A_BATCH, A_BATCH)]
    async with new(metrics_database, _OTHERS) as tx:
        for batch in batches[:-1]:  # their plans are kept, and the last one changes what they leave
            await handlers.record(tx, batch)
        await fill(tx, _OTHERS, analysed=analysed)

        read = await rows_read(tx, handlers.record(tx, batches[-1]))

    assert read.keys() >= {"fact", "kpi_rollup", "kpi_cell", "open_span", "complaint"}
    assert {table: rows for table, rows in read.items() if rows > MANY // 10} == {}
