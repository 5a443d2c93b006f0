"""What the clock brings, dated at the due time: a due time that passed is announced, a customer who does not answer is reminded, a reopen
window that ended or a wait that was too long closes the ticket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.tickets.handlers import assigning, queues
from services.tickets.proof import Tracking
from services.tickets.sla import TargetName
from services.tickets.store import loading
from services.tickets.store.policy import policy_in_force
from services.tickets.workflow.actions import advance, miss, record
from services.tickets.workflow.changes import Reminded
from services.tickets.workflow.commands import SYSTEM, Close
from services.tickets.workflow.docket import Docket
from services.tickets.workflow.messages import NO_CUSTOMER_ANSWER
from services.tickets.workflow.ticket import CLOSE, GIVE_UP, REMIND, deadlines
from shared import clock, outbox, telemetry
from shared.database import Transaction
from shared.timers import Timer

log = telemetry.logger()

WINDOW_OVER: Final = "window_over"
ENDINGS: Final = {CLOSE: WINDOW_OVER, GIVE_UP: NO_CUSTOMER_ANSWER}
"""Why a ticket is closed at each of the deadlines that close it."""


async def fire(tx: Transaction, timers: Sequence[Timer], tracking: Tracking | None = None) -> None:
    """Do what is due. The tickets are locked and the timers taken by this transaction."""
    timers, of_staff = queues.apart(timers)
    docket = Docket(await loading.load(tx, {timer.subject for timer in timers}), tracking)
    policy = await policy_in_force(tx, clock.now())
    # in order of time: of two deadlines of one ticket the earlier is told first
    for timer in sorted(timers, key=lambda timer: timer.due_at):
        ticket = docket.get(timer.subject)
        if ticket is None or deadlines(ticket).get(timer.kind) != timer.due_at:
            continue
        if timer.kind in ENDINGS:
            docket.record(*advance(ticket, Close(ENDINGS[timer.kind]), by=SYSTEM, at=timer.due_at, policy=policy))
        elif timer.kind == REMIND:
            docket.record(*record(ticket, Reminded(), by=SYSTEM, at=max(timer.due_at, ticket.changed_at)))
        else:
            docket.record(*miss(ticket, TargetName(timer.kind)))
    await assigning.save(tx, docket, {}, await queues.see_to(tx, docket, of_staff))
    await outbox.append(tx, docket.events)
    log.info("deadlines_passed", fired=len(docket.history))
