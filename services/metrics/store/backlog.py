"""How many tickets were open at an instant, and how old they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from services.metrics.buckets import sql_duration_class
from services.metrics.kpi import AGE_EDGES
from services.metrics.store.rollups import Cut, Sum, condition_of, group_of
from shared.database import Transaction


async def counts(tx: Transaction, version: int, cut: Cut, instants: Sequence[int]) -> list[Sum]:
    """Open tickets at each instant (microseconds, ascending), by group."""
    condition, asked = condition_of(cut, first_parameter=5)
    spans = f"SELECT {group_of(cut)} AS values, count(*) AS n FROM open_span WHERE projection_version = $1 AND {condition}"
    between = "unnest($3::bigint[], $4::bigint[]) WITH ORDINALITY between_instants(earlier, later, slot)"
    # what ended after the instant is looked through in an index: to start workers takes longer
    await tx.execute("SET LOCAL max_parallel_workers_per_gather = 0")
    # a span begins to count at the first instant that is not before it, and ends to count at the first that is not before its end; what
    # begins and what ends between two instants is counted in an index of its own, which OFFSET 0 leaves no way round
    rows = await tx.fetch(
        f"""
        SELECT slot, values, sum(n)::bigint AS n
          FROM (SELECT 0 AS slot, * FROM ({spans} AND since <= $2 AND until > $2 GROUP BY 1) at_first
                UNION ALL
                SELECT slot, values, n FROM {between}
                 CROSS JOIN LATERAL ({spans} AND since > earlier AND since <= later GROUP BY 1 OFFSET 0) began
                UNION ALL
                SELECT slot, values, -n FROM {between}
                 CROSS JOIN LATERAL ({spans} AND until > earlier AND until <= later GROUP BY 1 OFFSET 0) ended) changes
         GROUP BY 1, 2 HAVING sum(n) <> 0 ORDER BY 1, 2
        """,
        version,
        instants[0],
        list(instants[:-1]),
        list(instants[1:]),
        *asked,
    )
    changes: dict[int, Counter[tuple[str, ...]]] = {}
    for row in rows:
        changes.setdefault(row["slot"], Counter())[tuple(row["values"])] += row["n"]
    open_now: Counter[tuple[str, ...]] = Counter()
    found = []
    for slot in range(len(instants)):
        open_now.update(changes.get(slot, {}))
        found += [Sum("backlog", slot, group, "count", n) for group, n in sorted(open_now.items()) if n]
    return found


async def ages(tx: Transaction, version: int, cut: Cut, instants: Sequence[int]) -> list[Sum]:
    """Ages of the open tickets at each instant: their sum, classes of duration, and the classes that people read."""
    condition, asked = condition_of(cut, first_parameter=6)
    # the first and the last instant are told besides, so that the planner sees which spans are few
    rows = await tx.fetch(
        f"""
        SELECT slot - 1 AS slot, {group_of(cut)} AS values, {sql_duration_class("ms")} AS class,
               width_bucket(ms, $3::bigint[]) - 1 AS read_as, count(*) AS n, sum(ms)::bigint AS ms
          FROM unnest($2::bigint[]) WITH ORDINALITY t(at, slot)
          JOIN open_span s ON s.projection_version = $1 AND s.since <= t.at AND s.until > t.at AND s.since <= $5 AND s.until > $4
         CROSS JOIN LATERAL (SELECT greatest(t.at - s.opened_at, 0) / 1000 AS ms) age
         WHERE {condition}
         GROUP BY 1, 2, 3, 4
        """,
        version,
        list(instants),
        [1000 * edge for edge in AGE_EDGES],
        instants[0],
        instants[-1],
        *asked,
    )
    measures: Counter[tuple[int, tuple[str, ...], str]] = Counter()
    for row in rows:
        where = row["slot"], tuple(row["values"])
        measures[*where, f"calendar_{row['class']}"] += row["n"]
        measures[*where, f"age_{row['read_as']}"] += row["n"]
        measures[*where, "calendar_ms"] += row["ms"]
    return [Sum("backlog_age", slot, group, measure, n) for (slot, group, measure), n in sorted(measures.items())]
