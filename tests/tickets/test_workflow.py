"""The workflow by examples: who may do what when, and what a customer's further word does."""

from __future__ import annotations

from uuid import uuid4

import pytest

from services.tickets import sla
from services.tickets.sla import ClockState, Priority, TargetName
from services.tickets.workflow import messages, opening
from services.tickets.workflow.actions import TransitionRefused, advance, allowed, pass_time
from services.tickets.workflow.changes import Breached, Reopened
from services.tickets.workflow.commands import (
    CUSTOMER,
    SYSTEM,
    Actor,
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
from services.tickets.workflow.evolution import opened, replay
from services.tickets.workflow.messages import Answer, Message
from services.tickets.workflow.status import Action, Cause, Status
from services.tickets.workflow.ticket import REOPEN_WINDOW, Ticket, deadlines
from tests.tickets.builders import AGENT, DAY, HOUR, LEAD, MILLISECOND, NOON, OTHER_AGENT, POLICY, a_history, a_request, a_ticket, act

pytestmark = pytest.mark.pure


def refusal(ticket: Ticket, command: Command, by: Actor = AGENT, at: object = NOON) -> TransitionRefused:
    with pytest.raises(TransitionRefused) as caught:
        advance(ticket, command, by=by, at=at, policy=POLICY)  # type: ignore[arg-type]
    return caught.value


def reply(public: bool = True) -> Reply:
    return Reply(uuid4(), "digest", public)


def a_message(only_thanks: bool = False) -> Message:
    return Message(uuid4(), "AS-20261126-0000000", "digest", only_thanks)


# ------------------------------------------------------------------ opening


def test_a_complaint_is_looked_at_sooner() -> None:
    assert opening.first_priority("complaint") is Priority.HIGH
    assert opening.first_priority("repair") is Priority.NORMAL
    assert opening.first_priority(None) is Priority.NORMAL


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ("WM-8000", "WM-8000"),
        (" wm  8000/2 ", "WM 8000/2"),
        ("ＷＭ８０００", "WM8000"),
        ("my washing machine, call 13800000000", None),
        ("13800000000", None),
        ("li.wei@example.com", None),
        ("李伟的洗衣机", None),
        ("", None),
        (None, None),
    ],
)
def test_only_what_reads_like_a_model_becomes_a_dimension(named: str | None, code: str | None) -> None:
    assert opening.model_code(named) == code


def test_a_ticket_bears_the_number_that_the_customer_was_given() -> None:
    request = a_request()

    ticket = opened(opening.open_request(request, NOON, POLICY))

    assert (ticket.number, ticket.series, ticket.status) == (request.reference, request.reference, Status.NEW)
    assert deadlines(ticket) == {"first_response": NOON + 4 * HOUR, "resolution": NOON + 3 * DAY}


def test_a_linked_ticket_continues_the_number_and_knows_what_it_is_about() -> None:
    old = a_ticket(Status.CLOSED, type="refund")

    change = opening.open_request(a_request(type=None, product_model=None), NOON + 9 * DAY, POLICY, after=old, number=f"{old.series}-2")
    linked = opened(change)

    assert (linked.number, linked.series, linked.linked_to) == (f"{old.number}-2", old.number, old.number)
    assert (linked.type, linked.product_model) == ("refund", old.product_model)


# ------------------------------------------------------------------ actions


def test_a_ticket_is_carried_from_new_to_closed() -> None:
    ticket = a_ticket()
    steps: list[tuple[Command, Actor]] = [
        (Triage(priority=Priority.HIGH), AGENT),
        (Take(team="north"), AGENT),
        (Start(), AGENT),
        (Wait(Cause.PARTS), AGENT),
        (Resume(), AGENT),
        (reply(), AGENT),
        (Resolve("replaced"), AGENT),
        (Confirm(), AGENT),
        (Close("staff"), LEAD),
    ]
    for command, actor in steps:
        ticket = act(ticket, command, by=actor)

    assert (ticket.status, ticket.version, ticket.assignee, ticket.team) == (Status.CLOSED, 10, AGENT.id, "north")


def test_a_refusal_names_what_is_allowed_instead() -> None:
    refused = refusal(a_ticket(), Resolve("repaired"))

    assert refused.allowed[:4] == (Action.TRIAGE, Action.TAKE, Action.REPLY, Action.CANCEL)
    assert refused.facts["allowed"] == ["triage", "take", "reply", "cancel", "note", "merge", "link", "unlink", "escalate"]
    assert refused.facts["reason"] == "not_in_this_status"


def test_an_agent_does_not_close_but_a_lead_does() -> None:
    resolved = a_ticket(Status.RESOLVED)

    assert refusal(resolved, Close("staff")).reason == "not_in_this_role"
    assert Action.CLOSE not in allowed(resolved, AGENT, NOON)
    assert act(resolved, Close("staff"), by=LEAD).status is Status.CLOSED


@pytest.mark.parametrize("action", [Action.TRIAGE, Action.TAKE, Action.REPLY, Action.RESOLVE, Action.CANCEL])
def test_a_customer_does_not_do_the_work_of_staff(action: Action) -> None:
    for status in (Status.NEW, Status.IN_PROGRESS):
        assert action not in allowed(a_ticket(status), CUSTOMER, NOON)


def test_triage_needs_a_type_when_the_request_named_none() -> None:
    unknown = a_ticket(type=None)

    assert refusal(unknown, Triage(priority=Priority.NORMAL)).reason == "type_missing"
    assert act(unknown, Triage(priority=Priority.NORMAL, type="repair")).type == "repair"


def test_a_closed_ticket_is_not_taken() -> None:
    assert refusal(a_ticket(Status.CLOSED), Take()).reason == "not_in_this_status"


def test_a_change_is_never_dated_before_the_one_before_it() -> None:
    ticket = a_ticket(Status.ASSIGNED, at=NOON)

    after, changes = advance(ticket, Start(), by=AGENT, at=NOON - HOUR, policy=POLICY)

    assert (after.changed_at, changes[-1].at) == (NOON, NOON)


# ------------------------------------------------------------------ first response


@pytest.mark.parametrize("command", [Take(), reply(public=False)])
def test_neither_a_status_change_nor_a_note_is_a_first_response(command: Command) -> None:
    assert act(a_ticket(), command).first_response.met_at is None


def test_a_colleague_may_give_the_first_response() -> None:
    ticket = a_ticket(Status.ASSIGNED)

    after, changes = advance(ticket, reply(), by=OTHER_AGENT, at=NOON + HOUR, policy=POLICY)

    assert after.first_response.met_at == NOON + HOUR
    assert (after.assignee, changes[-1].actor) == (AGENT.id, OTHER_AGENT.id)


def test_waiting_for_the_customer_does_not_pause_the_first_response() -> None:
    waiting = a_ticket(Status.WAITING_CUSTOMER)

    assert deadlines(waiting) == {"first_response": NOON + 4 * HOUR, "remind": NOON + 3 * DAY, "give_up": NOON + 7 * DAY}
    assert waiting.resolution.is_paused


def test_what_was_closed_while_waiting_runs_on_when_it_is_reopened_after_all() -> None:
    ticket = a_ticket(Status.RESOLVED)
    commands: list[Command] = [Reopen("staff"), Start(), Wait(Cause.CUSTOMER), Close("staff")]
    for command in commands:
        ticket = act(ticket, command, NOON + HOUR, LEAD)
    assert sla.state(ticket.resolution, NOON + HOUR) is ClockState.STOPPED

    reopened = act(ticket, Reopen("staff"), NOON + 2 * HOUR, AGENT)

    assert (reopened.resolution.is_open, reopened.resolution.is_paused) == (True, False)


def test_waiting_for_parts_pauses_nothing_under_this_policy() -> None:
    assert not a_ticket(Status.WAITING_PARTS).resolution.is_paused


def test_a_resolve_without_a_reply_leaves_the_first_response_open() -> None:
    assert "first_response" in deadlines(a_ticket(Status.RESOLVED))


# ------------------------------------------------------------------ due times


def test_a_due_time_that_passed_before_an_action_is_announced_before_it() -> None:
    ticket = a_ticket()

    after, changes = advance(ticket, reply(), by=AGENT, at=NOON + 5 * HOUR, policy=POLICY)

    assert [type(change.fact).__name__ for change in changes] == ["Breached", "Replied"]
    assert changes[0].at == NOON + 4 * HOUR
    assert sla.state(after.first_response, NOON + 9 * HOUR) is ClockState.BREACHED


def test_a_reply_at_the_due_time_is_in_time() -> None:
    after, changes = advance(a_ticket(), reply(), by=AGENT, at=NOON + 4 * HOUR, policy=POLICY)

    assert len(changes) == 1
    assert sla.state(after.first_response, NOON + DAY) is ClockState.MET


def test_the_history_is_the_same_whether_the_timer_was_late_or_not() -> None:
    ticket, answer = a_ticket(), reply()

    announced, first = pass_time(ticket, NOON + 4 * HOUR, inclusive=True)
    punctual, second = advance(announced, answer, by=AGENT, at=NOON + 5 * HOUR, policy=POLICY)
    late, both = advance(ticket, answer, by=AGENT, at=NOON + 5 * HOUR, policy=POLICY)

    assert (*first, *second) == both
    assert punctual == late


def test_a_breach_is_announced_once() -> None:
    missed, changes = pass_time(a_ticket(), NOON + 30 * DAY)

    assert [change.fact for change in changes] == [Breached(TargetName.FIRST_RESPONSE), Breached(TargetName.RESOLUTION)]
    assert pass_time(missed, NOON + 60 * DAY) == (missed, ())


def test_another_priority_retargets_both_clocks_from_the_old_start() -> None:
    triaged = act(a_ticket(), Triage(priority=Priority.URGENT), at=NOON + HOUR)

    assert deadlines(triaged) == {"first_response": NOON + HOUR / 4, "resolution": NOON + 4 * HOUR}


def test_a_cancelled_ticket_has_no_deadline() -> None:
    assert deadlines(a_ticket(Status.CANCELLED)) == {}


# ------------------------------------------------------------------ reopening


def test_a_resolution_that_did_not_hold_counts_from_the_first_start() -> None:
    resolved = a_ticket(Status.RESOLVED)

    again = act(act(resolved, Reopen("staff"), at=NOON + HOUR), Resolve("replaced"), at=NOON + 2 * HOUR)

    assert again.episode == 2
    assert (again.first_resolved_at, again.resolved_at, again.resolution.met_at) == (NOON, NOON + 2 * HOUR, NOON + 2 * HOUR)
    assert sla.running_time(again.resolution, NOON + DAY) >= 2 * HOUR


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CONFIRMED, Status.CLOSED])
def test_it_is_reopened_to_its_assignee_until_the_last_moment_of_the_window(status: Status) -> None:
    done = a_ticket(status)

    reopened = act(done, Reopen("staff"), at=NOON + REOPEN_WINDOW)

    assert (reopened.status, reopened.assignee, reopened.closed_at) == (Status.ASSIGNED, AGENT.id, None)
    assert refusal(done, Reopen("staff"), at=NOON + REOPEN_WINDOW + MILLISECOND).reason == "window_over"


def test_the_window_is_counted_from_the_last_resolve() -> None:
    reopened = act(a_ticket(Status.RESOLVED), Reopen("staff"), at=NOON + 6 * DAY)
    resolved = act(reopened, Resolve("replaced"), at=NOON + 7 * DAY)

    assert deadlines(resolved)["close"] == NOON + 14 * DAY
    assert resolved.may_reopen(NOON + 14 * DAY)


# ------------------------------------------------------------------ a customer's further word


def test_the_awaited_answer_resumes_the_work() -> None:
    waiting = a_ticket(Status.WAITING_CUSTOMER)

    resumed, changes = messages.add(waiting, a_message(), NOON + 2 * HOUR, POLICY)

    assert (resumed.status, resumed.version) == (Status.IN_PROGRESS, waiting.version + 2)
    assert {change.actor for change in changes} == {"customer"}
    assert deadlines(resumed)["resolution"] == NOON + 3 * DAY + 2 * HOUR


@pytest.mark.parametrize("status", [Status.NEW, Status.ASSIGNED, Status.WAITING_PARTS])
def test_a_message_on_an_open_ticket_is_only_added(status: Status) -> None:
    ticket = a_ticket(status)

    after, changes = messages.add(ticket, a_message(), NOON, POLICY)

    assert (after.status, len(changes)) == (status, 1)


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CONFIRMED, Status.CLOSED])
def test_a_reply_inside_the_window_reopens(status: Status) -> None:
    done = a_ticket(status)

    assert messages.joins(done, a_message(), NOON + REOPEN_WINDOW)
    reopened, changes = messages.add(done, a_message(), NOON + DAY, POLICY)

    assert reopened.status is Status.ASSIGNED
    assert changes[-1].fact == Reopened("customer_reply")


def test_a_reply_after_the_window_or_on_a_cancelled_ticket_opens_another() -> None:
    assert not messages.joins(a_ticket(Status.CLOSED), a_message(), NOON + REOPEN_WINDOW + MILLISECOND)
    assert not messages.joins(a_ticket(Status.CANCELLED), a_message(), NOON)


def test_thanks_are_kept_and_do_nothing() -> None:
    resolved = a_ticket(Status.RESOLVED)

    after, _ = messages.add(resolved, a_message(only_thanks=True), NOON + DAY, POLICY)

    assert after.status is Status.RESOLVED
    assert messages.joins(a_ticket(Status.CLOSED), a_message(only_thanks=True), NOON + 30 * DAY)


@pytest.mark.parametrize(
    ("overall", "solved", "status"),
    [
        (2, None, Status.ASSIGNED),
        (1, "yes", Status.ASSIGNED),
        (5, "no", Status.ASSIGNED),
        (3, "partly", Status.RESOLVED),
        (3, None, Status.RESOLVED),
        (None, None, Status.RESOLVED),
        (5, "yes", Status.CONFIRMED),
        (None, "yes", Status.CONFIRMED),
    ],
)
def test_what_an_answer_does(overall: int | None, solved: str | None, status: Status) -> None:
    after, _ = messages.answer(a_ticket(Status.RESOLVED), Answer(1, overall, solved), NOON + DAY)  # type: ignore[arg-type]

    assert after.status is status


def test_a_low_answer_after_the_window_opens_a_linked_ticket() -> None:
    closed, late = a_ticket(Status.CLOSED), NOON + REOPEN_WINDOW + MILLISECOND

    assert messages.opens_linked(closed, Answer(1, 1, None), late)
    assert not messages.opens_linked(closed, Answer(1, 4, "yes"), late)
    assert messages.answer(closed, Answer(1, 1, None), late) == (closed, ())


def test_an_answer_about_an_earlier_resolution_or_a_ticket_in_work_does_nothing() -> None:
    reopened = act(a_ticket(Status.RESOLVED), Reopen("staff"))
    second = act(reopened, Resolve("replaced"))

    assert messages.answer(reopened, Answer(1, 1, "no"), NOON) == (reopened, ())
    assert messages.answer(second, Answer(1, 1, "no"), NOON) == (second, ())
    assert not messages.opens_linked(reopened, Answer(1, 1, "no"), NOON + 30 * DAY)


def test_the_system_closes_when_the_window_is_over() -> None:
    resolved = a_ticket(Status.RESOLVED)

    closed = act(resolved, Close("window_over"), at=deadlines(resolved)["close"], by=SYSTEM)

    assert (closed.status, closed.closed_at) == (Status.CLOSED, NOON + REOPEN_WINDOW)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.MERGED])
def test_history_rebuilds_the_ticket(status: Status) -> None:
    ticket, history = a_history(status)

    assert replay(history) == ticket
