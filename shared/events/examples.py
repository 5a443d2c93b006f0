"""One believable message per contract: shown in the documentation and read by tests. One story: a kettle, from request to survey."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from shared.events import feedback, intake, notification, tickets
from shared.events.envelope import Event

_START: Final = datetime(2026, 11, 2, 1, 30, tzinfo=UTC)
_CUSTOMER: Final = UUID("3f2b8a52-0f0e-4a0c-9a55-0d7d0c5f6b11")
_OTHER_CUSTOMER: Final = UUID("3f2b8a52-0f0e-4a0c-9a55-0d7d0c5f6b12")
_REQUEST: Final = UUID("b0a4b6f1-7c58-4f59-8f0a-2a7c1de6c001")
_FOLLOW_UP: Final = UUID("b0a4b6f1-7c58-4f59-8f0a-2a7c1de6c002")
_NOTIFICATION: Final = UUID("0c9a2d35-54e0-4d8e-8a5c-7a6c0f1b3d01")
_INVITATION: Final = UUID("77c1b1de-2d94-4a7e-9f3d-3b8f0a9e4c01")
_NUMBER: Final = "AS-202611027K3QX9H"


def _at(minutes: int) -> datetime:
    return _START + timedelta(minutes=minutes)


def _dimensions(status: str, agent: str | None = "agent-7") -> tickets.Dimensions:
    return tickets.Dimensions(
        type="repair", status=status, priority="normal", channel="wechat", team="repairs", agent=agent, product_model="KT-200"
    )


def _ticket(version: int, status: str, minutes: int, actor: str = "agent-7") -> dict[str, Any]:
    return {
        "occurred_at": _at(minutes),
        "ticket_number": _NUMBER,
        "ticket_version": version,
        "customer_id": _CUSTOMER,
        "dimensions": _dimensions(status),
        "actor": actor,
    }


def _target(due: int, met: int | None = None) -> tickets.Target:
    business_ms = None if met is None else met * 60_000
    return tickets.Target(
        started_at=_START, due_at=_at(due), met_at=None if met is None else _at(met), business_ms=business_ms, policy_version=1
    )


def _survey(minutes: int) -> dict[str, Any]:
    return {
        "occurred_at": _at(minutes),
        "invitation_id": _INVITATION,
        "ticket_number": _NUMBER,
        "episode": 1,
        "customer_id": _CUSTOMER,
        "form": "T1.1",
        "dimensions": _dimensions("resolved"),
    }


def _told(minutes: int, kind: str) -> dict[str, Any]:
    return {
        "occurred_at": _at(minutes),
        "notification_id": _NOTIFICATION,
        "customer_id": _CUSTOMER,
        "kind": kind,
        "ticket_number": _NUMBER,
    }


FIRST_RESPONSE_DUE: Final = 240
RESOLUTION_DUE: Final = 4320

EXAMPLES: Final[tuple[Event, ...]] = (
    intake.CustomerRegistered(occurred_at=_START, customer_id=_CUSTOMER, name="林小姐", locale="zh-CN"),
    intake.RequestReceived(
        occurred_at=_START,
        request_id=_REQUEST,
        reference=_NUMBER,
        customer_id=_CUSTOMER,
        channel="wechat",
        external_id="wx-100017",
        type="repair",
        locale="zh-CN",
        text="水壶底座漏水,按了开关没有反应。",
        product=intake.Product(model="KT-200", serial_number="KT200-88141"),
        received_at=_START,
        completeness=0.8,
        missing_fields=("product.purchase_date",),
    ),
    intake.RequestDismissed(
        occurred_at=_at(4),
        request_id=_FOLLOW_UP,
        reference="AS-20261102M2W8RT4",
        customer_id=_CUSTOMER,
        reason="duplicate",
        actor="agent-7",
    ),
    intake.CustomerUpdated(
        occurred_at=_at(5), customer_id=_CUSTOMER, version=2, name="林小姐", locale="zh-CN", tier="gold", consents=intake.Consents()
    ),
    intake.CustomerGraded(occurred_at=_at(5), customer_id=_CUSTOMER, tier="gold", previous_tier="standard", reason="value", actor="lead-1"),
    intake.CustomerMerged(occurred_at=_at(6), customer_id=_OTHER_CUSTOMER, into_customer_id=_CUSTOMER, actor="agent-7"),
    intake.CustomerUnmerged(occurred_at=_at(7), customer_id=_OTHER_CUSTOMER, from_customer_id=_CUSTOMER, actor="agent-7"),
    intake.NotificationDelivered(**_told(1501, "survey_invitation"), channel="email"),
    intake.NotificationFailed(**_told(1501, "survey_invitation"), reason="no_address"),
    tickets.TicketOpened(
        **_ticket(1, "new", 0, "system"),
        request_id=_REQUEST,
        opened_at=_START,
        first_response=_target(FIRST_RESPONSE_DUE),
        resolution=_target(RESOLUTION_DUE),
    ),
    tickets.TicketTriaged(**_ticket(2, "triaged", 10)),
    tickets.TicketAssigned(**_ticket(3, "assigned", 12)),
    tickets.TicketReplied(**_ticket(4, "assigned", 20), message_id=UUID("0f5a2a10-9d27-4a1c-8d6e-5a1f7c2b9001")),
    tickets.SlaMet(**_ticket(4, "assigned", 20), target="first_response", clock=_target(FIRST_RESPONSE_DUE, 20)),
    tickets.TicketStatusChanged(**_ticket(6, "waiting_customer", 40), previous_status="in_progress", action="wait", reason="customer"),
    tickets.TicketMessageAdded(**_ticket(7, "in_progress", 900, "customer"), request_id=_FOLLOW_UP, reference="AS-20261102M2W8RT4"),
    tickets.TicketStepChanged(**_ticket(7, "in_progress", 910), previous_step="diagnosed"),
    tickets.TicketLinked(**_ticket(8, "in_progress", 920), other_number="AS-20261101M2W8RT4", kind="related"),
    tickets.TicketMerged(**_ticket(2, "merged", 50), into_number="AS-20261101M2W8RT4", previous_status="new"),
    tickets.TicketUnmerged(
        **_ticket(3, "new", 55),
        from_number="AS-20261101M2W8RT4",
        first_response=_target(FIRST_RESPONSE_DUE),
        resolution=_target(RESOLUTION_DUE),
    ),
    tickets.TicketEscalated(**_ticket(8, "in_progress", 1000, "system"), level=1, reason="sla_warned", target="resolution"),
    tickets.SlaWarned(**_ticket(8, "in_progress", 1000, "system"), target="resolution", clock=_target(RESOLUTION_DUE)),
    tickets.SlaRetargeted(**_ticket(9, "in_progress", 1010), target="resolution", clock=_target(RESOLUTION_DUE + 860)),
    tickets.TicketResolved(
        **_ticket(10, "resolved", 1500),
        episode=1,
        resolution_code="repaired",
        opened_at=_START,
        locale="zh-CN",
        first_response=_target(FIRST_RESPONSE_DUE, 20),
        resolution=_target(RESOLUTION_DUE, 1500),
    ),
    tickets.TicketConfirmed(**_ticket(11, "confirmed", 1600, "customer"), episode=1),
    tickets.TicketReopened(
        **_ticket(12, "assigned", 2000, "customer"),
        episode=1,
        resolved_at=_at(1500),
        reason="low_answer",
        resolution=_target(RESOLUTION_DUE),
    ),
    tickets.SlaBreached(**_ticket(13, "assigned", RESOLUTION_DUE, "system"), target="resolution", clock=_target(RESOLUTION_DUE)),
    tickets.TicketClosed(**_ticket(14, "closed", 11_580, "system"), reason="window_over"),
    tickets.TicketCancelled(**_ticket(2, "cancelled", 30), reason="not_a_request"),
    tickets.AgentUpdated(
        occurred_at=_START, agent="agent-7", version=3, teams=("repairs",), skills=("kettles",), presence="present", actor="lead-1"
    ),
    tickets.TeamUpdated(occurred_at=_START, team="repairs", version=1, types=("repair",), calendar="weekdays", actor="lead-1"),
    feedback.SurveyInvited(**_survey(1500), resolved_at=_at(1500), expires_at=_at(1500 + 14 * 1440)),
    feedback.SurveyThrottled(**_survey(1500)),
    feedback.SurveyCancelled(**_survey(1550)),
    feedback.SurveyAnswered(
        **_survey(1600),
        resolved_at=_at(1500),
        overall=5,
        recommend=9,
        solved="yes",
        scores={"Q0": 5, "N1": 9},
        has_comment=True,
        locale="zh-CN",
    ),
    feedback.SurveyReminded(**_survey(1500 + 3 * 1440)),
    feedback.SurveyAnsweredAnonymously(
        occurred_at=_at(1600),
        response_id=UUID("5b0d2a77-4f0c-4c53-9f0e-0d6a5c1e7f01"),
        form="T1.2",
        answered_on=_at(1600).date(),
        channel="wechat",
        overall=4,
        scores={"Q0": 4},
        locale="zh-CN",
    ),
    feedback.SurveyOptedOut(occurred_at=_at(1700), customer_id=_CUSTOMER, by="customer"),
    notification.TicketNotificationRequested(**_told(20, "ticket_reply"), locale="zh-CN", text="您好,请把水壶寄回,我们为您更换底座。"),
    notification.FeedbackNotificationRequested(
        **_told(1500, "survey_invitation"),
        locale="zh-CN",
        link="https://feedback.example/s/4mB0x1q9",
        expires_at=_at(1500 + 14 * 1440),
    ),
)


def example_of(contract: type[Event]) -> Event:
    """The example of one contract.

    Raises:
        KeyError: the contract has none; every contract must.
    """
    return {type(example): example for example in EXAMPLES}[contract]
