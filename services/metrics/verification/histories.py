"""Parts of histories, as SQL: what several figures look at. Each is looked up once for all of them, into a table of the transaction."""

from __future__ import annotations

from typing import Final

from shared.database import Transaction

PATIENCE: Final = 24 * 3600.0
"""Seconds that one look at the whole log may take."""

_PARTS: Final[dict[str, str]] = {}
"""Queries by the table that holds their result, in the order in which they are asked."""


async def look_up(tx: Transaction) -> None:
    """Fill the tables that the constants below name; they are gone when the transaction ends, which therefore must not be read-only."""
    for table, query in _PARTS.items():
        await tx.driver.execute(f"CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS {query}", timeout=PATIENCE)
        await tx.driver.execute(f"ANALYZE {table}", timeout=PATIENCE)


def _part(name: str, query: str) -> str:
    """The query to the table that will hold the part."""
    _PARTS[f"proof_{name}"] = query
    return f"SELECT * FROM proof_{name}"


EVENTS: Final = _part(
    "event",
    """
  SELECT key AS ticket, type, seq, data->'dimensions' AS dims, (data->>'ticket_version')::bigint AS version,
         (data->>'occurred_at')::bigint AS at, (data->>'episode')::integer AS episode, (data->>'opened_at')::bigint AS opened_at,
         data->>'reason' AS reason, data->>'customer_id' AS customer
    FROM event_log WHERE topic = 'aftercare.tickets' AND data ? 'ticket_number'
""",
)

STANDING: Final = _part(
    "standing",
    f"""
  SELECT DISTINCT ON (ticket) ticket, dims->>'status' AS status, dims, customer
    FROM ({EVENTS}) t ORDER BY ticket, version DESC, seq DESC
""",
)
"""Each ticket as its last event left it."""

OPENED: Final = _part(
    "opened",
    f"""
  SELECT DISTINCT ON (ticket) ticket, opened_at AS at, dims FROM ({EVENTS}) t
   WHERE type = 'ticket.opened.v1' ORDER BY ticket, version, seq
""",
)

CANCELLED: Final = _part(
    "cancelled",
    f"""
  SELECT DISTINCT ON (ticket) ticket, at, reason FROM ({EVENTS}) t
   WHERE type = 'ticket.cancelled.v1' ORDER BY ticket, version DESC, seq DESC
""",
)

CLOSED: Final = _part(
    "closed",
    f"""
  SELECT DISTINCT ON (ticket) ticket, at, dims, reason FROM ({EVENTS}) t
   WHERE type = 'ticket.closed.v1' ORDER BY ticket, version DESC, seq DESC
""",
)

REAL: Final = _part(
    "real",
    f"""
  SELECT s.ticket, s.status, s.dims, s.customer FROM ({STANDING}) s LEFT JOIN ({CANCELLED}) c USING (ticket)
   WHERE s.status <> 'merged'
     AND NOT (s.status = 'cancelled' AND coalesce(c.reason, '') IN ('spam', 'test', 'duplicate', 'not_a_request', 'dismissed'))
""",
)
"""Tickets that are cases of their own: not merged into another one, and not cancelled because there never was a case."""

RESOLUTIONS: Final = _part(
    "resolved",
    f"""
  SELECT DISTINCT ON (ticket, episode) ticket, episode, at, dims FROM ({EVENTS}) t
   WHERE type = 'ticket.resolved.v1' ORDER BY ticket, episode, version, seq
""",
)

REOPENINGS: Final = _part(
    "reopening",
    f"""
  SELECT DISTINCT ON (ticket, episode) ticket, episode, at FROM ({EVENTS}) t
   WHERE type = 'ticket.reopened.v1' ORDER BY ticket, episode, version, seq
""",
)

RESOLUTIONS_THAT_HELD: Final = _part(
    "held",
    f"""
  SELECT r.ticket, r.episode, r.at, r.dims, coalesce(o.at - r.at > 7 * 24 * 3600 * 1000000::bigint, true) AS held
    FROM ({RESOLUTIONS}) r LEFT JOIN ({REOPENINGS}) o USING (ticket, episode)
""",
)
"""Each resolution, and whether the seven days after it passed without a reopening."""


def _target(name: str, key: str = "ticket") -> str:
    """Each promise as last made: start, due, met, business time, who told that it was met (first) and that it was missed (last).

    ``key`` tells promises apart: a ticket has one first response and one resolution, but a next response for each start.
    """
    told = f"""
      SELECT ticket, type, version, seq, dims, (clock->>'policy_version')::integer AS policy, (clock->>'started_at')::bigint AS started,
             (clock->>'due_at')::bigint AS due, (clock->>'met_at')::bigint AS met, (clock->>'business_ms')::bigint AS business
        FROM (SELECT key AS ticket, type, seq, data->'dimensions' AS dims, (data->>'ticket_version')::bigint AS version,
                     CASE WHEN type LIKE 'sla.%' THEN data->'clock' ELSE data->'{name}' END AS clock
                FROM event_log
               WHERE topic = 'aftercare.tickets' AND data ? 'ticket_number'
                 AND (data ? '{name}' OR (type LIKE 'sla.%' AND data->>'target' = '{name}'))) observed
    """
    query = f"""
      WITH told AS ({told}),
      ruling AS (SELECT DISTINCT ON ({key}) ticket, started, due, met, business FROM told
                  ORDER BY {key}, policy DESC, version DESC, seq DESC),
      met_by AS (SELECT DISTINCT ON ({key}, met) {key}, met, dims FROM told WHERE met IS NOT NULL ORDER BY {key}, met, version, seq),
      missed_by AS (SELECT DISTINCT ON ({key}) {key}, dims FROM told WHERE type = 'sla.breached.v1'
                     ORDER BY {key}, version DESC, seq DESC)
      SELECT ticket, started, due, met, business, coalesce(met <= due, false) AS attained, m.dims AS met_dims, b.dims AS missed_dims
        FROM ruling LEFT JOIN met_by m USING ({key}, met) LEFT JOIN missed_by b USING ({key})
    """
    return _part(name, query)


FIRST_RESPONSE: Final = _target("first_response")
NEXT_RESPONSE: Final = _target("next_response", "ticket, started")
RESOLUTION: Final = _target("resolution")


DIMS_WHEN_COUNTED: Final = "CASE WHEN attained OR missed_dims IS NULL THEN met_dims ELSE missed_dims END"
