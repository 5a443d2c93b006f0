"""Messages to customers as staff see them: what was said of what and whether it arrived, never the address in full or the words."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.intake.sending import Failure


class State(StrEnum):
    """How a message stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class NotificationView(BaseModel):
    """A message to a customer."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "notification_id": "6f0f7c52-6a0f-4a52-9a0e-0d3f0a5b9d11",
                "kind": "ticket_status",
                "state": "failed",
                "reason": "refused",
                "customer_id": "0c6f7f0e-5c3f-4b4e-8f62-0a4f0f6f2f10",
                "ticket_number": "AS-20261125EEA182H",
                "locale": "zh-CN",
                "channel": "email",
                "address": "w***@example.com",
                "requested_at": "2026-11-25T10:00:00Z",
                "expires_at": None,
                "finished_at": "2026-11-25T10:00:01Z",
                "attempts": 0,
                "next_attempt_at": None,
                "requested_by": None,
                "resend_of": None,
                "resent_as": None,
            }
        }
    )

    notification_id: UUID
    kind: str
    state: State
    reason: Failure | None = Field(description="why it failed")
    customer_id: UUID
    ticket_number: str | None
    locale: str
    channel: str | None = Field(description="null until it was sent")
    address: str | None = Field(description="masked; null until it was sent", examples=["w***@example.com"])
    requested_at: datetime
    expires_at: datetime | None = Field(description="no use in delivering it after this")
    finished_at: datetime | None
    attempts: int = Field(ge=0, description="that failed and were not the last")
    next_attempt_at: datetime | None = Field(description="of one that waits: real time")
    requested_by: str | None = Field(description="who had it sent again; null: an event asked for it")
    resend_of: UUID | None = Field(description="the failed message that it replaces")
    resent_as: UUID | None = Field(description="the message that replaces it")
