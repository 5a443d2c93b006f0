"""Proves the rollups: derives each key figure's rows from the event log by SQL of its own, and compares them all.

The queries are written from the definitions in the service's README, not from the projection: nothing of it is used here but the grid of
quarter hours. Where the projection merges facts event by event, these queries look at whole histories with DISTINCT ON and joins; a
mistake in one of the two is a difference. Everything is read in the snapshot of one transaction, so that events which arrive meanwhile do
not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.metrics.buckets import sql_bucket, start_of
from shared.database import Transaction

PATIENCE: Final = 24 * 3600.0
"""Seconds that one key figure's comparison may take: it reads the whole log."""

PLANNING: Final = ("statement_timeout = 0", "enable_nestloop = off", "jit = off", "work_mem = '64MB'")
"""The planner cannot guess how many events a history has; a nested loop over histories would take a square of them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One rollup row that is not what the event log says."""

    kpi: str
    dimension: str
    value: str
    bucket_start: datetime
    measure: str
    expected: int
    """By the event log."""
    actual: int
    """By the rollups."""


async def differences(tx: Transaction, version: int) -> list[Difference]:
    """All rows of a projection that differ from the event log; none is the proof.

    ``tx`` must see one snapshot (REPEATABLE READ).
    """
    for setting in PLANNING:
        await tx.execute(f"SET LOCAL {setting}")
    found: list[Difference] = []
    for kpi, counted in COUNTED.items():
        rows = await tx.driver.fetch(_COMPARED.format(counted=counted), version, kpi, timeout=PATIENCE)
        found += [Difference(kpi, row[0], row[1], start_of(row[2]), row[3], row[4], row[5]) for row in rows]
    return found + await _undefined(tx, version)


async def _undefined(tx: Transaction, version: int) -> list[Difference]:
    """Rows of figures that nobody has defined."""
    rows = await tx.driver.fetch(
        """
        SELECT kpi, dimension, value, bucket, measure, n FROM kpi_rollup
         WHERE projection_version = $1 AND n <> 0 AND kpi <> ALL($2::text[]) ORDER BY 1, 2, 3, 4, 5
        """,
        version,
        list(COUNTED),
        timeout=PATIENCE,
    )
    return [Difference(row[0], row[1], row[2], start_of(row[3]), row[4], 0, row[5]) for row in rows]


# ------------------------------------------------------------------ the comparison

_COMPARED: Final = (
    """
    WITH counted AS ({counted}),
    expected AS (
      SELECT g.dimension, coalesce(g.value, '') AS value, """
    + sql_bucket("c.at")
    + """ AS bucket, c.measure, count(*) AS n
        FROM counted c
       CROSS JOIN LATERAL (VALUES ('total', ''), ('channel', c.dims->>'channel'), ('type', c.dims->>'type'),
                                  ('priority', c.dims->>'priority'), ('team', c.dims->>'team'), ('agent', c.dims->>'agent'),
                                  ('tier', c.dims->>'tier')) g(dimension, value)
       WHERE c.dims->>'channel' <> 'internal'
       GROUP BY 1, 2, 3, 4
    ),
    actual AS (
      SELECT dimension, value, bucket, measure, n FROM kpi_rollup WHERE projection_version = $1 AND kpi = $2 AND n <> 0
    )
    SELECT dimension, value, bucket, measure, coalesce(e.n, 0) AS expected, coalesce(a.n, 0) AS actual
      FROM expected e FULL JOIN actual a USING (dimension, value, bucket, measure)
     WHERE e.n IS DISTINCT FROM a.n
     ORDER BY bucket, dimension, value, measure
    """
)
"""``counted`` = one row (at, dims, measure) for each time that something counts."""

# ------------------------------------------------------------------ parts of histories

_TICKET_EVENTS: Final = """
  SELECT key AS ticket, type, seq, data, data->'dimensions' AS dims, (data->>'ticket_version')::bigint AS version,
         (data->>'occurred_at')::bigint AS at, (data->>'episode')::integer AS episode
    FROM event_log WHERE topic = 'aftercare.tickets' AND data ? 'ticket_number'
"""

_ENDED_AS: Final = f"""
  SELECT DISTINCT ON (ticket) ticket, dims->>'status' AS status FROM ({_TICKET_EVENTS}) t ORDER BY ticket, version DESC, seq DESC
"""
"""The last status of each ticket."""

_RESOLUTIONS: Final = f"""
  SELECT DISTINCT ON (ticket, episode) ticket, episode, at, dims FROM ({_TICKET_EVENTS}) t
   WHERE type = 'ticket.resolved.v1' ORDER BY ticket, episode, version, seq
"""

_REOPENINGS: Final = f"""
  SELECT DISTINCT ON (ticket, episode) ticket, episode, at FROM ({_TICKET_EVENTS}) t
   WHERE type = 'ticket.reopened.v1' ORDER BY ticket, episode, version, seq
"""

_RESOLUTIONS_THAT_HELD: Final = f"""
  SELECT r.ticket, r.episode, r.at, r.dims, coalesce(o.at - r.at > 7 * 24 * 3600 * 1000000::bigint, true) AS held
    FROM ({_RESOLUTIONS}) r LEFT JOIN ({_REOPENINGS}) o USING (ticket, episode)
"""
"""Each resolution, and whether the seven days after it passed without a reopening."""


def _target(name: str) -> str:
    """Each ticket's promise as last made: due, met, who told that it was met (first) and that it was missed (last)."""
    told = f"""
      SELECT ticket, type, version, seq, dims, (clock->>'policy_version')::integer AS policy, (clock->>'due_at')::bigint AS due,
             (clock->>'met_at')::bigint AS met
        FROM (SELECT t.*, CASE WHEN type LIKE 'sla.%' THEN data->'clock' ELSE data->'{name}' END AS clock
                FROM ({_TICKET_EVENTS}) t
               WHERE data ? '{name}' OR data->>'target' = '{name}') observed
    """
    return f"""
      WITH told AS ({told}),
      ruling AS (SELECT DISTINCT ON (ticket) ticket, due, met FROM told ORDER BY ticket, policy DESC, version DESC, seq DESC),
      met_by AS (SELECT DISTINCT ON (ticket, met) ticket, met, dims FROM told WHERE met IS NOT NULL ORDER BY ticket, met, version, seq),
      missed_by AS (SELECT DISTINCT ON (ticket) ticket, dims FROM told WHERE type = 'sla.breached.v1'
                     ORDER BY ticket, version DESC, seq DESC)
      SELECT ticket, due, met, coalesce(met <= due, false) AS attained, m.dims AS met_dims, b.dims AS missed_dims
        FROM ruling LEFT JOIN met_by m USING (ticket, met) LEFT JOIN missed_by b USING (ticket)
    """


_DIMS_WHEN_COUNTED: Final = "CASE WHEN attained OR missed_dims IS NULL THEN met_dims ELSE missed_dims END"

# ------------------------------------------------------------------ the definitions, one by one

_REQUESTS: Final = """
  SELECT DISTINCT ON (data->>'request_id') (data->>'occurred_at')::bigint AS at, 'count' AS measure,
         jsonb_build_object('channel', data->'channel', 'type', data->'type') AS dims
    FROM event_log WHERE type = 'request.received.v1' ORDER BY data->>'request_id', seq
"""

_TICKETS_OPENED: Final = f"""
  SELECT at, 'count' AS measure, dims
    FROM (SELECT DISTINCT ON (ticket) ticket, (data->>'opened_at')::bigint AS at, dims FROM ({_TICKET_EVENTS}) t
           WHERE type = 'ticket.opened.v1' ORDER BY ticket, version, seq) opened
    JOIN ({_ENDED_AS}) ended USING (ticket)
   WHERE status <> 'merged'
"""

_TICKETS_RESOLVED: Final = f"""
  SELECT at, 'count' AS measure, dims FROM ({_RESOLUTIONS}) r JOIN ({_ENDED_AS}) ended USING (ticket) WHERE status <> 'merged'
"""

_REOPEN_RATE: Final = f"""
  SELECT at, m.measure, dims
    FROM ({_RESOLUTIONS_THAT_HELD}) r JOIN ({_ENDED_AS}) ended USING (ticket)
    JOIN (VALUES ('denominator', true), ('denominator', false), ('numerator', false)) m(measure, held) USING (held)
   WHERE status <> 'merged'
"""

_SLA_FIRST_RESPONSE: Final = f"""
  SELECT least(met, due) AS at, m.measure, {_DIMS_WHEN_COUNTED} AS dims
    FROM ({_target("first_response")}) target JOIN ({_ENDED_AS}) ended USING (ticket)
    JOIN (VALUES ('denominator', true), ('denominator', false), ('numerator', true)) m(measure, attained) USING (attained)
   WHERE (met IS NOT NULL OR missed_dims IS NOT NULL) AND status NOT IN ('cancelled', 'merged')
"""

_RESOLUTION_RATE: Final = f"""
  WITH given_up AS (
    SELECT ticket, dims FROM (SELECT DISTINCT ON (ticket) ticket, dims, data->>'reason' AS reason FROM ({_TICKET_EVENTS}) t
                               WHERE type = 'ticket.closed.v1' ORDER BY ticket, version DESC, seq DESC) closed
      JOIN ({_ENDED_AS}) ended USING (ticket)
     WHERE reason = 'no_customer_answer' AND status = 'closed'
  ),
  solved AS (
    SELECT ticket FROM (SELECT DISTINCT ON (ticket) ticket, held FROM ({_RESOLUTIONS_THAT_HELD}) r ORDER BY ticket, episode DESC) last
     WHERE held AND ticket NOT IN (SELECT ticket FROM given_up)
  )
  SELECT least(met, due) AS at, m.measure, coalesce({_DIMS_WHEN_COUNTED}, given_up.dims) AS dims
    FROM ({_target("resolution")}) target JOIN ({_ENDED_AS}) ended USING (ticket) LEFT JOIN given_up USING (ticket)
    JOIN (VALUES ('denominator', true), ('denominator', false), ('numerator', true)) m(measure, solved)
      ON m.solved = (ticket IN (SELECT ticket FROM solved))
   WHERE (met IS NOT NULL OR missed_dims IS NOT NULL OR given_up.dims IS NOT NULL) AND status NOT IN ('cancelled', 'merged')
"""

_FIRST_ANSWERS: Final = """
  SELECT DISTINCT ON (data->>'invitation_id') data, data->'dimensions' AS dims, (data->>'occurred_at')::bigint AS at
    FROM event_log WHERE type = 'survey.answered.v1' ORDER BY data->>'invitation_id', seq
"""

_CSAT_MEAN: Final = f"""
  SELECT at, 'score_' || (data->>'overall') AS measure, dims FROM ({_FIRST_ANSWERS}) answered WHERE data ? 'overall'
"""

_NPS: Final = f"""
  SELECT at, 'score_' || (data->>'recommend') AS measure, dims FROM ({_FIRST_ANSWERS}) answered
   WHERE data ? 'recommend' AND split_part(data->>'form', '.', 1) <> 'T2'
"""

COUNTED: Final[Mapping[str, str]] = {
    "requests": _REQUESTS,
    "tickets_opened": _TICKETS_OPENED,
    "tickets_resolved": _TICKETS_RESOLVED,
    "sla_first_response": _SLA_FIRST_RESPONSE,
    "resolution_rate": _RESOLUTION_RATE,
    "reopen_rate": _REOPEN_RATE,
    "csat_mean": _CSAT_MEAN,
    "nps": _NPS,
}
"""By key figure: when something counts, as what, in which dimensions."""
