"""What the clock brings: a due time that passed is announced, a reopen window that ended closes its ticket. Dated at the due time."""

from __future__ import annotations

from collections.abc import Sequence

from services.tickets.sla import TargetName
from services.tickets.store import loading, saving
from services.tickets.store.policy import policy_in_force
from services.tickets.workflow.actions import advance, miss
from services.tickets.workflow.commands import SYSTEM, Close
from services.tickets.workflow.docket import Docket
from services.tickets.workflow.ticket import CLOSE, deadlines
from shared import clock, outbox, telemetry
from shared.database import Transaction
from shared.timers import Timer

log = telemetry.logger()

WINDOW_OVER = "window_over"


async def fire(tx: Transaction, timers: Sequence[Timer]) -> None:
    """Do what is due. The tickets are locked and the timers taken by this transaction."""
    docket = Docket(await loading.load(tx, {timer.subject for timer in timers}))
    policy = await policy_in_force(tx, clock.now())
    # in order of time: of two deadlines of one ticket the earlier is told first
    for timer in sorted(timers, key=lambda timer: timer.due_at):
        ticket = docket.get(timer.subject)
        if ticket is None or deadlines(ticket).get(timer.kind) != timer.due_at:
            continue
        if timer.kind == CLOSE:
            docket.record(*advance(ticket, Close(WINDOW_OVER), by=SYSTEM, at=timer.due_at, policy=policy))
        else:
            docket.record(*miss(ticket, TargetName(timer.kind)))
    await saving.save(tx, docket, {})
    await outbox.append(tx, docket.events)
    log.info("deadlines_passed", fired=len(docket.history))
