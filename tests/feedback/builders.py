"""Valid values of the trade by default; a test says only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from services.feedback.migrations import first_forms
from services.feedback.schemas.forms import FormBody
from services.feedback.survey.forms import Form, FormType, Half, half_of
from services.feedback.survey.invitations import Invitation, invitation_id, plan, send
from services.feedback.survey.rules import Rules, usual
from shared.events.codes import Locale
from shared.events.tickets import Dimensions, Target, TicketMerged, TicketReopened, TicketResolved

MOMENT: Final = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
CUSTOMER: Final = UUID("00000000-0000-4000-8000-00000000c001")
NUMBER: Final = "AS-20261201-ABC123X"
"""Its first customer is asked N1."""
AT_ONCE: Final = usual(timedelta(0))


def _form(type_: FormType, version: int, definition: dict[str, Any]) -> Form:
    return FormBody.model_validate(definition).form(type_, version)


T1_1: Final = _form(FormType.TRANSACTIONAL, 1, first_forms.T1_1)
T1_2: Final = _form(FormType.TRANSACTIONAL, 2, first_forms.T1_2)
T2_1: Final = _form(FormType.RELATIONSHIP, 1, first_forms.T2_1)
S1_1: Final = _form(FormType.SOLVED, 1, first_forms.S1_1)
FORMS: Final = (T1_1, T1_2, T2_1, S1_1)
"""The forms that the migrations write."""


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


def merged(**changes: Any) -> TicketMerged:
    return TicketMerged(
        **{
            "occurred_at": MOMENT + timedelta(hours=1),
            "ticket_number": NUMBER,
            "ticket_version": 6,
            "customer_id": CUSTOMER,
            "dimensions": dimensions(status="merged"),
            "actor": "agent-1",
            "into_number": "AS-20261201-0THER1X",
            "previous_status": "resolved",
            **changes,
        }
    )


def scheduled(**changes: Any) -> Invitation:
    return plan(resolved(**changes), form=T1_2.code, locale=Locale.ZH_CN, rules=AT_ONCE)


def open_invitation(*, at: datetime = MOMENT, rules: Rules = AT_ONCE, **changes: Any) -> Invitation:
    invitation = scheduled(**{"occurred_at": at, **changes})
    return send(invitation, at=at, lifetime=rules.lifetime.of(invitation.dimensions.channel))


def new_number(half: Half = Half.FIRST) -> str:
    """A ticket that no other test knows; the customer of its first resolution belongs to this half (the first is asked N1)."""
    while True:
        number = f"AS-20261201-{uuid4().hex[:7].upper()}"
        if half_of(invitation_id(number, 1)) is half:
            return number
