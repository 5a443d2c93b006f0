"""The workflow as laws: a machine tries every command in any order, at any time, in any role."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.tickets.sla import Priority, TargetName
from services.tickets.workflow import messages
from services.tickets.workflow.actions import TransitionRefused, advance, allowed, pass_time, record
from services.tickets.workflow.announce import announce
from services.tickets.workflow.changes import Breached, Change, Merged, Reminded
from services.tickets.workflow.commands import (
    SYSTEM,
    Actor,
    Cancel,
    Close,
    Command,
    Confirm,
    Escalate,
    HandOver,
    Link,
    Merge,
    Note,
    Queue,
    Reopen,
    Reply,
    Resolve,
    Resume,
    Start,
    Step,
    Take,
    TakeOver,
    Triage,
    Unlink,
    Unmerge,
    Wait,
)
from services.tickets.workflow.evolution import opened, replay
from services.tickets.workflow.messages import Answer, Message
from services.tickets.workflow.status import OPEN, PERMITTED, TRANSITIONS, Cause, LinkKind, Role, Status
from services.tickets.workflow.steps import STEPS
from services.tickets.workflow.ticket import Ticket, deadlines
from tests.tickets.builders import HOUR, LEAD, NOON, POLICY, an_opening

pytestmark = pytest.mark.pure

# written out by hand from the rules of the trade, not derived from the table under test
WAITING: Final = ("waiting_customer", "waiting_parts", "waiting_third_party")
WORKED_ON: Final = {"assigned", "in_progress", *WAITING}
QUEUED: Final = ("new", "triaged")
UNDONE: Final = WORKED_ON | set(QUEUED)
EVERY: Final = UNDONE | {"resolved", "confirmed", "closed", "cancelled", "merged"}
MOVES: Final = (
    {("new", "triage", "triaged"), ("new", "take", "assigned"), ("triaged", "take", "assigned"), ("assigned", "start", "in_progress")}
    | {("in_progress", "wait", f"waiting_{cause}") for cause in ("customer", "parts", "third_party")}
    | {(f"waiting_{cause}", "resume", "in_progress") for cause in ("customer", "parts", "third_party")}
    | {(status, "reply", status) for status in UNDONE}
    | {(status, "resolve", "resolved") for status in WORKED_ON}
    | {("resolved", "confirm", "confirmed"), ("resolved", "close", "closed"), ("confirmed", "close", "closed")}
    | {(status, "reopen", "assigned") for status in ("resolved", "confirmed", "closed")}
    | {(status, "cancel", "cancelled") for status in UNDONE}
    | {(status, "triage", status) for status in WORKED_ON | {"triaged"}}
    | {(status, "take_over", status) for status in WORKED_ON}
    | {(status, "hand_over", target) for status in ("assigned", "in_progress") for target in ("assigned", *QUEUED)}
    | {(status, "hand_over", target) for status in QUEUED for target in ("assigned", status)}
    | {(status, "hand_over", target) for status in WAITING for target in (status, *QUEUED)}
    | {(status, "queue", target) for status in WORKED_ON for target in QUEUED}
    | {("waiting_customer", "close", "closed")}
    | {(status, "step", status) for status in WORKED_ON}
    | {(status, "merge", "merged") for status in UNDONE}
    | {("merged", "unmerge", status) for status in UNDONE}
    | {(status, action, status) for action in ("note", "link", "unlink") for status in EVERY}
    | {(status, "escalate", status) for status in UNDONE}
)

OF_PARAMETERS: Final = {
    "type_missing",
    "no_such_step",
    "merge_cycle",
    "already_linked",
    "holder_is_present",
    "already_theirs",
    "already_escalated",
    "agent_inactive",
}
"""Reasons that the parameters give; any other one is known before."""

CODES: Final = st.sampled_from(["a", "b"])
COMMANDS: Final[st.SearchStrategy[Command]] = st.one_of(
    st.builds(Triage, priority=st.sampled_from(Priority), type=st.sampled_from([None, "repair"]), category=CODES),
    st.builds(Take, team=st.none() | CODES),
    st.builds(TakeOver, reason=CODES, holder_is_present=st.booleans()),
    st.builds(HandOver, assignee=st.none() | CODES, team=st.none() | CODES, obstacle=st.none() | st.just("agent_inactive")),
    st.builds(Queue, team=st.none() | CODES, reason=st.none() | CODES),
    st.builds(Start),
    st.builds(Wait, on=st.sampled_from(Cause), reason=st.none() | CODES),
    st.builds(Resume),
    st.builds(Reply, message_id=st.builds(uuid4), digest=CODES, public=st.booleans()),
    st.builds(Resolve, resolution_code=CODES),
    st.builds(Confirm),
    st.builds(Close, reason=CODES),
    st.builds(Reopen, reason=CODES),
    st.builds(Cancel, reason=CODES),
    st.builds(Escalate, level=st.sampled_from([None, 1, 2])),
    st.builds(Note, message_id=st.builds(uuid4), digest=CODES),
    st.builds(Step, step=st.sampled_from(["diagnosed", "quoted", "tested", "repairing", "verified", "unheard_of"])),
    st.builds(Merge, into=st.just("AS-2"), obstacle=st.none() | st.just("merge_cycle")),
    st.builds(Link, other=st.just("AS-3"), kind=st.sampled_from(LinkKind), obstacle=st.none() | st.just("already_linked")),
    st.builds(Unlink, other=st.just("AS-3"), kind=st.sampled_from(LinkKind)),
)
ACTORS: Final = st.sampled_from([Actor(f"id-{role}", role) for role in Role])
SOLVED: Final = st.sampled_from([None, "yes", "partly", "no"])
DELAYS: Final = st.sampled_from([timedelta(0), timedelta(seconds=1), HOUR, 30 * HOUR, timedelta(days=4), timedelta(days=8), -HOUR])


def test_the_table_lists_the_moves_of_the_trade_and_no_other() -> None:
    listed = {(str(source), str(action), str(target)) for (source, action), targets in TRANSITIONS.items() for target in targets}

    assert listed == MOVES
    assert {action for _, action in TRANSITIONS} == set(PERMITTED)


def test_open_means_that_somebody_still_has_to_do_something() -> None:
    assert {str(status) for status in OPEN} == UNDONE


class Life(RuleBasedStateMachine):
    """One ticket in the hands of people, customers and timers who do whatever they like."""

    @initialize(kind=st.sampled_from([None, "repair", "complaint"]))
    def begin(self, kind: str | None) -> None:
        opening = an_opening(type=kind)
        self.at = NOON
        self.ticket: Ticket = opened(opening)
        self.history: list[Change] = [opening]

    @rule(command=COMMANDS, by=ACTORS, delay=DELAYS)
    def somebody_acts(self, command: Command, by: Actor, delay: timedelta) -> None:
        self.at += delay
        before = self.ticket
        refusal: TransitionRefused | None = None
        try:
            after, changes = advance(before, command, by=by, at=self.at, policy=POLICY)
        except TransitionRefused as refused:
            refusal = refused
        if refusal is not None:
            assert command.ACTION not in refusal.allowed or refusal.reason in OF_PARAMETERS
            assert self.ticket == before
            return
        assert (str(before.status), str(command.ACTION), str(after.status)) in MOVES
        assert by.role in PERMITTED[command.ACTION]
        self._happened(after, changes)

    @rule(delay=DELAYS, thanks=st.booleans())
    def the_customer_writes(self, delay: timedelta, thanks: bool) -> None:
        self.at += delay
        message = Message(uuid4(), "AS-1", "digest", thanks)
        if messages.joins(self.ticket, message, self.at):
            self._happened(*messages.add(self.ticket, message, self.at, POLICY))

    @rule(
        delay=DELAYS, overall=st.none() | st.integers(1, 5), solved=st.sampled_from([None, "yes", "partly", "no"]), back=st.integers(0, 1)
    )
    def the_customer_answers(self, delay: timedelta, overall: int | None, solved: str | None, back: int) -> None:
        self.at += delay
        given = Answer(self.ticket.episode - back, overall, solved)  # type: ignore[arg-type]
        opens = messages.opens_linked(self.ticket, given, self.at)
        after, changes = messages.answer(self.ticket, given, self.at)
        assert not (opens and changes)
        self._happened(after, changes)

    @rule(missed=st.sampled_from(TargetName))
    def a_timer_fires(self, missed: TargetName) -> None:
        due = deadlines(self.ticket).get(missed)
        if due is not None and due <= self.at:
            self._happened(*pass_time(self.ticket, due, inclusive=True))

    @rule(kind=st.sampled_from(["close", "give_up"]))
    def it_is_closed_in_time(self, kind: str) -> None:
        due = deadlines(self.ticket).get(kind)
        if due is not None and due <= self.at:
            self._happened(*advance(self.ticket, Close(kind), by=Actor("system", Role.SYSTEM), at=due, policy=POLICY))

    @rule()
    def the_customer_is_reminded(self) -> None:
        due = deadlines(self.ticket).get("remind")
        if due is not None and due <= self.at:
            self._happened(*record(self.ticket, Reminded(), by=SYSTEM, at=max(due, self.ticket.changed_at)))

    @rule(delay=DELAYS)
    def a_merge_is_undone(self, delay: timedelta) -> None:
        self.at += delay
        if self.ticket.status is not Status.MERGED:
            return
        place, merge = next((place, c.fact) for place, c in reversed(list(enumerate(self.history))) if isinstance(c.fact, Merged))
        before = replay(self.history[:place])
        self._happened(*advance(self.ticket, Unmerge(merge.status, merge.paused), by=LEAD, at=self.at, policy=POLICY))
        assert (self.ticket.status, self.ticket.assignee) == (before.status, before.assignee)
        assert [self.ticket.clock(target) for target in TargetName] == [before.clock(target) for target in TargetName]

    def _happened(self, after: Ticket, changes: tuple[Change, ...]) -> None:
        events = list(announce(self.ticket, changes))
        assert [event.ticket_version for event in events if event.TYPE.startswith("ticket.")] == [
            change.version for change in changes if not isinstance(change.fact, Breached | Reminded)
        ]
        self.ticket = after
        self.history += changes

    @invariant()
    def versions_count_the_changes(self) -> None:
        if hasattr(self, "ticket"):
            assert [change.version for change in self.history] == list(range(1, self.ticket.version + 1))

    @invariant()
    def time_never_runs_backwards_but_for_breaches_told_late(self) -> None:
        if hasattr(self, "ticket"):
            times = [change.at for change in self.history if not isinstance(change.fact, Breached)]
            assert times == sorted(times)

    @invariant()
    def history_rebuilds_the_ticket(self) -> None:
        if hasattr(self, "ticket"):
            assert replay(self.history) == self.ticket

    @invariant()
    def the_ticket_makes_sense(self) -> None:
        if not hasattr(self, "ticket"):
            return
        ticket = self.ticket
        assert (ticket.assignee is not None) or ticket.status in {Status.NEW, Status.TRIAGED, Status.CANCELLED, Status.MERGED}
        assert (ticket.closed_at is not None) == (ticket.status in {Status.CLOSED, Status.CANCELLED, Status.MERGED})
        assert (ticket.episode > 0) == (ticket.resolved_at is not None)
        assert ticket.resolution.is_paused == (ticket.status is Status.WAITING_CUSTOMER and ticket.resolution.is_open)
        assert all(pause.ended_at is None or pause.started_at <= pause.ended_at for pause in ticket.resolution.pauses)
        assert not ticket.first_response.pauses
        assert (ticket.waiting_since is not None) == (ticket.status is Status.WAITING_CUSTOMER)
        assert (ticket.merged_into is not None) == (ticket.status is Status.MERGED)
        assert ticket.step is None or ticket.step in STEPS[ticket.type or ""]

    @invariant()
    def what_is_allowed_is_never_refused_for_status_or_role(self) -> None:
        if not hasattr(self, "ticket"):
            return
        for role in Role:
            for action in allowed(self.ticket, Actor("x", role), self.at):
                assert (self.ticket.status, action) in TRANSITIONS
                assert role in PERMITTED[action]


Life.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestLife = Life.TestCase
