"""Targets as they are told and set."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from services.metrics.schemas.figures import Answer
from shared import http

AimedAt = Literal[
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
"""Figures that can be good or bad."""


class TargetBody(http.RequestModel):
    """The next version of a target."""

    value: Annotated[float, Field(strict=True, allow_inf_nan=False, description="In the unit of the figure.", examples=[4.3])]
    valid_from: http.Instant | None = Field(
        default=None, description="From when on it is aimed at; now if it is not given. In the past, ranges that end later are judged anew."
    )


class TargetOut(Answer):
    """One version of a target."""

    kpi: str
    version: int
    value: float
    direction: Literal["at_least", "at_most"]
    unit: str
    valid_from: datetime
    set_by: str = Field(description="Principal.")
    set_at: datetime


class TargetsOut(Answer):
    """The newest version of each target."""

    items: list[TargetOut]


class TargetHistoryOut(TargetOut):
    """The newest version of a target, and all there were."""

    versions: list[TargetOut] = Field(description="The newest first.")
