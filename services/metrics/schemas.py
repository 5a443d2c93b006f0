"""What outside callers ask for and get."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from services.metrics.periods import Step

KpiId = Literal[
    "requests", "tickets_opened", "tickets_resolved", "sla_first_response", "resolution_rate", "reopen_rate", "csat_mean", "nps"
]
"""Fixed words: tables, events and links name figures by them."""
Dimension = Literal["channel", "type", "priority", "team", "agent", "tier"]

MAX_MOMENT = 64
"""Characters of a date or an instant."""

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
GroupBy = Annotated[Dimension | None, Query(description="One figure for each value that occurred, as it was at the time.")]
Bucket = Annotated[Step, Query(description="What a slot of the series is, in `zone`; weeks begin on Monday.")]


class Answer(BaseModel):
    """Root of answers; a field named `from` for the world is `start` in code."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class AsOfOut(Answer):
    """How far the figures know the world; read in the same snapshot as they are."""

    positions: dict[str, int] = Field(description="By topic/partition: the number of the last event that was taken in.")
    event_time: datetime | None = Field(description="The latest time of those events; null before the first.")


class FigureOut(Answer):
    """One key figure."""

    kpi: str
    unit: str
    value: int | float | None = Field(description="Null when nothing was counted, or too little to show a rate (`small_n`).")
    numerator: int = Field(description="Counts: how often. Rates: successes. Means: sum of scores. NPS: promoters minus detractors.")
    denominator: int | None = Field(description="Null for plain counts.")
    n: int = Field(description="Cases behind the figure.")
    ci95: tuple[float, float] | None = Field(description="95 % confidence interval of the value; null for plain counts.")
    target: float | None
    direction: Literal["at_least", "at_most"] | None = Field(description="On which side of the target it is good.")
    verdict: Literal["met", "missed", "inconclusive"] | None = Field(description="Met or missed only by the whole interval.")
    definition_version: int
    small_n: Literal["grey", "counts_only"] | None = Field(description="grey: n < 30. counts_only: n < 10, rates are hidden.")
    provisional: bool = Field(description="A reopening within 7 days after the range can still change it.")


class GroupOut(FigureOut):
    """One key figure of one group."""

    dimensions: dict[str, str | None] = Field(description="The group: value by dimension, null where there was none; empty for the whole.")


class KpisOut(Answer):
    """Key figures of one range."""

    as_of: AsOfOut
    start: datetime = Field(alias="from", description="The range as counted: instants are widened to quarter hours.")
    end: datetime = Field(alias="to")
    zone: str
    items: list[GroupOut]


class SlotOut(FigureOut):
    """One key figure of one slot of time."""

    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")


class SeriesOut(Answer):
    """One key figure over time; a slot in which nothing happened is there as well."""

    as_of: AsOfOut
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    zone: str
    bucket: Step
    items: list[SlotOut]
