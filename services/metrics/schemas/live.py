"""What the live stream says."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from services.metrics.schemas.figures import Answer, AsOfOut, GroupOut

RangeName = Literal["today", "last_30_days"]


class RangeOut(Answer):
    """A range that the stream tells figures of."""

    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")


class LiveFigureOut(GroupOut):
    """A key figure of one of the ranges."""

    range: RangeName


class ChangeOut(Answer):
    """What is different now."""

    as_of: AsOfOut
    items: list[LiveFigureOut]


class SnapshotOut(ChangeOut):
    """Everything."""

    zone: str
    ranges: dict[RangeName, RangeOut]
