"""The one fact that two services tell alike: the customer should know something. Intake decides how and when to deliver it."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.events.envelope import Event
from shared.events.topics import FEEDBACK_OUTBOUND, TICKETS_OUTBOUND, Topic


class NotificationRequested(Event):
    """What the customer should know; abstract, one subclass per source topic."""

    KEY: ClassVar[str] = "customer_id"

    notification_id: UUID
    customer_id: UUID
    kind: str = Field(description="template: ticket_reply, ticket_status, ticket_reminder, survey_invitation, survey_reminder")
    locale: str
    ticket_number: str | None = None
    text: str | None = Field(default=None, description="words of our staff; never text written by the requester")
    link: str | None = None
    data: dict[str, str] = Field(
        default_factory=dict, description="codes, figures and links that the template shows, e.g. status; no words"
    )
    expires_at: AwareDatetime | None = Field(default=None, description="no use in delivering after this")


class TicketNotificationRequested(NotificationRequested):
    """A ticket's message to its customer."""

    TYPE: ClassVar[str] = "notification.requested.v1"
    TOPIC: ClassVar[Topic] = TICKETS_OUTBOUND


class FeedbackNotificationRequested(NotificationRequested):
    """An invitation or a follow-up to a customer."""

    TYPE: ClassVar[str] = "notification.requested.v1"
    TOPIC: ClassVar[Topic] = FEEDBACK_OUTBOUND
