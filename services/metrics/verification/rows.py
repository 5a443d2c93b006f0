"""What is no sum of quarter hours: who held a ticket while it was open, complaints, files that are one person, matters that came again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from services.metrics.verification.histories import CANCELLED, CLOSED, EVENTS, OPENED, REAL, RESOLUTIONS
from shared.database import Transaction

_FOREVER: Final = "9223372036854775807"
_OPEN: Final = "'new', 'triaged', 'assigned', 'in_progress', 'waiting_customer', 'waiting_parts', 'waiting_third_party'"
_DIMENSIONS: Final = ("channel", "type", "priority", "team", "agent", "tier")
_HOLDER: Final = "ARRAY[" + ", ".join(f"coalesce(dims->>'{name}', '')" for name in _DIMENSIONS) + "]"
_REAL_OPENED: Final = f"""
  SELECT ticket, opened.at AS opened_at, opened.dims, status, actual.dims AS last_dims, customer
    FROM ({OPENED}) opened JOIN ({REAL}) actual USING (ticket) WHERE opened.dims->>'channel' <> 'internal'
"""

_SPANS: Final = f"""
  WITH versions AS (
    SELECT ticket, version, min(CASE WHEN type = 'ticket.opened.v1' THEN opened_at ELSE at END) AS at,
           min(CASE WHEN dims->>'status' IN ({_OPEN}) THEN {_HOLDER} END) AS holder
      FROM ({EVENTS}) t GROUP BY 1, 2
  ),
  joined AS (
    SELECT *, coalesce(holder IS NOT DISTINCT FROM lag(holder) OVER w AND version - 1 = lag(version) OVER w, false) AS goes_on
      FROM versions WINDOW w AS (PARTITION BY ticket ORDER BY version)
  ),
  begun AS (
    SELECT ticket, version, at, lead(at, 1, {_FOREVER}) OVER (PARTITION BY ticket ORDER BY version) AS until, holder
      FROM joined WHERE NOT goes_on
  )
  SELECT ticket, version::integer AS run, begun.at, until, opened_at, holder
    FROM begun JOIN ({_REAL_OPENED}) opened USING (ticket) WHERE holder IS NOT NULL AND begun.at < until
"""

_COMPLAINTS: Final = f"""
  SELECT ticket, customer, coalesce(last_dims->>'root_topic', last_dims->>'category', 'ticket ' || ticket) AS topic, opened_at AS at,
         CASE WHEN status = 'closed' THEN coalesce(closed.at, {_FOREVER})
              WHEN status = 'cancelled' THEN coalesce(cancelled.at, {_FOREVER})
              WHEN status IN ('resolved', 'confirmed') THEN coalesce(resolved.at, {_FOREVER})
              ELSE {_FOREVER} END AS ended_at,
         ARRAY[coalesce(dims->>'channel', ''), 'complaint', coalesce(dims->>'priority', ''), coalesce(dims->>'team', ''),
               coalesce(dims->>'agent', ''), coalesce(dims->>'tier', '')] AS dims
    FROM ({_REAL_OPENED}) opened
    LEFT JOIN (SELECT ticket, at FROM ({CLOSED}) c) closed USING (ticket)
    LEFT JOIN (SELECT ticket, at FROM ({CANCELLED}) c) cancelled USING (ticket)
    LEFT JOIN (SELECT ticket, max(at) AS at FROM ({RESOLUTIONS}) r GROUP BY ticket) resolved USING (ticket)
   WHERE last_dims->>'type' = 'complaint'
"""

_ALIASES: Final = """
  SELECT customer, into_customer, 0::bigint AS at
    FROM (SELECT DISTINCT ON (data->>'customer_id') data->>'customer_id' AS customer, data->>'into_customer_id' AS into_customer
            FROM event_log WHERE type IN ('customer.merged.v1', 'customer.unmerged.v1') ORDER BY data->>'customer_id', seq DESC) last
   WHERE into_customer IS NOT NULL
"""

_STORED_DIMENSIONS: Final = f"ARRAY[{', '.join(_DIMENSIONS)}]"

ROWS: Final[Mapping[str, tuple[str, str]]] = {
    "backlog": (
        _SPANS,
        f"SELECT ticket, run, since AS at, until, opened_at, {_STORED_DIMENSIONS} FROM open_span WHERE projection_version = $1",
    ),
    "repeat_complaint_rate": (
        _COMPLAINTS,
        f"""
        SELECT ticket, customer_id, topic, opened_at AS at, ended_at, {_STORED_DIMENSIONS} FROM complaint WHERE projection_version = $1
        """,
    ),
    "customers": (
        _ALIASES,
        "SELECT customer_id, into_customer_id, 0::bigint AS at FROM customer_alias WHERE projection_version = $1",
    ),
}
"""By figure: the rows as the event log has them, and as the tables hold them."""


class Matter(NamedTuple):
    """Something that one person complained about, told by its first complaint."""

    at: int
    dimensions: tuple[str, ...]
    is_repeated: bool


async def matters(tx: Transaction, window_us: int, patience: float) -> list[Matter]:
    """All matters, from the event log: a complaint begins one unless another of the person on the topic ended less than the window before
    it, or has not ended."""
    rows = await tx.driver.fetch(_MATTERS, window_us, timeout=patience)
    return [Matter(row["at"], tuple(row["dims"]), row["is_repeated"]) for row in rows]


_MATTERS: Final = f"""
  WITH RECURSIVE complaint AS MATERIALIZED ({_COMPLAINTS}),
  alias AS MATERIALIZED ({_ALIASES}),
  found AS (
    SELECT DISTINCT customer AS file, customer AS person, 0 AS links FROM complaint
    UNION ALL
    SELECT file, into_customer, links + 1 FROM found JOIN alias ON alias.customer = found.person WHERE links < 32
  ),
  person AS (SELECT DISTINCT ON (file) file AS customer, person FROM found ORDER BY file, links DESC),
  own AS MATERIALIZED (SELECT person, topic, ticket, c.at, ended_at, dims FROM complaint c JOIN person USING (customer)),
  beginning AS (
    SELECT o.* FROM own o
     WHERE NOT EXISTS (SELECT FROM own earlier
                        WHERE (earlier.person, earlier.topic) = (o.person, o.topic) AND (earlier.at, earlier.ticket) < (o.at, o.ticket)
                          AND earlier.ended_at >= o.at - $1)
  )
  SELECT b.at, b.dims,
         coalesce((SELECT (n.person, n.topic, n.ticket) NOT IN (SELECT person, topic, ticket FROM beginning)
                     FROM own n
                    WHERE (n.person, n.topic) = (b.person, b.topic) AND (n.at, n.ticket) > (b.at, b.ticket)
                    ORDER BY n.at, n.ticket LIMIT 1), false) AS is_repeated
    FROM beginning b
"""
"""A matter came again when the complaint after the one that began it began none."""
