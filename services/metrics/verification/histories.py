"""Parts of histories, as SQL: what several figures look at."""

from __future__ import annotations

from typing import Final

EVENTS: Final = """
  SELECT key AS ticket, type, seq, data, data->'dimensions' AS dims, (data->>'ticket_version')::bigint AS version,
         (data->>'occurred_at')::bigint AS at, (data->>'episode')::integer AS episode
    FROM event_log WHERE topic = 'aftercare.tickets' AND data ? 'ticket_number'
"""

STANDING: Final = f"""
  SELECT DISTINCT ON (ticket) ticket, dims->>'status' AS status, dims, data->>'customer_id' AS customer
    FROM ({EVENTS}) t ORDER BY ticket, version DESC, seq DESC
"""
"""Each ticket as its last event left it."""

OPENED: Final = f"""
  SELECT DISTINCT ON (ticket) ticket, (data->>'opened_at')::bigint AS at, dims FROM ({EVENTS}) t
   WHERE type = 'ticket.opened.v1' ORDER BY ticket, version, seq
"""

CANCELLED: Final = f"""
  SELECT DISTINCT ON (ticket) ticket, at, data->>'reason' AS reason FROM ({EVENTS}) t
   WHERE type = 'ticket.cancelled.v1' ORDER BY ticket, version DESC, seq DESC
"""

CLOSED: Final = f"""
  SELECT DISTINCT ON (ticket) ticket, at, dims, data->>'reason' AS reason FROM ({EVENTS}) t
   WHERE type = 'ticket.closed.v1' ORDER BY ticket, version DESC, seq DESC
"""

REAL: Final = f"""
  SELECT s.ticket, s.status, s.dims, s.customer FROM ({STANDING}) s LEFT JOIN ({CANCELLED}) c USING (ticket)
   WHERE s.status <> 'merged'
     AND NOT (s.status = 'cancelled' AND coalesce(c.reason, '') IN ('spam', 'test', 'duplicate', 'not_a_request', 'dismissed'))
"""
"""Tickets that are cases of their own: not merged into another one, and not cancelled because there never was a case."""

RESOLUTIONS: Final = f"""
  SELECT DISTINCT ON (ticket, episode) ticket, episode, at, dims FROM ({EVENTS}) t
   WHERE type = 'ticket.resolved.v1' ORDER BY ticket, episode, version, seq
"""

REOPENINGS: Final = f"""
  SELECT DISTINCT ON (ticket, episode) ticket, episode, at FROM ({EVENTS}) t
   WHERE type = 'ticket.reopened.v1' ORDER BY ticket, episode, version, seq
"""

RESOLUTIONS_THAT_HELD: Final = f"""
  SELECT r.ticket, r.episode, r.at, r.dims, coalesce(o.at - r.at > 7 * 24 * 3600 * 1000000::bigint, true) AS held
    FROM ({RESOLUTIONS}) r LEFT JOIN ({REOPENINGS}) o USING (ticket, episode)
"""
"""Each resolution, and whether the seven days after it passed without a reopening."""


def target(name: str, key: str = "ticket") -> str:
    """Each promise as last made: start, due, met, business time, who told that it was met (first) and that it was missed (last).

    ``key`` tells promises apart: a ticket has one first response and one resolution, but a next response for each start.
    """
    told = f"""
      SELECT ticket, type, version, seq, dims, (clock->>'policy_version')::integer AS policy, (clock->>'started_at')::bigint AS started,
             (clock->>'due_at')::bigint AS due, (clock->>'met_at')::bigint AS met, (clock->>'business_ms')::bigint AS business
        FROM (SELECT t.*, CASE WHEN type LIKE 'sla.%' THEN data->'clock' ELSE data->'{name}' END AS clock
                FROM ({EVENTS}) t
               WHERE data ? '{name}' OR (type LIKE 'sla.%' AND data->>'target' = '{name}')) observed
    """
    return f"""
      WITH told AS ({told}),
      ruling AS (SELECT DISTINCT ON ({key}) ticket, started, due, met, business FROM told
                  ORDER BY {key}, policy DESC, version DESC, seq DESC),
      met_by AS (SELECT DISTINCT ON ({key}, met) {key}, met, dims FROM told WHERE met IS NOT NULL ORDER BY {key}, met, version, seq),
      missed_by AS (SELECT DISTINCT ON ({key}) {key}, dims FROM told WHERE type = 'sla.breached.v1'
                     ORDER BY {key}, version DESC, seq DESC)
      SELECT ticket, started, due, met, business, coalesce(met <= due, false) AS attained, m.dims AS met_dims, b.dims AS missed_dims
        FROM ruling LEFT JOIN met_by m USING ({key}, met) LEFT JOIN missed_by b USING ({key})
    """


DIMS_WHEN_COUNTED: Final = "CASE WHEN attained OR missed_dims IS NULL THEN met_dims ELSE missed_dims END"
