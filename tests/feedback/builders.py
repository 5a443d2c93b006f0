"""Valid values of the trade by default; a test says only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from services.feedback.survey.invitations import Invitation, Timing, plan, send
from shared.events.codes import Locale
from shared.events.tickets import Dimensions, Target, TicketReopened, TicketResolved

MOMENT: Final = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
CUSTOMER: Final = UUID("00000000-0000-4000-8000-00000000c001")
NUMBER: Final = "AS-20261201-ABC123X"
AT_ONCE: Final = Timing(delay=timedelta(0), lifetime=timedelta(days=14))


def dimensions(**changes: Any) -> Dimensions:
    return Dimensions(
        **{
            "status": "resolved",
            "priority": "normal",
            "channel": "email",
            "type": "repair",
            "agent": "agent-1",
            "team": "team-1",
            **changes,
        }
    )


def target(at: datetime = MOMENT) -> Target:
    return Target(started_at=at - timedelta(hours=5), due_at=at + timedelta(hours=1), met_at=at, policy_version=1)


def resolved(**changes: Any) -> TicketResolved:
    at = changes.get("occurred_at", MOMENT)
    return TicketResolved(
        **{
            "occurred_at": at,
            "ticket_number": NUMBER,
            "ticket_version": 5,
            "customer_id": CUSTOMER,
            "dimensions": dimensions(),
            "actor": "agent-1",
            "episode": 1,
            "resolution_code": "solved",
            "opened_at": at - timedelta(hours=5),
            "locale": "zh-CN",
            "first_response": target(at),
            "resolution": target(at),
            **changes,
        }
    )


def reopened(**changes: Any) -> TicketReopened:
    at = changes.get("occurred_at", MOMENT + timedelta(hours=1))
    return TicketReopened(
        **{
            "occurred_at": at,
            "ticket_number": NUMBER,
            "ticket_version": 6,
            "customer_id": CUSTOMER,
            "dimensions": dimensions(status="assigned"),
            "actor": "customer",
            "episode": 1,
            "resolved_at": MOMENT,
            "reason": "customer_reply",
            "resolution": target(at),
            **changes,
        }
    )


def scheduled(**changes: Any) -> Invitation:
    return plan(resolved(**changes), locale=Locale.ZH_CN, timing=AT_ONCE)


def open_invitation(*, at: datetime = MOMENT, timing: Timing = AT_ONCE, **changes: Any) -> Invitation:
    return send(scheduled(**{"occurred_at": at, **changes}), at=at, timing=timing)


def new_number() -> str:
    """A ticket that no other test knows."""
    return f"AS-20261201-{uuid4().hex[:7].upper()}"
