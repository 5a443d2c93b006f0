"""Figures as they are told."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.metrics.periods import Step


class Answer(BaseModel):
    """Root of answers; a field named `from` for the world is `start` in code."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class AsOfOut(Answer):
    """How far the figures know the world; read in the same snapshot as they are."""

    positions: dict[str, int] = Field(description="By topic/partition: the number of the last event that was taken in.")
    event_time: datetime | None = Field(description="The latest time of those events; null before the first.")


class EstimateOut(Answer):
    """A percentile."""

    value: float
    ci95: tuple[float, float] | None = Field(description="By order statistics; null while there are too few, and where all are known.")


class ShareOut(Answer):
    """Of the durations, those within a limit."""

    limit: float = Field(description="Seconds, inclusive.")
    value: float | None = Field(description="Null below ten cases, as of any rate.")
    numerator: int
    denominator: int
    ci95: tuple[float, float] | None


class AgeClassOut(Answer):
    """How many open tickets are so old."""

    start: int = Field(alias="from", description="Seconds of age, inclusive.")
    end: int | None = Field(alias="to", description="Seconds of age, exclusive; null for the oldest.")
    n: int


class FigureOut(Answer):
    """One key figure."""

    kpi: str
    unit: str
    value: int | float | None = Field(description="Null when nothing was counted, or too little to show a rate (`small_n`).")
    numerator: int = Field(
        description="Counts: how often. Rates: successes. Means: sum of scores, or of milliseconds. NPS: promoters minus detractors."
    )
    denominator: int | None = Field(description="Null for plain counts.")
    n: int = Field(description="Cases behind the figure.")
    ci95: tuple[float, float] | None = Field(description="95 % confidence interval of the value; null for plain counts.")
    target: float | None
    direction: Literal["at_least", "at_most"] | None = Field(description="On which side of the target it is good.")
    verdict: Literal["met", "missed", "inconclusive"] | None = Field(description="Met or missed only by the whole interval.")
    definition_version: int
    small_n: Literal["grey", "counts_only"] | None = Field(description="grey: n < 30. counts_only: n < 10, rates are hidden.")
    provisional: bool = Field(description="It has not ended, or what happens in the days of its window can still change it. Else final.")
    clock: Literal["business", "calendar"] | None = Field(default=None, description="Of durations: by which clock.")
    median: EstimateOut | None = Field(default=None, description="Of durations, seconds; within 1 % of the truth.")
    p90: EstimateOut | None = Field(default=None, description="Of durations, seconds; within 1 % of the truth.")
    within: ShareOut | None = Field(default=None, description="online_response_time: the share that was quick.")
    classes: list[AgeClassOut] | None = Field(default=None, description="backlog_age: how many are how old.")
    window_days: int | None = Field(default=None, description="Days after the range in which it can still change.")
    at: datetime | None = Field(default=None, description="backlog, backlog_age: the instant that it holds for.")


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
