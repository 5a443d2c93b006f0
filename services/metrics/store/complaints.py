"""Who complained again on the same matter: complaints of one person on one topic, strung together by a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.metrics.projection import DIMENSIONS
from services.metrics.store.rollups import Cut, Sum, condition_of, group_of
from shared.database import Transaction

LINKS_FOLLOWED: Final = 32
"""Of aliases; more are a mistake of somebody who merged files in a circle."""

_DIMENSIONS: Final = ", ".join(DIMENSIONS)
_CHAINS: Final = f"""
WITH RECURSIVE walk AS (
  SELECT customer_id, into_customer_id AS person, 1 AS links FROM customer_alias WHERE projection_version = $1
  UNION ALL
  SELECT w.customer_id, a.into_customer_id, w.links + 1
    FROM walk w JOIN customer_alias a ON a.projection_version = $1 AND a.customer_id = w.person
   WHERE w.links < {LINKS_FOLLOWED}
),
person AS (SELECT DISTINCT ON (customer_id) customer_id, person FROM walk ORDER BY customer_id, links DESC),
linked AS MATERIALIZED (SELECT customer_id FROM person UNION SELECT person FROM person),
asked AS MATERIALIZED (
  SELECT DISTINCT coalesce(p.person, c.customer_id) AS person, c.topic
    FROM complaint c LEFT JOIN person p USING (customer_id)
   WHERE c.projection_version = $1 AND c.opened_at >= $3 AND c.opened_at < $4
     AND (c.is_shared OR c.customer_id IN (SELECT customer_id FROM linked))
),
file AS MATERIALIZED (
  SELECT DISTINCT person AS customer_id, person FROM asked WHERE person NOT IN (SELECT customer_id FROM person)
  UNION ALL
  SELECT customer_id, person FROM person WHERE person IN (SELECT person FROM asked)
),
followed AS (
  SELECT f.person, n.*, max(ended_at) OVER (PARTITION BY f.person, topic ORDER BY opened_at, ticket
                                            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ended_before
    FROM file f
   CROSS JOIN LATERAL (SELECT * FROM complaint WHERE projection_version = $1 AND customer_id = f.customer_id OFFSET 0) n
    JOIN asked USING (person, topic)
),
strung AS (
  SELECT f.*, ended_before IS NULL OR opened_at - $2 > ended_before AS is_first,
         count(*) FILTER (WHERE ended_before IS NULL OR opened_at - $2 > ended_before)
           OVER (PARTITION BY person, topic ORDER BY opened_at, ticket) AS chain
    FROM followed f
),
chains AS (
  SELECT s.*, count(*) OVER whole AS complaints, max(ended_at) OVER whole AS last_ended_at
    FROM strung s WINDOW whole AS (PARTITION BY person, topic, chain)
),
matter AS (
  SELECT opened_at, complaints, last_ended_at, {_DIMENSIONS} FROM chains WHERE is_first
  UNION ALL
  SELECT opened_at, 1, ended_at, {_DIMENSIONS} FROM complaint
   WHERE projection_version = $1 AND opened_at >= $3 AND opened_at < $4
     AND NOT (is_shared OR customer_id IN (SELECT customer_id FROM linked))
)
"""
"""``chains`` has a row per complaint; that of the first one stands for the matter. $2 = the window in microseconds. Most complaints are the
only one of their person on their topic: those are matters as they stand. The planner thinks that looking at all complaints is cheaper than
looking up those of some persons, which it is not: OFFSET 0 leaves it no choice."""


async def sums(
    tx: Transaction,
    version: int,
    window_us: int,
    cut: Cut,
    slots: Sequence[int],
    end: int,
    now: int,
    *,
    patience: float | None = None,
) -> list[Sum]:
    """Matters by their first complaint: all, those that came again, and those that may still come again.

    ``slots`` are the instants at which slots begin, microseconds; ``end`` ends the last one. ``patience`` in seconds, by default the usual.
    """
    condition, asked = condition_of(cut, first_parameter=7)
    rows = await tx.driver.fetch(
        f"""{_CHAINS}
        SELECT width_bucket(opened_at, $5::bigint[]) - 1 AS slot, {group_of(cut)} AS values, count(*) AS matters,
               count(*) FILTER (WHERE complaints > 1) AS repeated,
               count(*) FILTER (WHERE complaints = 1 AND last_ended_at > $6 - $2) AS unsettled
          FROM matter WHERE opened_at >= $3 AND opened_at < $4 AND {condition}
         GROUP BY 1, 2 ORDER BY 1, 2
        """,
        version,
        window_us,
        slots[0],
        end,
        list(slots),
        now,
        *asked,
        timeout=patience,
    )
    found = []
    for row in rows:
        group = tuple(row["values"])
        for measure, n in (("denominator", row["matters"]), ("numerator", row["repeated"]), ("unsettled", row["unsettled"])):
            if n:
                found.append(Sum("repeat_complaint_rate", row["slot"], group, measure, n))
    return found
