"""What the house hears: one event per fact, with the dimensions after it and the clocks as they stood."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest

from services.tickets.sla import Priority
from services.tickets.workflow import messages
from services.tickets.workflow.actions import advance, pass_time
from services.tickets.workflow.announce import announce, announce_opening
from services.tickets.workflow.commands import (
    CUSTOMER,
    Cancel,
    Close,
    Command,
    Confirm,
    Reopen,
    Reply,
    Resolve,
    Resume,
    Start,
    Take,
    Triage,
    Wait,
)
from services.tickets.workflow.evolution import opened
from services.tickets.workflow.messages import Message
from services.tickets.workflow.status import Cause, Status
from services.tickets.workflow.ticket import Ticket
from shared.events.tickets import (
    SlaBreached,
    SlaMet,
    SlaRetargeted,
    Target,
    TicketEvent,
    TicketMessageAdded,
    TicketReopened,
    TicketReplied,
    TicketResolved,
    TicketStatusChanged,
)
from tests.tickets.builders import AGENT, DAY, HOUR, LEAD, NOON, POLICY, a_request, a_ticket, an_opening

pytestmark = pytest.mark.pure


def told(ticket: Ticket, command: Command, at: datetime = NOON) -> list[TicketEvent]:
    by = LEAD if isinstance(command, Close) else AGENT
    return list(announce(ticket, advance(ticket, command, by=by, at=at, policy=POLICY)[1]))


def test_an_opened_ticket_holds_its_targets() -> None:
    change = an_opening(type="complaint", tier="gold")

    event = announce_opening(opened(change), change)

    assert event.first_response == Target(started_at=NOON, due_at=NOON + HOUR, policy_version=1, policy="standard-high", calendar="always")
    assert event.resolution == Target(started_at=NOON, due_at=NOON + DAY, policy_version=1, policy="standard-high", calendar="always")
    assert (event.actor, event.dimensions.tier, event.dimensions.status, event.dimensions.product_model) == (
        "customer",
        "gold",
        "new",
        "WM-8000",
    )


@pytest.mark.parametrize(
    ("status", "command", "types"),
    [
        (Status.NEW, Triage(priority=Priority.NORMAL), ["ticket.triaged.v1"]),
        (Status.NEW, Triage(priority=Priority.LOW), ["ticket.triaged.v1", "sla.retargeted.v1", "sla.retargeted.v1"]),
        (Status.NEW, Take(), ["ticket.assigned.v1"]),
        (Status.ASSIGNED, Start(), ["ticket.status_changed.v1"]),
        (Status.IN_PROGRESS, Wait(Cause.CUSTOMER), ["ticket.status_changed.v1"]),
        (Status.WAITING_CUSTOMER, Resume(), ["ticket.status_changed.v1", "sla.retargeted.v1"]),
        (Status.WAITING_PARTS, Resume(), ["ticket.status_changed.v1"]),
        (Status.NEW, Reply(uuid4(), "d"), ["ticket.replied.v1", "sla.met.v1"]),
        (Status.NEW, Reply(uuid4(), "d", public=False), ["ticket.replied.v1"]),
        (Status.WAITING_CUSTOMER, Resolve("x"), ["ticket.resolved.v1"]),
        (Status.RESOLVED, Confirm(), ["ticket.confirmed.v1"]),
        (Status.RESOLVED, Close("staff"), ["ticket.closed.v1"]),
        (Status.CLOSED, Reopen("staff"), ["ticket.reopened.v1"]),
        (Status.WAITING_CUSTOMER, Cancel("spam"), ["ticket.cancelled.v1"]),
    ],
)
def test_each_action_tells_its_fact_and_no_other(status: Status, command: Command, types: list[str]) -> None:
    ticket = a_ticket(status)

    events = told(ticket, command)

    assert [event.TYPE for event in events] == types
    assert {event.ticket_version for event in events} == {ticket.version + 1}


def test_dimensions_are_those_after_the_change() -> None:
    (event,) = told(a_ticket(), Take(team="north"))

    assert (event.dimensions.status, event.dimensions.agent, event.dimensions.team) == ("assigned", AGENT.id, "north")


def test_a_change_of_status_tells_where_it_came_from() -> None:
    (event,) = told(a_ticket(Status.IN_PROGRESS), Wait(Cause.PARTS, "back_order"))

    assert isinstance(event, TicketStatusChanged)
    assert (event.previous_status, event.dimensions.status, event.action, event.reason) == (
        "in_progress",
        "waiting_parts",
        "wait",
        "back_order",
    )


def test_only_the_first_public_reply_meets_the_first_response() -> None:
    ticket = a_ticket()
    ticket, first = advance(ticket, Reply(uuid4(), "d"), by=AGENT, at=NOON + HOUR, policy=POLICY)

    replied, met = announce(a_ticket(), first)
    (second,) = told(ticket, Reply(uuid4(), "d"), NOON + 2 * HOUR)

    assert isinstance(met, SlaMet)
    assert isinstance(replied, TicketReplied)
    assert isinstance(second, TicketReplied)
    assert (met.target, met.clock.met_at, met.clock.business_ms) == ("first_response", NOON + HOUR, 3_600_000)


def test_a_pause_that_ended_moves_the_target() -> None:
    _, event = told(a_ticket(Status.WAITING_CUSTOMER), Resume(), NOON + 2 * HOUR)

    assert isinstance(event, SlaRetargeted)
    assert (event.target, event.clock.due_at, event.clock.paused_ms) == ("resolution", NOON + 3 * DAY + 2 * HOUR, 7_200_000)


def test_a_resolution_holds_both_targets_and_counts_no_pause() -> None:
    (event,) = [e for e in told(a_ticket(Status.WAITING_CUSTOMER), Resolve("x"), NOON + 3 * HOUR) if isinstance(e, TicketResolved)]

    assert (event.episode, event.resolution_code, event.locale, event.opened_at) == (1, "x", "en", NOON)
    assert (event.resolution.met_at, event.resolution.paused_ms, event.resolution.business_ms) == (NOON + 3 * HOUR, 10_800_000, 0)
    assert event.first_response.met_at is None


def test_a_reopening_tells_which_resolution_did_not_hold() -> None:
    (event,) = told(a_ticket(Status.CONFIRMED), Reopen("staff"), NOON + HOUR)

    assert isinstance(event, TicketReopened)
    assert (event.episode, event.resolved_at, event.reason, event.resolution.met_at) == (1, NOON, "staff", None)


def test_a_breach_happened_at_the_due_time() -> None:
    ticket = a_ticket()

    (event,) = announce(ticket, pass_time(ticket, NOON + 5 * HOUR)[1])

    assert isinstance(event, SlaBreached)
    assert (event.target, event.occurred_at, event.clock.due_at, event.actor) == (
        "first_response",
        NOON + 4 * HOUR,
        NOON + 4 * HOUR,
        "system",
    )


def test_a_customers_message_is_told_without_words() -> None:
    ticket, request = a_ticket(), a_request()
    message = Message(request.request_id, "AS-20261126-7K3F9Q5", "digest", only_thanks=False)

    (event,) = announce(ticket, messages.add(ticket, message, NOON, POLICY)[1])

    assert isinstance(event, TicketMessageAdded)
    assert (event.request_id, event.reference, event.actor) == (request.request_id, message.reference, CUSTOMER.id)
