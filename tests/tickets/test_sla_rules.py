"""The eight rules of clocks that experts expect, each with its test as the reference words it, on whole tickets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import pytest

from services.tickets import sla
from services.tickets.sla import ClockState, Priority, ServiceLevels, TeamHours
from services.tickets.sla.calendar import AROUND_THE_CLOCK
from services.tickets.workflow import messages
from services.tickets.workflow.actions import advance, pass_time, record
from services.tickets.workflow.announce import announce
from services.tickets.workflow.changes import Breached, Change
from services.tickets.workflow.clocks import regrade
from services.tickets.workflow.commands import (
    SYSTEM,
    Actor,
    Cancel,
    Command,
    HandOver,
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
from services.tickets.workflow.messages import Message
from services.tickets.workflow.opening import NOBODY, Place, open_request
from services.tickets.workflow.status import Cause, Status
from services.tickets.workflow.ticket import Ticket, deadlines
from shared.events.tickets import SlaBreached, SlaMet, SlaRetargeted, TicketMessageAdded
from tests.tickets.builders import AGENT, DAY, HOUR, LEAD, OTHER_AGENT, a_policy, a_request
from tests.tickets.calendars import a_calendar, a_holiday

pytestmark = pytest.mark.pure

CLOSED_FOR_TEN_DAYS: Final = {date(2026, 12, 24) + number * DAY: a_holiday() for number in range(10)}
LEVELS: Final = ServiceLevels(
    1,
    [
        a_policy(None, 4 * HOUR, 16 * HOUR, id="office", calendar="office"),
        a_policy(Priority.URGENT, HOUR, 4 * HOUR, id="urgent", calendar="office"),
        a_policy(None, HOUR, 8 * HOUR, id="repair-of-vip", calendar="office", type="repair", tier="vip", pauses_on=frozenset({"parts"})),
    ],
    [a_calendar(days=CLOSED_FOR_TEN_DAYS)],
)
"""From nine to five, Monday to Friday, in UTC."""

SUNDAY: Final = datetime(2026, 11, 22, tzinfo=UTC)


def moment(day: str, time: str) -> datetime:
    """A moment of the week from 23 November 2026 on, a Monday; days after a Sunday are those of the next week."""
    hour, minute = time.split(":")
    number = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "next monday", "next tuesday"].index(day)
    return SUNDAY + (number + 1) * DAY + timedelta(hours=int(hour), minutes=int(minute))


class Case:
    """One ticket, and everything that happened to it."""

    def __init__(self, at: datetime, levels: ServiceLevels = LEVELS, place: Place = NOBODY, **changes: Any) -> None:
        opening = open_request(a_request(**changes), at, levels, place=place)
        self.levels = levels
        self.ticket: Ticket = opened(opening)
        self.history: list[Change] = [opening]
        self.events: list[Any] = []

    def does(self, at: datetime, *commands: Command, by: Actor = AGENT) -> Case:
        """Somebody acts."""
        for command in commands:
            self.happened(*advance(self.ticket, command, by=by, at=at, policy=self.levels))
        return self

    def hears(self, at: datetime, *, thanks: bool = False) -> Case:
        """The customer writes."""
        message = Message(uuid4(), f"AS-{uuid4().hex[:6]}", "digest", only_thanks=thanks)
        self.happened(*messages.add(self.ticket, message, at, self.levels))
        return self

    def passes(self, until: datetime) -> Case:
        """Timers fire."""
        self.happened(*pass_time(self.ticket, until, inclusive=True))
        return self

    def due(self, target: str = "resolution") -> datetime:
        """As known now."""
        clock = self.ticket.clock(sla.TargetName(target))
        assert clock is not None
        return sla.due_at(clock, self.ticket.changed_at)

    def happened(self, after: Ticket, changes: Sequence[Change]) -> None:
        """Note it, and see that the history rebuilds the ticket."""
        self.events += announce(self.ticket, changes)
        self.history += changes
        self.ticket = after
        assert replay(self.history) == after


def reply(public: bool = True) -> Reply:
    return Reply(uuid4(), "digest", public)


WORK: Final = (Take(), Start())
WAIT: Final = Wait(Cause.CUSTOMER)


# ------------------------------------------------------------------ 1 business time minus paused business time


def test_a_pause_from_friday_to_monday_moves_the_deadline_by_two_hours() -> None:
    paused = Case(moment("friday", "09:00")).does(moment("friday", "09:00"), *WORK)
    before = paused.due()

    paused.does(moment("friday", "16:00"), WAIT).does(moment("next monday", "10:00"), Resume())

    assert before == moment("next monday", "17:00")
    assert paused.due() == moment("next tuesday", "11:00")
    assert sla.milliseconds(sla.paused_time(paused.ticket.resolution, paused.ticket.changed_at)) == 2 * 3_600_000


def test_seconds_and_less_are_not_cut_off() -> None:
    start = moment("monday", "09:00") + timedelta(milliseconds=1)

    assert Case(start).due("first_response") == start + 4 * HOUR


# ------------------------------------------------------------------ 2 pauses in closed hours, pauses within pauses


def test_a_pause_over_the_weekend_moves_nothing() -> None:
    case = Case(moment("friday", "09:00")).does(moment("friday", "09:00"), *WORK)
    before = case.due()

    case.does(moment("saturday", "12:00"), WAIT).does(moment("sunday", "12:00"), Resume())

    assert case.due() == before


def test_a_pause_within_a_pause_counts_once_and_from_the_first() -> None:
    clock = Case(moment("monday", "09:00")).ticket.resolution

    clock = sla.pause(sla.pause(clock, moment("monday", "10:00")), moment("monday", "11:00"))
    clock = sla.resume(sla.resume(clock, moment("monday", "12:00")), moment("monday", "15:00"))

    assert sla.paused_time(clock, moment("monday", "16:00")) == 2 * HOUR
    assert [(pause.started_at, pause.ended_at) for pause in clock.pauses] == [(moment("monday", "10:00"), moment("monday", "12:00"))]


# ------------------------------------------------------------------ 3 another policy or priority


def test_a_raised_priority_keeps_the_start_and_the_two_hours_of_pause() -> None:
    case = Case(moment("monday", "09:00")).does(moment("monday", "09:00"), *WORK)
    case.does(moment("monday", "10:00"), WAIT).does(moment("monday", "12:00"), Resume())

    case.does(moment("monday", "12:30"), Triage(priority=Priority.URGENT))

    assert case.due() == moment("monday", "09:00") + 4 * HOUR + 2 * HOUR
    assert case.ticket.resolution.promise.policy.id == "urgent"
    told = [event for event in case.events if isinstance(event, SlaRetargeted) and event.clock.policy == "urgent"]
    assert {event.target for event in told} == {"first_response", "resolution"}


def test_another_type_may_mean_another_policy_and_its_pauses() -> None:
    case = Case(moment("monday", "09:00"), type="enquiry", tier="vip").does(moment("monday", "09:00"), *WORK)
    case.does(moment("monday", "10:00"), Wait(Cause.PARTS))
    running_before = not case.ticket.resolution.is_paused

    case.does(moment("monday", "11:00"), Triage(priority=Priority.NORMAL, type="repair"))

    assert running_before
    assert (case.ticket.resolution.promise.policy.id, case.ticket.resolution.is_paused) == ("repair-of-vip", True)


HOURS: Final = ServiceLevels(
    1,
    [a_policy(None, 4 * HOUR, 16 * HOUR, id="any", calendar=None), a_policy(None, HOUR, 4 * HOUR, id="vip", tier="vip", calendar="office")],
    [AROUND_THE_CLOCK, a_calendar()],
    [TeamHours("by-day", 1, "office", SUNDAY)],
)
"""The team by-day works from nine to five; what is nobody's, or any other team's, is reckoned around the clock."""


def test_a_ticket_is_reckoned_in_the_hours_of_the_team_that_has_it() -> None:
    nobodys = Case(moment("monday", "16:00"), HOURS)
    days = Case(moment("monday", "16:00"), HOURS, place=Place(team="by-day"))

    assert (nobodys.due("first_response"), nobodys.due()) == (moment("monday", "20:00"), moment("tuesday", "08:00"))
    assert (days.due("first_response"), days.due()) == (moment("tuesday", "12:00"), moment("wednesday", "16:00"))


def test_another_team_keeps_the_start_and_the_pauses_and_reckons_what_is_owed_in_its_own_hours() -> None:
    case = Case(moment("monday", "16:00"), HOURS).does(moment("monday", "16:00"), *WORK)
    case.does(moment("monday", "16:10"), reply()).does(moment("monday", "16:30"), WAIT).does(moment("tuesday", "09:30"), Resume())
    answered = case.ticket.first_response

    case.does(moment("tuesday", "10:00"), HandOver("ak-other", "by-day"))

    assert case.ticket.first_response == answered
    assert (case.ticket.resolution.started_at, case.due()) == (moment("monday", "16:00"), moment("wednesday", "17:00"))
    (told,) = [event for event in case.events if isinstance(event, SlaRetargeted) and event.occurred_at == moment("tuesday", "10:00")]
    assert (told.target, told.clock.calendar, told.dimensions.team) == ("resolution", "office", "by-day")


def test_another_team_changes_nothing_where_the_policy_names_the_hours_or_both_work_alike() -> None:
    named = Case(moment("monday", "09:00"), HOURS, tier="vip").does(moment("monday", "09:10"), Take(team="by-day"))
    alike = Case(moment("monday", "09:00"), HOURS).does(moment("monday", "09:10"), Take(team="by-night"))

    assert not [event for case in (named, alike) for event in case.events if isinstance(event, SlaRetargeted)]


# ------------------------------------------------------------------ 4 calendars


def test_a_holiday_of_ten_days_delays_the_ticket_by_ten_days() -> None:
    case = Case(datetime(2026, 12, 23, 15, tzinfo=UTC))

    # two hours on the Wednesday before, closed from Thursday the 24th to Saturday the 2nd, two hours on Monday the 4th
    assert case.due("first_response") == datetime(2027, 1, 4, 11, tzinfo=UTC)


# ------------------------------------------------------------------ 5 the breach is at the deadline


def test_a_watcher_that_is_ten_minutes_late_finds_the_breach_at_the_deadline() -> None:
    case = Case(moment("monday", "09:00")).passes(moment("monday", "13:10"))

    (event,) = [event for event in case.events if isinstance(event, SlaBreached)]
    assert (event.target, event.occurred_at) == ("first_response", moment("monday", "13:00"))
    assert case.ticket.first_response.breached_at == moment("monday", "13:00")


def test_what_was_missed_is_met_later_and_stays_in_the_average() -> None:
    case = Case(moment("monday", "09:00")).passes(moment("monday", "13:10")).does(moment("monday", "15:00"), reply())

    (event,) = [event for event in case.events if isinstance(event, SlaMet)]
    assert (event.clock.met_at, event.clock.due_at, event.clock.business_ms) == (
        moment("monday", "15:00"),
        moment("monday", "13:00"),
        6 * 3_600_000,
    )
    assert sla.state(case.ticket.first_response, moment("tuesday", "09:00")) is ClockState.BREACHED


# ------------------------------------------------------------------ 6 first response


def test_notes_and_changes_of_status_are_no_first_response() -> None:
    case = Case(moment("monday", "09:00"))

    case.does(moment("monday", "10:00"), Triage(priority=Priority.NORMAL), reply(public=False), *WORK, WAIT, Resume())
    case.does(moment("monday", "10:30"), Resolve("repaired")).does(moment("monday", "10:40"), Reopen("staff"))

    assert case.ticket.first_response.is_open
    assert not case.ticket.first_response.pauses


def test_a_public_reply_by_a_colleague_is_one_and_is_his() -> None:
    case = Case(moment("monday", "09:00")).does(moment("monday", "09:30"), *WORK)

    case.does(moment("monday", "11:00"), reply(), by=OTHER_AGENT)

    (event,) = [event for event in case.events if isinstance(event, SlaMet)]
    assert (event.target, event.actor, event.dimensions.agent) == ("first_response", OTHER_AGENT.id, AGENT.id)
    assert event.clock.met_at == moment("monday", "11:00")


def test_what_an_agent_wrote_down_is_answered_by_his_second_public_message() -> None:
    case = Case(moment("monday", "09:00"), entered_by="agent")

    case.does(moment("monday", "09:10"), reply())
    after_the_first = case.ticket.first_response.is_open
    case.does(moment("monday", "10:00"), reply(public=False)).does(moment("monday", "11:00"), reply())

    assert after_the_first
    assert case.ticket.first_response.met_at == moment("monday", "11:00")


def test_what_an_agent_wrote_down_and_solved_at_once_owes_no_first_response() -> None:
    case = Case(moment("monday", "09:00"), entered_by="agent")

    case.does(moment("monday", "09:20"), *WORK, Resolve("explained"))

    assert sla.state(case.ticket.first_response, moment("tuesday", "09:00")) is ClockState.STOPPED
    assert "first_response" not in deadlines(case.ticket)


# ------------------------------------------------------------------ 7 next response


def answered() -> Case:
    """A ticket whose first response was given on Monday at half past nine."""
    return Case(moment("monday", "09:00")).does(moment("monday", "09:30"), *WORK, reply())


def test_it_starts_at_the_oldest_unanswered_message() -> None:
    case = answered().hears(moment("monday", "10:00")).hears(moment("monday", "10:30"))

    assert case.due("next_response") == moment("monday", "14:00")
    told = [event.next_response for event in case.events if isinstance(event, TicketMessageAdded)]
    assert [(target.started_at, target.due_at, target.met_at) for target in told if target] == [
        (moment("monday", "10:00"), moment("monday", "14:00"), None)
    ] * 2


def test_messages_out_of_order_make_no_difference() -> None:
    case = answered().hears(moment("monday", "10:30")).hears(moment("monday", "10:00"))

    assert case.due("next_response") == moment("monday", "14:00")


def test_a_public_reply_ends_it_and_a_note_does_not() -> None:
    case = answered().hears(moment("monday", "10:00")).does(moment("monday", "10:30"), reply(public=False))
    after_the_note = "next_response" in deadlines(case.ticket)

    case.does(moment("monday", "11:00"), reply(), by=OTHER_AGENT)

    assert after_the_note
    assert "next_response" not in deadlines(case.ticket)
    *_, event = [event for event in case.events if isinstance(event, SlaMet)]
    assert (event.target, event.actor, event.clock.business_ms) == ("next_response", OTHER_AGENT.id, 3_600_000)


def test_there_is_none_while_the_last_word_is_the_agents() -> None:
    assert answered().ticket.next_response is None


def test_resolving_ends_it_without_an_answer_of_its_own() -> None:
    case = answered().hears(moment("monday", "10:00")).does(moment("monday", "11:00"), Resolve("repaired"))

    assert case.ticket.next_response is not None
    assert sla.state(case.ticket.next_response, moment("tuesday", "17:00")) is ClockState.STOPPED
    assert "next_response" not in deadlines(case.ticket)


def test_the_next_message_after_an_answer_starts_anew() -> None:
    case = answered().hears(moment("monday", "10:00")).does(moment("monday", "11:00"), reply())

    case.hears(moment("monday", "12:00"))

    assert case.due("next_response") == moment("monday", "16:00")
    assert case.ticket.next_response is not None
    assert (case.ticket.next_response.started_at, case.ticket.next_response.met_at) == (moment("monday", "12:00"), None)


def test_it_does_not_shadow_a_first_response_that_is_owed() -> None:
    case = Case(moment("monday", "09:00")).hears(moment("monday", "10:00"))

    assert case.ticket.next_response is None
    assert case.due("first_response") == moment("monday", "13:00")


def test_thanks_want_no_answer() -> None:
    assert answered().hears(moment("monday", "10:00"), thanks=True).ticket.next_response is None


def test_a_message_that_reopens_is_a_message_to_answer() -> None:
    case = answered().does(moment("monday", "11:00"), Resolve("repaired")).hears(moment("tuesday", "10:00"))

    assert case.ticket.status is Status.ASSIGNED
    assert case.due("next_response") == moment("tuesday", "14:00")


def test_waiting_for_the_customer_pauses_it() -> None:
    case = answered().hears(moment("monday", "10:00")).does(moment("monday", "11:00"), WAIT)

    case.does(moment("monday", "13:00"), Resume())

    assert case.due("next_response") == moment("monday", "16:00")


def test_a_message_while_parts_are_awaited_starts_a_clock_that_stands_still_if_the_policy_says_so() -> None:
    case = Case(moment("monday", "09:00"), type="repair", tier="vip").does(moment("monday", "09:30"), *WORK, reply())
    case.does(moment("monday", "10:00"), Wait(Cause.PARTS)).hears(moment("monday", "11:00"))

    case.does(moment("monday", "13:00"), Resume())

    assert case.due("next_response") == moment("monday", "14:00")


def test_one_missed_is_told_at_its_due_time() -> None:
    case = answered().hears(moment("monday", "10:00")).passes(moment("tuesday", "09:00"))

    (event,) = [event for event in case.events if isinstance(event, SlaBreached)]
    assert (event.target, event.occurred_at) == ("next_response", moment("monday", "14:00"))


# ------------------------------------------------------------------ 8 resolution


def test_resolved_reopened_resolved_is_one_case_with_two_resolutions() -> None:
    case = answered().does(moment("monday", "11:00"), Resolve("repaired")).does(moment("monday", "13:00"), Reopen("staff"))

    case.does(moment("tuesday", "11:00"), Resolve("replaced"))

    ticket = case.ticket
    assert (ticket.episode, ticket.first_resolved_at, ticket.resolved_at) == (2, moment("monday", "11:00"), moment("tuesday", "11:00"))
    assert (ticket.resolution.started_at, ticket.resolution.met_at) == (moment("monday", "09:00"), moment("tuesday", "11:00"))
    assert sla.running_time(ticket.resolution, moment("tuesday", "11:00")) == 10 * HOUR


def test_pauses_before_and_after_the_reopening_are_left_out() -> None:
    case = answered().does(moment("monday", "10:00"), WAIT).does(moment("monday", "11:00"), Resolve("repaired"))
    case.does(moment("monday", "12:00"), Reopen("staff"), Start(), WAIT).does(moment("monday", "14:00"), Resume())

    case.does(moment("monday", "15:00"), Resolve("replaced"))

    assert sla.running_time(case.ticket.resolution, moment("monday", "15:00")) == 3 * HOUR


def test_a_cancelled_ticket_is_in_no_count() -> None:
    case = answered().hears(moment("monday", "10:00")).does(moment("monday", "10:30"), Cancel("spam"), by=LEAD)

    assert {sla.state(clock, moment("tuesday", "09:00")) for clock in (case.ticket.resolution, case.ticket.next_response) if clock} == {
        ClockState.STOPPED
    }
    assert deadlines(case.ticket) == {}


# ------------------------------------------------------------------ warnings and escalation


ESCALATING: Final = ServiceLevels(
    1,
    [
        a_policy(
            None,
            4 * HOUR,
            8 * HOUR,
            id="watched",
            calendar="office",
            warn_percent=75,
            escalations=(
                sla.Escalation(sla.Reason.WARNED, 1, sla.TargetName.RESOLUTION),
                sla.Escalation(sla.Reason.BREACHED, 1),
                sla.Escalation(sla.Reason.BREACHED, 2, sla.TargetName.RESOLUTION),
            ),
        )
    ],
    [a_calendar()],
)


def test_warnings_breaches_and_escalations_come_in_order_each_at_its_own_moment() -> None:
    case = Case(moment("monday", "09:00"), ESCALATING).passes(moment("tuesday", "17:00"))

    assert [(event.TYPE, event.occurred_at, getattr(event, "target", None), getattr(event, "level", None)) for event in case.events] == [
        ("sla.warned.v1", moment("monday", "12:00"), "first_response", None),
        ("sla.breached.v1", moment("monday", "13:00"), "first_response", None),
        ("ticket.escalated.v1", moment("monday", "13:00"), "first_response", 1),
        ("sla.warned.v1", moment("monday", "15:00"), "resolution", None),
        ("sla.breached.v1", moment("monday", "17:00"), "resolution", None),
        ("ticket.escalated.v1", moment("monday", "17:00"), "resolution", 2),
    ]
    assert case.ticket.escalation == 2


def test_the_history_says_the_same_whether_timers_were_late_or_not() -> None:
    punctual, late = Case(moment("monday", "09:00"), ESCALATING), Case(moment("monday", "09:00"), ESCALATING)
    answer, solution = reply(), Resolve("repaired")
    for hour in range(10, 16):
        punctual.passes(moment("monday", f"{hour}:00"))

    for case in (punctual, late):
        case.does(moment("monday", "15:30"), answer, *WORK, solution)

    assert [(change.at, change.fact) for change in punctual.history[1:]] == [(change.at, change.fact) for change in late.history[1:]]
    assert sum(isinstance(change.fact, Breached) for change in late.history) == 1


# ------------------------------------------------------------------ another tier


GRADED: Final = ServiceLevels(
    1, [a_policy(None, 4 * HOUR, 16 * HOUR, id="any"), a_policy(None, HOUR, 8 * HOUR, id="vip", tier="vip")], [AROUND_THE_CLOCK]
)


def test_a_higher_tier_brings_what_is_still_owed_forward() -> None:
    case = Case(moment("monday", "09:00"), GRADED)

    fact = regrade(case.ticket, "vip", GRADED, moment("monday", "09:30"))

    assert fact is not None
    case.happened(*record(case.ticket, fact, by=SYSTEM, at=moment("monday", "09:30")))
    assert (case.ticket.tier, case.due("first_response"), case.due()) == ("vip", moment("monday", "10:00"), moment("monday", "17:00"))


def test_a_lower_tier_takes_no_promise_back() -> None:
    case = Case(moment("monday", "09:00"), GRADED, tier="vip")

    assert regrade(case.ticket, "standard", GRADED, moment("monday", "09:30")) is None


def test_a_tier_changes_nothing_on_what_is_done() -> None:
    case = Case(moment("monday", "09:00"), GRADED).does(moment("monday", "09:10"), reply(), *WORK, Resolve("repaired"))

    assert regrade(case.ticket, "vip", GRADED, moment("monday", "09:30")) is None
