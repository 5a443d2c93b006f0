"""Parameters of a question about figures."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import Query
from pydantic import StringConstraints

from services.metrics.kpi import Clock as KpiClock
from services.metrics.periods import Step

KpiId = Literal[
    "requests",
    "tickets_opened",
    "tickets_resolved",
    "backlog",
    "backlog_age",
    "first_response_time",
    "online_response_time",
    "resolution_time",
    "sla_first_response",
    "sla_next_response",
    "sla_resolution",
    "resolution_rate",
    "reopen_rate",
    "repeat_complaint_rate",
    "csat_mean",
    "csat_top2",
    "nps",
    "survey_response_rate",
]
"""Fixed words: tables, events and links name figures by them."""
Dimension = Literal["channel", "type", "priority", "team", "agent", "tier"]

MAX_MOMENT: Final = 64
"""Characters of a date or an instant."""
MAX_VALUES: Final = 50
_ONE: Final = "(channel|type|priority|team|agent|tier)"

Since = Annotated[
    str | None,
    Query(
        alias="from",
        max_length=MAX_MOMENT,
        description="First moment: a date in `zone`, or an instant.",
        examples=["2026-11-01"],
    ),
]
To = Annotated[
    str | None,
    Query(max_length=MAX_MOMENT, description="First moment no longer included: a date in `zone`, or an instant.", examples=["2026-12-01"]),
]
Zone = Annotated[
    str | None,
    Query(max_length=MAX_MOMENT, description="IANA zone of dates; by default the organisation's.", examples=["Asia/Shanghai"]),
]
Kpis = Annotated[list[KpiId] | None, Query(max_length=64, description="Repeat it for several; by default all.")]
GroupBy = Annotated[
    str | None,
    Query(
        pattern=f"^{_ONE}(,{_ONE})?$",
        description="One dimension, or two with a comma: a figure for each value that occurred, as it was at the time.",
        examples=["channel", "channel,type"],
    ),
]
Filter = Annotated[
    list[Annotated[str, StringConstraints(max_length=64)]] | None,
    Query(max_length=MAX_VALUES, description="Only these values, as they were at the time; repeat it for several, empty for none."),
]
Clock = Annotated[KpiClock, Query(description="By which clock durations are told: business time without pauses, or the calendar.")]
RepeatWindow = Annotated[
    int, Query(ge=1, le=365, description="Days after the end of a complaint within which another one is the same matter again.")
]
Bucket = Annotated[Step, Query(description="What a slot of the series is, in `zone`; weeks begin on Monday.")]
