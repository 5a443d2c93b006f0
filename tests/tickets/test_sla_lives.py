"""The clocks as laws of whole lives: people, customers, timers and those who change service levels do whatever they like, at any time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.tickets import sla
from services.tickets.sla import Escalation, Priority, Reason, ServiceLevels, TargetName, TeamHours
from services.tickets.sla.reckoning import days
from services.tickets.workflow import messages
from services.tickets.workflow.actions import advance, allowed, pass_time, record
from services.tickets.workflow.announce import announce
from services.tickets.workflow.changes import Change
from services.tickets.workflow.chronicle import Event, chronicle
from services.tickets.workflow.clocks import PAUSABLE, case, rederive, regrade
from services.tickets.workflow.commands import SYSTEM, Cancel, Command, HandOver, Reopen, Reply, Resolve, Resume, Start, Take, Triage, Wait
from services.tickets.workflow.evolution import opened, replay
from services.tickets.workflow.messages import Message
from services.tickets.workflow.opening import open_request
from services.tickets.workflow.passing import Watched, passing
from services.tickets.workflow.status import OPEN, WAITING, Action, Cause, Status
from services.tickets.workflow.ticket import Ticket, deadlines, next_due
from services.tickets.workflow.writing import write_passing
from shared.events.tickets import SlaEvent, SlaRetargeted
from tests.tickets.builders import DAY, HOUR, LEAD, NOON, a_policy, a_request
from tests.tickets.calendars import SHIFTS, a_calendar, a_holiday

pytestmark = pytest.mark.pure

ESCALATIONS: Final = (Escalation(Reason.WARNED, 1), Escalation(Reason.BREACHED, 2, TargetName.RESOLUTION))
OFFICE: Final = a_calendar(days={(NOON + DAY).date(): a_holiday()})
BASIC: Final = a_policy(None, 4 * HOUR, 16 * HOUR, id="basic", calendar=None, warn_percent=80, escalations=ESCALATIONS)
URGENT: Final = a_policy(
    Priority.URGENT, HOUR, 8 * HOUR, id="urgent", calendar="office", pauses_on=frozenset({"parts"}), next_response=HOUR / 2
)
VIP: Final = a_policy(None, HOUR, 4 * HOUR, id="vip", tier="vip", calendar="always", next_response=None)
ALWAYS: Final = a_calendar(((*OFFICE.week[0],)), id="always", zone="Europe/Berlin")
BY_DAY: Final = TeamHours("by-day", 1, "office", NOON - DAY)
BY_NIGHT: Final = TeamHours("by-night", 1, "shifts", NOON - DAY)

EDITIONS: Final = [
    ServiceLevels(1, [BASIC, URGENT, VIP], [OFFICE, ALWAYS, SHIFTS], [BY_DAY, BY_NIGHT]),
    ServiceLevels(
        2,
        [BASIC, URGENT, VIP, a_policy(None, 2 * HOUR, 40 * HOUR, id="basic", version=2, calendar="office", pauses_on=frozenset({"parts"}))],
        [OFFICE, ALWAYS, SHIFTS],
        [BY_DAY, BY_NIGHT],
    ),
    ServiceLevels(
        3,
        [BASIC, URGENT, VIP],
        [OFFICE, ALWAYS, SHIFTS, a_calendar(version=3, zone="Asia/Shanghai", valid_from=NOON + HOUR)],
        [BY_DAY, BY_NIGHT, TeamHours("by-night", 3, "office", NOON + DAY)],
    ),
]
"""The first, one with another general policy, one in which the office and the night team have other hours later on."""

COMMANDS: Final[Mapping[Action, st.SearchStrategy[Command]]] = {
    Action.TRIAGE: st.builds(Triage, priority=st.sampled_from(Priority), type=st.just("repair")),
    Action.TAKE: st.builds(Take),
    Action.HAND_OVER: st.builds(HandOver, assignee=st.uuids().map(str), team=st.sampled_from([None, BY_DAY.team, BY_NIGHT.team])),
    Action.START: st.builds(Start),
    Action.WAIT: st.builds(Wait, on=st.sampled_from(Cause)),
    Action.RESUME: st.builds(Resume),
    Action.REPLY: st.builds(Reply, message_id=st.builds(uuid4), digest=st.just("d"), public=st.booleans()),
    Action.RESOLVE: st.builds(Resolve, resolution_code=st.just("repaired")),
    Action.REOPEN: st.builds(Reopen, reason=st.just("staff")),
    Action.CANCEL: st.builds(Cancel, reason=st.just("spam")),
}
AFTER_A_QUESTION: Final[st.SearchStrategy[Command]] = st.sampled_from(
    [Resolve("repaired"), Reply(uuid4(), "d"), Wait(Cause.CUSTOMER), Wait(Cause.PARTS)]
)
DELAYS: Final = st.sampled_from([timedelta(0), timedelta(minutes=7), HOUR, 5 * HOUR, 30 * HOUR, 4 * DAY])


def compare_passing(ticket: Ticket, target: TargetName, due_at: datetime, until: datetime) -> None:
    """What is decided from one clock alone, against what the whole ticket says."""
    told = [sla.announcement(clock) for other, clock in ticket.clocks.items() if other is not target]
    if any(each is not None and each[1] <= until for each in told):
        return  # several clocks, in order of time: such a ticket is looked at as a whole
    passed = passing(watched(ticket, target), due_at, until)
    if passed is None:
        clock = ticket.clocks[target]
        assert clock.warned_at is None
        assert due_at < sla.due_at(clock, until) <= until
        return
    after, changes = pass_time(ticket, until, inclusive=True)

    facts = [passed.fact] if passed.escalated is None else [passed.fact, passed.escalated]
    assert [(change.at, change.fact) for change in changes] == [(passed.at, fact) for fact in facts]
    assert (passed.version, passed.told_at or ticket.changed_at, passed.escalation) == (after.version, after.changed_at, after.escalation)
    assert next_due(after) == next_due(ticket)
    expected = {kind: moment for kind, moment in deadlines(ticket).items() if kind != target}
    assert deadlines(after) == expected | ({} if passed.next_at is None else {target: passed.next_at})
    events, written = list(announce(ticket, changes)), write_passing(passed)
    assert [each[:3] for each in written] == [(type(event), event.key, event.occurred_at) for event in events]
    assert [each.payload for each in written] == [event.__pydantic_serializer__.to_json(event, warnings="error") for event in events]


def watched(ticket: Ticket, target: TargetName) -> Watched:
    """What is known where a due time passes, as the database holds it: its instants are UTC."""
    clock = ticket.clocks[target]
    of_ticket = {name: getattr(ticket, name) for name in Watched._fields[: Watched._fields.index("target")]}
    due_at = sla.due_at(clock, clock.started_at)
    return Watched(
        **of_ticket, target=str(target), started_at=clock.started_at, due_at=due_at, warned_at=clock.warned_at, was_told=False,
        budget=clock.budget, promise=clock.promise,
    )  # fmt: skip


class Life(RuleBasedStateMachine):
    """One ticket, its history, and the service levels of the day."""

    @initialize(
        by=st.sampled_from(["customer"] * 3 + ["agent"]),
        tier=st.sampled_from(["standard"] * 3 + ["vip"]),
        in_work=st.sampled_from([True] * 3 + [False]),
    )
    def begin(self, by: str, tier: str, in_work: bool) -> None:
        opening = open_request(a_request(entered_by=by, tier=tier), NOON, EDITIONS[0])
        self.at = NOON
        self.levels = EDITIONS[0]
        self.ticket: Ticket = opened(opening)
        self.history: list[Change] = [opening]
        for command in [Take(), Start(), Reply(uuid4(), "d")] if in_work else []:
            self._happened(*advance(self.ticket, command, by=LEAD, at=NOON, policy=self.levels))

    @rule(data=st.data(), delay=DELAYS)
    def staff_act(self, data: st.DataObject, delay: timedelta) -> None:
        self.at += delay
        # an end at every turn would leave no lives to look at
        possible = [action for action in allowed(self.ticket, LEAD, self.at) if action in COMMANDS and action is not Action.CANCEL]
        if possible:
            command = data.draw(st.sampled_from(possible).flatmap(COMMANDS.__getitem__))
            self._happened(*advance(self.ticket, command, by=LEAD, at=self.at, policy=self.levels))

    @precondition(lambda self: self.ticket.version > 8)
    @rule()
    def it_is_cancelled(self) -> None:
        if Action.CANCEL in allowed(self.ticket, LEAD, self.at):
            self._happened(*advance(self.ticket, Cancel("spam"), by=LEAD, at=self.at, policy=self.levels))

    @rule(delay=DELAYS)
    def the_customer_thanks(self, delay: timedelta) -> None:
        self._written(delay, timedelta(0), thanks=True)

    @rule(delay=DELAYS, late=st.sampled_from([timedelta(0), timedelta(minutes=30), 3 * HOUR]))
    def the_customer_asks(self, delay: timedelta, late: timedelta) -> None:
        self._written(delay, late)

    @rule(
        delay=DELAYS,
        wait=DELAYS,
        command=st.sampled_from([Resolve("repaired"), Reply(uuid4(), "d"), Wait(Cause.CUSTOMER), Wait(Cause.PARTS)]),
    )
    def the_customer_asks_and_staff_do_something(self, delay: timedelta, wait: timedelta, command: Command) -> None:
        self._written(delay, timedelta(0))
        self.at += wait
        if command.ACTION in allowed(self.ticket, LEAD, self.at):
            self._happened(*advance(self.ticket, command, by=LEAD, at=self.at, policy=self.levels))

    def _written(self, delay: timedelta, late: timedelta, *, thanks: bool = False) -> None:
        self.at += delay
        message, written_at = Message(uuid4(), "AS-1", "digest", thanks), max(NOON, self.at - late)
        before = self.ticket
        if messages.joins(before, message, written_at):
            self._happened(*messages.add(before, message, written_at, self.levels))
            running = before.next_response
            if running is not None and running.is_open and self.ticket.next_response is not None:
                promises = self.levels.promise(case(before), written_at).policy.next_response is not None
                starts = min(running.started_at, written_at) if promises and not thanks else running.started_at
                assert self.ticket.next_response.started_at == starts

    @rule()
    def timers_fire(self) -> None:
        self._happened(*pass_time(self.ticket, self.at, inclusive=True))

    @rule(edition=st.sampled_from(EDITIONS))
    def service_levels_change(self, edition: ServiceLevels) -> None:
        self.levels = edition
        at, before = max(self.at, self.ticket.changed_at), self.ticket
        if before.status not in {Status.CANCELLED, Status.MERGED} and (fact := rederive(before, edition, at)) is not None:
            self._happened(*record(before, fact, by=SYSTEM, at=at))
            assert rederive(self.ticket, edition, at) is None
            for target, clock in self.ticket.clocks.items():
                old = before.clocks[target]
                assert (clock.started_at, clock.met_at) == (old.started_at, old.met_at)
                served = tuple(pause for pause in old.pauses if pause.ended_at is not None)
                assert clock.pauses[: len(served)] == served

    @precondition(lambda self: self.ticket.version > 6)
    @rule(tier=st.sampled_from(["standard", "vip"]))
    def the_customer_is_graded(self, tier: str) -> None:
        at, before = max(self.at, self.ticket.changed_at), self.ticket
        if (fact := regrade(before, tier, self.levels, at)) is not None:
            self._happened(*record(before, fact, by=SYSTEM, at=at))
            assert all(sla.due_at(clock, at) <= sla.due_at(before.clocks[target], at) for target, clock in self.ticket.clocks.items())

    def _happened(self, after: Ticket, changes: tuple[Change, ...]) -> None:
        told = [event for event in announce(self.ticket, changes) if isinstance(event, SlaEvent)]
        assert all(event.clock.met_at is None for event in told if event.TYPE in {"sla.warned.v1", "sla.breached.v1"})
        assert all(event.occurred_at == event.clock.due_at for event in told if event.TYPE == "sla.breached.v1")
        assert after.escalation >= self.ticket.escalation
        self.ticket = after
        self.history += changes
        self.at = max(self.at, after.changed_at)

    @invariant()
    def the_history_rebuilds_every_clock(self) -> None:
        if hasattr(self, "ticket"):
            assert replay(self.history) == self.ticket

    @invariant()
    def what_is_owed_follows_from_what_the_ticket_is_and_when_the_clock_started(self) -> None:
        if hasattr(self, "ticket") and self.ticket.status in OPEN:
            owed = [clock for clock in self.ticket.clocks.values() if clock.is_open]
            assert all(clock.promise == self.levels.promise(case(self.ticket), clock.started_at) for clock in owed)

    @invariant()
    def clocks_run_and_stand_still_as_their_policies_say(self) -> None:
        if not hasattr(self, "ticket"):
            return
        ticket = self.ticket
        cause = next((cause for cause, status in WAITING.items() if status is ticket.status), None)
        assert not ticket.first_response.pauses
        for target in PAUSABLE:
            clock = ticket.clock(target)
            if clock is not None and clock.is_open and ticket.status in OPEN:
                assert clock.is_paused == (cause is not None and ticket.resolution.promise.policy.pauses(cause)) or (
                    clock.promise.policy != ticket.resolution.promise.policy
                )

    @invariant()
    def a_next_response_is_owed_only_after_the_first_and_while_somebody_works(self) -> None:
        if hasattr(self, "ticket") and self.ticket.next_response is not None and self.ticket.next_response.is_open:
            assert not self.ticket.first_response.is_open
            assert self.ticket.status in OPEN

    @invariant()
    def the_resolution_ends_with_the_ticket_and_runs_on_when_it_is_reopened(self) -> None:
        if hasattr(self, "ticket"):
            assert self.ticket.resolution.is_open == (self.ticket.status in OPEN)

    @invariant()
    def nothing_is_due_that_stands_still_or_has_ended(self) -> None:
        if hasattr(self, "ticket"):
            due = {TargetName(kind) for kind in deadlines(self.ticket) if kind in set(TargetName)}
            assert all(clock.is_open and not clock.is_paused for target, clock in self.ticket.clocks.items() if target in due)

    @invariant()
    def a_due_time_passes_alike_whether_little_or_the_whole_ticket_is_looked_at(self) -> None:
        if not hasattr(self, "ticket"):
            return
        for target, clock in self.ticket.clocks.items():
            told = sla.announcement(clock)
            if told is not None and not clock.pauses:
                for until in {told[1], told[1] + HOUR, max(told[1], self.at)}:
                    compare_passing(self.ticket, target, told[1], until)

    @invariant()
    def the_days_of_the_reckoning_add_up_to_what_has_run(self) -> None:
        if not hasattr(self, "ticket"):
            return
        for clock in self.ticket.clocks.values():
            shown, truncated = days(clock, self.at)
            end = clock.met_at or clock.stopped_at or max(self.at, sla.due_at(clock, self.at))
            if shown and not truncated and not clock.is_paused:
                assert shown[-1].run == sla.running_time(clock, end)

    @invariant()
    def the_chronicle_tells_every_beginning_and_end(self) -> None:
        if not hasattr(self, "ticket"):
            return
        steps = list(chronicle(self.history))
        for target, clock in self.ticket.clocks.items():
            own = [step for step in steps if step.target is target]
            assert own[-1].clock == clock
            assert own[0].event is Event.STARTED
            ended = sum(step.event in {Event.MET, Event.STOPPED} for step in own) - sum(step.event is Event.RUNS_ON for step in own)
            begun = sum(step.event is Event.STARTED for step in own)
            assert begun - ended >= clock.is_open

    @invariant()
    def every_corrected_promise_was_told(self) -> None:
        if hasattr(self, "ticket") and len(self.history) > 1:
            before = replay(self.history[:-1])
            moved = [
                target
                for target, clock in self.ticket.clocks.items()
                if (old := before.clock(target)) is not None and old.started_at == clock.started_at and old.promise != clock.promise
            ]
            told = [event.target for event in announce(before, self.history[-1:]) if isinstance(event, SlaRetargeted)]
            assert set(moved) <= set(told)


Life.TestCase.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
TestLife = Life.TestCase
