"""What timers do: announce what was missed, close what nobody reopened; once, dated at the due time. The real loop on real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from services.tickets.handlers import deadlines, desk
from services.tickets.store import loading, views
from services.tickets.workflow import ticket as tickets
from services.tickets.workflow.commands import Command, Letter, Resolve, Resume, Start, Take, Wait
from services.tickets.workflow.evolution import replay
from services.tickets.workflow.status import Cause, Status
from services.tickets.workflow.ticket import REOPEN_WINDOW
from shared import clock
from shared.database import Database, Transaction
from shared.events.tickets import SlaBreached, SlaWarned, TicketClosed, TicketEscalated
from shared.timers import Timer, TimerLoop, TimerSpec
from tests.tickets.builders import AGENT, DAY, HOUR, request_received
from tests.tickets.observation import count, due, fire, take_in, ticket, told

pytestmark = pytest.mark.postgres


def ago(span: timedelta) -> datetime:
    """That long before this moment, in whole milliseconds as clocks are stored."""
    return (clock.now() - span).replace(microsecond=0)


async def opened(database: Database, at: datetime) -> str:
    request = request_received(occurred_at=at)
    await take_in(database, request)
    return request.reference


async def act(database: Database, number: str, *commands: Command | Letter, at: datetime) -> None:
    for command in commands:
        seen = await ticket(database, number)
        async with database.transaction() as tx:
            await desk.act(tx, number, command, by=AGENT, version=seen.version, at=at)


async def breaches(database: Database, number: str) -> list[str]:
    return [event.target for event in await told(database, number) if isinstance(event, SlaBreached)]


async def test_a_missed_target_is_told_at_its_due_time_however_late_the_timer(tickets_database: Database) -> None:
    at = ago(9 * HOUR)
    number = await opened(tickets_database, at)

    await fire(tickets_database)

    _, warned, breached, escalated = await told(tickets_database, number)
    assert isinstance(warned, SlaWarned)
    assert isinstance(breached, SlaBreached)
    assert isinstance(escalated, TicketEscalated)
    assert (warned.target, warned.occurred_at, warned.clock.due_at) == ("first_response", at + 0.8 * 4 * HOUR, at + 4 * HOUR)
    assert (breached.target, breached.occurred_at, breached.clock.met_at) == ("first_response", at + 4 * HOUR, None)
    assert (escalated.level, escalated.reason, escalated.target, escalated.actor) == (1, "sla_breached", "first_response", "system")
    assert (await ticket(tickets_database, number)).escalation == 1
    assert await due(tickets_database, number) == {"resolution": at + 0.8 * 3 * DAY}


async def test_a_process_whose_clock_is_ahead_tells_no_promise_as_missed_that_is_not(
    tickets_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await opened(tickets_database, ago(3.5 * HOUR))
    ahead = clock.now() + HOUR
    monkeypatch.setattr(clock, "now", lambda: ahead)

    assert await fire(tickets_database) == 1

    _, warned = await told(tickets_database, number)
    assert isinstance(warned, SlaWarned)


async def test_it_is_told_once_and_the_earlier_first(tickets_database: Database) -> None:
    number = await opened(tickets_database, ago(30 * DAY))

    fired = [await fire(tickets_database) for _ in range(3)]

    assert fired == [2, 0, 0]
    assert await breaches(tickets_database, number) == ["first_response", "resolution"]
    assert await due(tickets_database, number) == {}


async def test_nothing_is_told_before_its_time_or_after_it_was_met(tickets_database: Database) -> None:
    young = await opened(tickets_database, ago(HOUR))
    answered = await opened(tickets_database, ago(2 * DAY))
    await act(tickets_database, answered, Letter("We look into it."), at=ago(2 * DAY - HOUR))

    assert await fire(tickets_database) == 0
    assert await breaches(tickets_database, young) == await breaches(tickets_database, answered) == []


async def test_a_resolved_ticket_is_closed_when_the_window_ends(tickets_database: Database) -> None:
    at = ago(REOPEN_WINDOW + HOUR)
    number, later = await opened(tickets_database, at), await opened(tickets_database, at)
    await act(tickets_database, number, Letter("Done."), Take(), Resolve("repaired"), at=at)
    await act(tickets_database, later, Letter("Done."), Take(), Resolve("repaired"), at=at + 2 * HOUR)

    await fire(tickets_database)

    *_, event = await told(tickets_database, number)
    assert isinstance(event, TicketClosed)
    assert (event.reason, event.occurred_at, event.actor) == ("window_over", at + REOPEN_WINDOW, "system")
    assert (await ticket(tickets_database, number)).status is Status.CLOSED
    assert (await ticket(tickets_database, later)).status is Status.RESOLVED


async def test_a_ticket_that_somebody_works_on_is_left_for_the_next_round(tickets_database: Database) -> None:
    number = await opened(tickets_database, ago(DAY))

    async with tickets_database.transaction() as tx:
        await loading.lock(tx, [number])
        while_held = await fire(tickets_database)
    afterwards = await fire(tickets_database)

    assert (while_held, afterwards) == (0, 1)


async def test_several_timer_loops_tell_it_once(tickets_database: Database) -> None:
    numbers = [await opened(tickets_database, ago(DAY)) for _ in range(5)]

    fired = await asyncio.gather(*(fire(tickets_database) for _ in range(4)))

    assert sum(fired) == 5
    assert [await breaches(tickets_database, number) for number in numbers] == [["first_response"]] * 5


async def test_timers_are_what_the_ticket_says_is_due(tickets_database: Database) -> None:
    at = ago(HOUR)
    number = await opened(tickets_database, at)
    await act(tickets_database, number, Take(), Resolve("repaired"), at=at)

    assert await due(tickets_database, number) == tickets.deadlines(await ticket(tickets_database, number))


@pytest.mark.parametrize("passed", [4 * HOUR - HOUR / 2, 9 * HOUR, 2.5 * DAY])
async def test_what_is_told_of_very_many_is_what_their_histories_make_of_them(tickets_database: Database, passed: timedelta) -> None:
    numbers = [await opened(tickets_database, ago(passed)) for _ in range(3)]
    await act(tickets_database, numbers[0], Take(), Start(), Wait(Cause.CUSTOMER), Resume(), at=ago(passed))

    assert await fire(tickets_database) > 0
    assert await fire(tickets_database) == 0

    for number in numbers:
        as_stored = await ticket(tickets_database, number)
        async with tickets_database.transaction() as tx:
            assert replay(await views.changes(tx, number)) == as_stored
            assert await tx.fetchval("SELECT next_due_at FROM ticket WHERE number = $1", number) == tickets.next_due(as_stored)
        assert await due(tickets_database, number) == tickets.deadlines(as_stored)


async def test_a_warning_rewrites_no_index_of_its_ticket(tickets_database: Database) -> None:
    async with tickets_database.transaction() as tx:
        await tx.execute("TRUNCATE ticket, sla_clock CASCADE")  # a page without what earlier tests left in it
    number, rewritten = await opened(tickets_database, ago(3.5 * HOUR)), Counter[str]()

    async def fire_and_look(tx: Transaction, timers: Sequence[Timer]) -> None:
        rewritten.subtract(await _rewritten(tx))
        await deadlines.fire(tx, timers)
        rewritten.update(await _rewritten(tx))

    assert await TimerLoop(tickets_database, TimerSpec(lock=loading.lock_idle, fire=fire_and_look)).round() == 1
    assert rewritten == {"ticket": 0, "sla_clock": 0}
    assert (await ticket(tickets_database, number)).version == 2


async def _rewritten(tx: Transaction) -> dict[str, int]:
    """How many rows of each table this session gave another version with index entries of its own."""
    rows = await tx.fetch(
        "SELECT relname, n_tup_upd - n_tup_hot_upd AS n FROM pg_stat_xact_user_tables WHERE relname IN ('ticket', 'sla_clock')"
    )
    return {row["relname"]: row["n"] for row in rows}


async def test_a_ticket_has_one_place_in_the_order_of_changes(tickets_database: Database) -> None:
    at = ago(3.5 * HOUR)
    number = await opened(tickets_database, at)
    await fire(tickets_database)
    async with tickets_database.transaction() as tx:
        place = await tx.fetchrow("SELECT at, number FROM told")
    warned = await ticket(tickets_database, number)
    taken_at = at + 3.4 * HOUR
    await act(tickets_database, number, Take(), at=taken_at)

    assert place is not None
    assert tuple(place) == (warned.changed_at, number) == (at + 0.8 * 4 * HOUR, number)
    assert (await ticket(tickets_database, number)).changed_at == taken_at
    assert await count(tickets_database, "told") == 0


async def test_a_due_time_that_was_passed_over_is_told_before_a_later_one(tickets_database: Database) -> None:
    number = await opened(tickets_database, at := ago(5 * DAY))
    async with tickets_database.transaction() as tx:
        taken = await tx.fetchrow(
            "DELETE FROM timer WHERE subject = $1 AND kind = 'resolution' RETURNING kind, subject, gen, due_at", number
        )
        assert taken is not None
        await deadlines.fire(tx, [Timer(*taken)])

    moments = [event.occurred_at for event in (await told(tickets_database, number))]
    assert moments == sorted(moments)
    assert moments[-1] == at + 3 * DAY
    assert await breaches(tickets_database, number) == ["first_response", "resolution"]
    assert await due(tickets_database, number) == {}
