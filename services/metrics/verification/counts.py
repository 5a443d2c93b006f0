"""The figures that are sums of quarter hours, one by one: when something counts, as what, how much, in which dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.metrics.buckets import sql_duration_class
from services.metrics.verification.histories import (
    CLOSED,
    DIMS_WHEN_COUNTED,
    FIRST_RESPONSE,
    NEXT_RESPONSE,
    OPENED,
    REAL,
    RESOLUTION,
    RESOLUTIONS,
    RESOLUTIONS_THAT_HELD,
)

_REQUESTS: Final = """
  SELECT DISTINCT ON (data->>'request_id') (data->>'occurred_at')::bigint AS at, 'count' AS measure, 1 AS n,
         jsonb_build_object('channel', data->'channel', 'type', data->'type') AS dims
    FROM event_log WHERE type = 'request.received.v1' ORDER BY data->>'request_id', seq
"""

_TICKETS_OPENED: Final = f"""
  SELECT opened.at, 'count' AS measure, 1 AS n, opened.dims FROM ({OPENED}) opened JOIN ({REAL}) actual USING (ticket)
"""

_TICKETS_RESOLVED: Final = f"""
  SELECT at, 'count' AS measure, 1 AS n, r.dims FROM ({RESOLUTIONS}) r JOIN ({REAL}) actual USING (ticket)
"""

_REOPEN_RATE: Final = f"""
  SELECT at, m.measure, 1 AS n, r.dims
    FROM ({RESOLUTIONS_THAT_HELD}) r JOIN ({REAL}) actual USING (ticket)
    JOIN (VALUES ('denominator', true), ('denominator', false), ('numerator', false)) m(measure, held) USING (held)
"""


def _attainment(promise: str) -> str:
    return f"""
      SELECT least(met, due) AS at, m.measure, 1 AS n, {DIMS_WHEN_COUNTED} AS dims
        FROM ({promise}) target JOIN ({REAL}) actual USING (ticket)
        JOIN (VALUES ('denominator', true), ('denominator', false), ('numerator', true)) m(measure, attained) USING (attained)
       WHERE (met IS NOT NULL OR missed_dims IS NOT NULL) AND status <> 'cancelled'
    """


def _spent(promise: str, condition: str = "true", further: str = "") -> str:
    """How long it took to meet a promise: the sum and the class, by each clock."""
    return f"""
      SELECT met AS at, m.measure, m.n, met_dims AS dims
        FROM (SELECT *, greatest(met - started, 0) / 1000 AS calendar FROM ({promise}) target) target JOIN ({REAL}) actual USING (ticket)
       CROSS JOIN LATERAL (VALUES ('business_ms', business), ('business_' || {sql_duration_class("business")}, business * 0 + 1),
                                  ('calendar_ms', calendar), ('calendar_' || {sql_duration_class("calendar")}, 1) {further}) m(measure, n)
       WHERE met IS NOT NULL AND m.n IS NOT NULL AND {condition}
    """


_RESOLUTION_RATE: Final = f"""
  WITH last AS (SELECT DISTINCT ON (ticket) ticket, held FROM ({RESOLUTIONS_THAT_HELD}) r ORDER BY ticket, episode DESC),
  given_up AS (
    SELECT ticket, closed.dims FROM ({CLOSED}) closed JOIN ({REAL}) actual USING (ticket) LEFT JOIN last USING (ticket)
     WHERE status = 'closed' AND (reason = 'no_customer_answer' OR held IS NOT TRUE)
  ),
  solved AS (SELECT ticket FROM last WHERE held AND ticket NOT IN (SELECT ticket FROM given_up))
  SELECT least(met, due) AS at, m.measure, 1 AS n, coalesce({DIMS_WHEN_COUNTED}, given_up.dims) AS dims
    FROM ({RESOLUTION}) target JOIN ({REAL}) actual USING (ticket) LEFT JOIN given_up USING (ticket)
    JOIN (VALUES ('denominator', true), ('denominator', false), ('numerator', true)) m(measure, solved)
      ON m.solved = (ticket IN (SELECT ticket FROM solved))
   WHERE (met IS NOT NULL OR missed_dims IS NOT NULL OR given_up.dims IS NOT NULL) AND status <> 'cancelled'
"""

_FIRST_ANSWERS: Final = """
  SELECT DISTINCT ON (invitation) data, at, dims
    FROM (SELECT data->>'invitation_id' AS invitation, data, seq, (data->>'occurred_at')::bigint AS at, data->'dimensions' AS dims
            FROM event_log WHERE type = 'survey.answered.v1'
          UNION ALL
          SELECT data->>'response_id', data, seq, (data->>'occurred_at')::bigint,
                 jsonb_build_object('channel', data->'channel', 'type', data->'type', 'tier', data->'tier')
            FROM event_log WHERE type = 'survey.answered_anonymously.v1') given
   ORDER BY invitation, seq
"""

_CSAT_MEAN: Final = f"""
  SELECT at, 'score_' || (data->>'overall') AS measure, 1 AS n, dims FROM ({_FIRST_ANSWERS}) answered WHERE data ? 'overall'
"""

_NPS: Final = f"""
  SELECT at, 'score_' || (data->>'recommend') AS measure, 1 AS n, dims FROM ({_FIRST_ANSWERS}) answered
   WHERE data ? 'recommend' AND split_part(data->>'form', '.', 1) <> 'T2'
"""

_SURVEY_RESPONSE_RATE: Final = """
  SELECT at, m.measure, 1 AS n, dims
    FROM (SELECT DISTINCT ON (data->>'invitation_id') data->>'invitation_id' AS invitation, (data->>'occurred_at')::bigint AS at,
                 data->'dimensions' AS dims
            FROM event_log WHERE type = 'survey.invited.v1' AND split_part(data->>'form', '.', 1) <> 'S1'
           ORDER BY data->>'invitation_id', seq) invited
    LEFT JOIN (SELECT DISTINCT data->>'invitation_id' AS invitation, true AS is_answered
                 FROM event_log WHERE type = 'survey.answered.v1') answered USING (invitation)
    LEFT JOIN (SELECT DISTINCT data->>'invitation_id' AS invitation, true AS is_cancelled
                 FROM event_log WHERE type = 'survey.cancelled.v1') cancelled USING (invitation)
    JOIN (VALUES ('denominator', true), ('denominator', false), ('numerator', true)) m(measure, is_answered)
      ON m.is_answered = (answered.is_answered IS NOT NULL)
   WHERE answered.is_answered OR is_cancelled IS NULL
"""

_ON_A_CHAT: Final = "met_dims->>'channel' IN ('chat', 'bot')"
_QUICK: Final = ", ('within', CASE WHEN business <= 30000 THEN 1 END)"

COUNTED: Final[Mapping[str, str]] = {
    "requests": _REQUESTS,
    "tickets_opened": _TICKETS_OPENED,
    "tickets_resolved": _TICKETS_RESOLVED,
    "first_response_time": _spent(FIRST_RESPONSE),
    "online_response_time": _spent(FIRST_RESPONSE, _ON_A_CHAT, _QUICK),
    "resolution_time": _spent(RESOLUTION),
    "sla_first_response": _attainment(FIRST_RESPONSE),
    "sla_next_response": _attainment(NEXT_RESPONSE),
    "sla_resolution": _attainment(RESOLUTION),
    "resolution_rate": _RESOLUTION_RATE,
    "reopen_rate": _REOPEN_RATE,
    "csat_mean": _CSAT_MEAN,
    "nps": _NPS,
    "survey_response_rate": _SURVEY_RESPONSE_RATE,
}
"""By key figure."""
