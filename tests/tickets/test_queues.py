"""Queues: who waits, who hands them out and when, and how a ticket changes hands. On real PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.tickets.assignment.staff import Presence
from services.tickets.handlers import desk, staff
from services.tickets.handlers import queues as handing_out
from services.tickets.handlers.reception import receive
from services.tickets.settings import TicketsSettings
from services.tickets.sla import Priority
from services.tickets.store import assignments, views
from services.tickets.workflow.actions import TransitionRefused
from services.tickets.workflow.commands import (
    Actor,
    Command,
    Delegation,
    Letter,
    Queue,
    Resolve,
    Start,
    Take,
    TakeOver,
    Triage,
    Wait,
)
from services.tickets.workflow.evolution import replay
from services.tickets.workflow.status import Cause, Role, Status
from services.tickets.workflow.ticket import Ticket
from shared import clock
from shared.database import Database
from shared.errors import Invalid, Stale
from shared.events.intake import RequestReceived
from shared.events.tickets import TicketAssigned
from shared.protocol import partition_of
from shared.runtime import AnyRuntime, Runtime
from tests.tickets.builders import HOUR, LEAD, request_received
from tests.tickets.observation import count, take_in, ticket, told, types_told
from tests.tickets.staffing import DESK, add_agent, add_skill, add_team, change_agent, change_team, set_presence, timers_fire

pytestmark = pytest.mark.postgres

ANN = Actor("ann", Role.AGENT)
BOB = Actor("bob", Role.AGENT)


@pytest.fixture
def runtime(tickets_database: Database) -> AnyRuntime:
    values: dict[str, Any] = {"database_url": "postgresql://not-used/", "signing_key": "k" * 40}
    return Runtime.for_tests(tickets_database, TicketsSettings(**values))


@pytest.fixture
async def team(tickets_database: Database) -> None:
    """The service desk, with nobody in it yet."""
    await add_team(tickets_database)


async def waiting(database: Database, **changes: Any) -> str:
    """Number of a ticket that has just come in."""
    request = just_now(**changes)
    await take_in(database, request)
    return request.reference


def just_now(**changes: Any) -> RequestReceived:
    """Written a moment ago, so that no promise is due yet."""
    return request_received(**({"occurred_at": clock.now()} | changes))


async def act(database: Database, number: str, command: Command | Letter | Delegation, by: Actor = ANN) -> Ticket:
    """One action on the version that is there."""
    version = (await ticket(database, number)).version
    async with database.transaction() as tx:
        return await desk.act(tx, number, command, by=by, version=version, at=clock.now())


async def owner(database: Database, number: str) -> str | None:
    return (await ticket(database, number)).assignee


async def assigned(database: Database, number: str) -> TicketAssigned:
    """The newest assignment, as it was told."""
    found = [event for event in await told(database, number) if isinstance(event, TicketAssigned)]
    return found[-1]


# ------------------------------------------------------------------ handing out


@pytest.mark.usefixtures("team")
async def test_whoever_comes_to_work_is_given_what_waits(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_agent(tickets_database, "ann", presence=Presence.OFFLINE)
    number = await waiting(tickets_database)

    await set_presence(tickets_database, "ann", Presence.PRESENT)
    await timers_fire(tickets_database, runtime)

    found = await ticket(tickets_database, number)
    event = await assigned(tickets_database, number)
    assert (found.status, found.assignee, found.team) == (Status.ASSIGNED, "ann", DESK)
    assert (event.reason, event.previous_agent, event.previous_team, event.actor) == ("round_robin", None, DESK, "system")


@pytest.mark.usefixtures("team")
async def test_the_urgent_go_first_then_the_oldest(tickets_database: Database, runtime: AnyRuntime) -> None:
    young = await waiting(tickets_database)
    old = await waiting(tickets_database, occurred_at=clock.now() - HOUR)
    complaint = await waiting(tickets_database, type="complaint")
    await add_agent(tickets_database, "ann", capacity=2)

    await timers_fire(tickets_database, runtime)

    assert [await owner(tickets_database, number) for number in (young, old, complaint)] == [None, "ann", "ann"]


@pytest.mark.usefixtures("team")
async def test_a_queue_is_shared_out_evenly(tickets_database: Database, runtime: AnyRuntime) -> None:
    numbers = [await waiting(tickets_database) for _ in range(5)]
    await add_agent(tickets_database, "ann")
    await add_agent(tickets_database, "bob")

    await timers_fire(tickets_database, runtime)

    owners = [await owner(tickets_database, number) for number in numbers]
    assert sorted(map(owners.count, ("ann", "bob"))) == [2, 3]


@pytest.mark.usefixtures("team")
async def test_a_queue_longer_than_one_look_goes_out_whole(
    tickets_database: Database, runtime: AnyRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_out, "PAGE", 3)
    monkeypatch.setattr(handing_out, "AGAIN", timedelta(0))
    await take_in(tickets_database, *(just_now() for _ in range(11)))
    await add_agent(tickets_database, "ann")

    await timers_fire(tickets_database, runtime)

    async with tickets_database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM ticket WHERE assignee = 'ann'") == 11
    assert await count(tickets_database, "timer WHERE kind = 'hand_out'") == 0


@pytest.mark.usefixtures("team")
async def test_those_for_whom_nobody_has_the_skill_do_not_hold_up_the_others(
    tickets_database: Database, runtime: AnyRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_out, "PAGE", 2)
    await add_skill(tickets_database, "solder", types=("repair",))
    difficult = [await waiting(tickets_database, type="repair", occurred_at=clock.now() - HOUR) for _ in range(4)]
    easy = await waiting(tickets_database, type="enquiry")

    await add_agent(tickets_database, "ann")
    await timers_fire(tickets_database, runtime)

    assert await owner(tickets_database, easy) == "ann"
    assert {await owner(tickets_database, number) for number in difficult} == {None}


@pytest.mark.usefixtures("team")
async def test_a_skill_that_somebody_acquires_frees_what_needs_it(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_skill(tickets_database, "solder", types=("repair",))
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database)
    await timers_fire(tickets_database, runtime)
    assert await owner(tickets_database, number) is None

    await change_agent(tickets_database, "ann", skills=("solder",))
    await timers_fire(tickets_database, runtime)

    assert await owner(tickets_database, number) == "ann"


@pytest.mark.usefixtures("team")
async def test_a_solved_ticket_makes_room_for_one_that_waits(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_agent(tickets_database, "ann", capacity=1)
    first, second = await waiting(tickets_database), await waiting(tickets_database)
    await timers_fire(tickets_database, runtime)
    assert await owner(tickets_database, second) is None

    await act(tickets_database, first, Resolve("repaired"))
    await timers_fire(tickets_database, runtime)

    assert await owner(tickets_database, second) == "ann"


async def test_a_team_that_distributes_by_hand_lets_them_wait(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_team(tickets_database, distribution="by_hand")
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database)

    await timers_fire(tickets_database, runtime)

    assert await owner(tickets_database, number) is None
    assert (await act(tickets_database, number, Take())).assignee == "ann"


@pytest.mark.usefixtures("team")
async def test_two_instances_hand_out_one_queue_without_doubles(tickets_database: Database, runtime: AnyRuntime) -> None:
    await take_in(tickets_database, *(just_now() for _ in range(10)))
    for id in ("ann", "bob"):
        await add_agent(tickets_database, id)

    await asyncio.gather(*(timers_fire(tickets_database, runtime) for _ in range(3)))

    async with tickets_database.transaction() as tx:
        rows = await tx.fetch("SELECT assignee, count(*) AS n, max(version) AS version FROM ticket GROUP BY 1 ORDER BY 1")
    assert [(row["assignee"], row["n"], row["version"]) for row in rows] == [("ann", 5, 2), ("bob", 5, 2)]


@pytest.mark.usefixtures("team")
async def test_whoever_comes_while_requests_arrive_misses_none(tickets_database: Database, runtime: AnyRuntime) -> None:
    """The wake-up that is lost is the classic: the batch sees nobody, he sees no ticket, and both go to sleep."""
    await add_agent(tickets_database, "ann", presence=Presence.OFFLINE)
    batches = [[just_now() for _ in range(2)] for _ in range(10)]

    await asyncio.gather(
        *(take_in(tickets_database, *batch) for batch in batches),
        set_presence(tickets_database, "ann", Presence.PRESENT),
        timers_fire(tickets_database, runtime),
    )
    await timers_fire(tickets_database, runtime)

    async with tickets_database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM ticket WHERE assignee IS NULL") == 0


# three ways to lose a wake-up: two transactions that overlap, each blind to the other, and a timer that fires in between


def apart_from(key: str) -> RequestReceived:
    """A request whose events go to another log than those of the key, so that two transactions can be open at once."""
    return next(request for request in iter(just_now, None) if partition_of(request.reference) != partition_of(key))


@pytest.mark.usefixtures("team")
async def test_a_batch_that_commits_after_somebody_came_finds_him(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_agent(tickets_database, "ann", presence=Presence.OFFLINE)
    request = apart_from("ann")

    async with tickets_database.transaction() as tx:
        await receive(tx, [request])
        await set_presence(tickets_database, "ann", Presence.PRESENT)
        await timers_fire(tickets_database, runtime)
    assert await owner(tickets_database, request.reference) is None

    await timers_fire(tickets_database, runtime)
    assert await owner(tickets_database, request.reference) == "ann"


@pytest.mark.usefixtures("team")
async def test_somebody_who_comes_while_a_batch_commits_finds_it(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_agent(tickets_database, "ann", presence=Presence.OFFLINE)
    request = apart_from("ann")

    async with tickets_database.transaction() as tx:
        await staff.set_presence(tx, "ann", Presence.PRESENT, by="ann", at=clock.now())
        await take_in(tickets_database, request)
        await timers_fire(tickets_database, runtime)
    assert await owner(tickets_database, request.reference) is None

    await timers_fire(tickets_database, runtime)
    assert await owner(tickets_database, request.reference) == "ann"


@pytest.mark.usefixtures("team")
async def test_room_that_comes_free_while_a_batch_commits_is_used(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_agent(tickets_database, "ann", capacity=1)
    first = await waiting(tickets_database)
    request = apart_from(first)

    async with tickets_database.transaction() as tx:
        await desk.act(tx, first, Resolve("repaired"), by=ANN, version=1, at=clock.now())
        await take_in(tickets_database, request)
        await timers_fire(tickets_database, runtime)
    assert await owner(tickets_database, request.reference) is None

    await timers_fire(tickets_database, runtime)
    assert await owner(tickets_database, request.reference) == "ann"


# ------------------------------------------------------------------ going


@pytest.mark.usefixtures("team")
async def test_whoever_goes_offline_keeps_his_tickets(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database)

    await set_presence(tickets_database, "ann", Presence.OFFLINE)
    await timers_fire(tickets_database, runtime)

    assert await owner(tickets_database, number) == "ann"


async def test_in_a_team_that_says_so_they_go_back_to_the_queue(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_team(tickets_database, when_offline="queue")
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database)
    await act(tickets_database, number, Start())

    await set_presence(tickets_database, "ann", Presence.OFFLINE)
    await timers_fire(tickets_database, runtime)

    found = await ticket(tickets_database, number)
    event = await assigned(tickets_database, number)
    assert (found.status, found.assignee, found.is_queued) == (Status.TRIAGED, None, True)
    assert (event.reason, event.previous_agent, event.dimensions.agent) == ("queued", "ann", None)


async def test_whoever_is_back_in_time_keeps_them(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_team(tickets_database, when_offline="queue")
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database)

    await set_presence(tickets_database, "ann", Presence.OFFLINE)
    await set_presence(tickets_database, "ann", Presence.PRESENT)
    await timers_fire(tickets_database, runtime)

    assert await types_told(tickets_database, number) == ["ticket.opened.v1"]


@pytest.mark.usefixtures("team")
async def test_what_somebody_has_who_leaves_goes_to_his_colleagues(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_agent(tickets_database, "ann")
    begun, asked, solved = [await waiting(tickets_database) for _ in range(3)]
    await act(tickets_database, begun, Start())
    for command in (Start(), Wait(Cause.CUSTOMER)):
        await act(tickets_database, asked, command)
    await act(tickets_database, solved, Resolve("repaired"))
    await add_agent(tickets_database, "bob")

    await change_agent(tickets_database, "ann", active=False)
    await timers_fire(tickets_database, runtime)

    found = [await ticket(tickets_database, number) for number in (begun, asked, solved)]
    assert [(each.assignee, each.status) for each in found] == [
        ("bob", Status.ASSIGNED),
        ("bob", Status.ASSIGNED),
        ("ann", Status.RESOLVED),
    ]
    assert not found[1].resolution.is_paused, "somebody has to look at it again"


@pytest.mark.usefixtures("team")
async def test_what_waits_for_a_team_that_is_dissolved_goes_to_who_takes_it_now(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_team(tickets_database, "repairs", types=("repair",))
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database, type="repair")
    assert (await ticket(tickets_database, number)).team == "repairs"

    await change_team(tickets_database, "repairs", active=False)
    await timers_fire(tickets_database, runtime)

    found = await ticket(tickets_database, number)
    assert (found.team, found.assignee) == (DESK, "ann")


async def test_what_nobody_takes_any_more_waits_until_there_is_a_team_for_it(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_team(tickets_database, "repairs", types=("repair",))
    number = await waiting(tickets_database, type="repair")
    await change_team(tickets_database, "repairs", active=False)
    await timers_fire(tickets_database, runtime)
    assert (await ticket(tickets_database, number)).team == "repairs"

    await add_team(tickets_database)
    await add_agent(tickets_database, "ann")
    await timers_fire(tickets_database, runtime)

    assert await owner(tickets_database, number) == "ann"


# ------------------------------------------------------------------ back to the queue


@pytest.mark.usefixtures("team")
async def test_what_an_agent_puts_back_goes_to_somebody_else_and_not_to_him(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database)

    await act(tickets_database, number, Queue(reason="not_mine"))
    await timers_fire(tickets_database, runtime)
    assert await owner(tickets_database, number) is None

    await add_agent(tickets_database, "bob")
    await timers_fire(tickets_database, runtime)
    assert await owner(tickets_database, number) == "bob"
    async with tickets_database.transaction() as tx:
        kept = await assignments.of_ticket(tx, number)
    assert [(each.code, each.agent, each.reason) for each in kept] == [
        ("round_robin", "ann", None),
        ("queued", None, "not_mine"),
        ("round_robin", "bob", None),
    ]
    assert kept[-1].decision is not None
    assert kept[-1].decision.candidates == {"ann": "gave_it_away", "bob": "chosen"}


@pytest.mark.usefixtures("team")
async def test_nobody_puts_back_what_a_colleague_has_but_a_lead(tickets_database: Database) -> None:
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database)

    with pytest.raises(TransitionRefused) as refused:
        await act(tickets_database, number, Queue(), by=BOB)

    assert refused.value.reason == "not_yours"
    assert (await act(tickets_database, number, Queue(), by=LEAD)).is_queued


async def test_a_ticket_put_back_waits_as_new_until_somebody_says_what_it_is(tickets_database: Database) -> None:
    number = await waiting(tickets_database, type=None)
    await act(tickets_database, number, Take())

    assert (await act(tickets_database, number, Queue())).status is Status.NEW


@pytest.mark.usefixtures("team")
async def test_what_turns_out_to_be_another_teams_moves_to_its_queue(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_team(tickets_database, "repairs", types=("repair",))
    await add_agent(tickets_database, "ann", "repairs")
    number = await waiting(tickets_database, type=None)
    assert (await ticket(tickets_database, number)).team == DESK

    await act(tickets_database, number, Triage(Priority.NORMAL, "repair"), by=BOB)
    await timers_fire(tickets_database, runtime)

    assert (await ticket(tickets_database, number)).team == "repairs"
    assert await owner(tickets_database, number) == "ann"


async def test_what_came_before_there_was_a_team_finds_one_when_it_is_triaged(tickets_database: Database, runtime: AnyRuntime) -> None:
    number = await waiting(tickets_database, type=None)
    await add_team(tickets_database)
    await add_agent(tickets_database, "ann")

    await act(tickets_database, number, Triage(Priority.NORMAL, "repair"), by=BOB)
    await timers_fire(tickets_database, runtime)

    found = await ticket(tickets_database, number)
    assert (found.team, found.assignee) == (DESK, "ann")


@pytest.mark.usefixtures("team")
async def test_what_turns_out_to_need_no_skill_goes_out(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_skill(tickets_database, "solder", types=("repair",))
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database, type="repair")

    await act(tickets_database, number, Triage(Priority.NORMAL, "enquiry"), by=BOB)
    await timers_fire(tickets_database, runtime)

    assert await owner(tickets_database, number) == "ann"


# ------------------------------------------------------------------ changing hands


@pytest.mark.usefixtures("team")
async def test_two_claims_on_one_waiting_ticket_have_one_owner(tickets_database: Database) -> None:
    number = await waiting(tickets_database)

    async def claim(by: Actor) -> Ticket:
        async with tickets_database.transaction() as tx:
            return await desk.act(tx, number, Take(), by=by, version=1, at=clock.now())

    outcomes = await asyncio.gather(claim(ANN), claim(BOB), return_exceptions=True)

    (winner,) = [each for each in outcomes if isinstance(each, Ticket)]
    assert [type(each) for each in outcomes if not isinstance(each, Ticket)] == [Stale]
    assert await owner(tickets_database, number) == winner.assignee


@pytest.mark.usefixtures("team")
async def test_a_claim_and_the_timer_at_once_have_one_owner(tickets_database: Database, runtime: AnyRuntime) -> None:
    number = await waiting(tickets_database)
    await add_agent(tickets_database, "ann")

    async def claim() -> Ticket:
        async with tickets_database.transaction() as tx:
            return await desk.act(tx, number, Take(), by=BOB, version=1, at=clock.now())

    await asyncio.gather(claim(), timers_fire(tickets_database, runtime), return_exceptions=True)
    await timers_fire(tickets_database, runtime)

    found = await ticket(tickets_database, number)
    assert (found.version, found.assignee in ("ann", "bob")) == (2, True)


@pytest.mark.usefixtures("team")
async def test_nobody_takes_over_from_a_colleague_who_is_there_to_be_asked(tickets_database: Database) -> None:
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database)

    with pytest.raises(TransitionRefused) as refused:
        await act(tickets_database, number, TakeOver("expertise"), by=BOB)

    assert refused.value.reason == "holder_is_present"
    assert (await act(tickets_database, number, TakeOver("escalation"), by=LEAD)).assignee == LEAD.id


@pytest.mark.usefixtures("team")
async def test_what_an_absent_colleague_has_is_taken_over_as_it_stands(tickets_database: Database) -> None:
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database)
    for command in (Start(), Wait(Cause.CUSTOMER)):
        await act(tickets_database, number, command)
    await set_presence(tickets_database, "ann", Presence.AWAY)

    after = await act(tickets_database, number, TakeOver("holder_absent"), by=BOB)

    event = await assigned(tickets_database, number)
    assert (after.assignee, after.status, after.resolution.is_paused) == ("bob", Status.WAITING_CUSTOMER, True)
    assert (event.reason, event.previous_agent, event.actor) == ("taken_over", "ann", "bob")
    async with tickets_database.transaction() as tx:
        kept = (await assignments.of_ticket(tx, number))[-1]
    assert (kept.code, kept.reason) == ("taken_over", "holder_absent")


@pytest.mark.usefixtures("team")
async def test_nobody_takes_over_what_he_has(tickets_database: Database) -> None:
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database)

    with pytest.raises(TransitionRefused) as refused:
        await act(tickets_database, number, TakeOver("expertise"))

    assert refused.value.reason == "already_yours"


@pytest.mark.usefixtures("team")
async def test_an_agent_hands_his_ticket_to_a_colleague_with_a_note(tickets_database: Database) -> None:
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database)
    await add_agent(tickets_database, "bob", presence=Presence.AWAY)
    await act(tickets_database, number, Start())

    asked = Delegation(agent="bob", reason="expertise", note=Letter("He asked twice; call him.", public=False))
    after = await act(tickets_database, number, asked)

    async with tickets_database.transaction() as tx:
        note = (await views.messages(tx, number, after=None, limit=10))[-1]
        history = await views.changes(tx, number)
    event = await assigned(tickets_database, number)
    assert (after.assignee, after.status, after.team) == ("bob", Status.ASSIGNED, DESK)
    assert (note.text, note.public, note.author) == ("He asked twice; call him.", False, "ann")
    assert (event.reason, event.previous_agent) == ("handed_over", "ann")
    assert replay(history) == await ticket(tickets_database, number)


@pytest.mark.usefixtures("team")
async def test_handed_to_a_team_it_goes_to_whose_turn_it_is_there(tickets_database: Database) -> None:
    await add_team(tickets_database, "product", types=("suggestion",))
    await add_agent(tickets_database, "ann", DESK, "product")
    await add_agent(tickets_database, "pia", "product")
    number = await waiting(tickets_database)

    after = await act(tickets_database, number, Delegation(team="product"))

    event = await assigned(tickets_database, number)
    assert (after.team, after.assignee, after.status) == ("product", "pia", Status.ASSIGNED)
    assert (event.previous_team, event.reason) == (DESK, "handed_over")
    async with tickets_database.transaction() as tx:
        kept = (await assignments.of_ticket(tx, number))[-1]
    assert kept.decision is not None
    assert kept.decision.candidates == {"ann": "gave_it_away", "pia": "chosen"}


@pytest.mark.usefixtures("team")
async def test_handed_to_a_team_with_nobody_there_it_waits_in_its_queue(tickets_database: Database, runtime: AnyRuntime) -> None:
    await add_team(tickets_database, "product", types=("suggestion",))
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database)

    after = await act(tickets_database, number, Delegation(team="product"))
    assert (after.team, after.assignee, after.is_queued) == ("product", None, True)

    await add_agent(tickets_database, "pia", "product")
    await timers_fire(tickets_database, runtime)
    assert await owner(tickets_database, number) == "pia"


@pytest.mark.usefixtures("team")
async def test_a_lead_assigns_what_nobody_has_and_an_agent_does_not(tickets_database: Database) -> None:
    number = await waiting(tickets_database)
    await add_agent(tickets_database, "ann", presence=Presence.AWAY)

    with pytest.raises(TransitionRefused) as refused:
        await act(tickets_database, number, Delegation(agent="ann"), by=BOB)
    assert refused.value.reason == "not_yours"

    after = await act(tickets_database, number, Delegation(agent="ann"), by=LEAD)
    assert (after.assignee, after.status) == ("ann", Status.ASSIGNED)


@pytest.mark.usefixtures("team")
async def test_nobody_hands_a_ticket_to_who_is_not_there_or_has_left(tickets_database: Database) -> None:
    await add_agent(tickets_database, "ann")
    number = await waiting(tickets_database)
    await add_agent(tickets_database, "bob", presence=Presence.OFFLINE)
    await change_agent(tickets_database, "bob", active=False)

    with pytest.raises(TransitionRefused) as refused:
        await act(tickets_database, number, Delegation(agent="bob"))
    assert refused.value.reason == "agent_inactive"
    for asked, where in (
        (Delegation(agent="zoe"), "#/params/agent"),
        (Delegation(team="mars"), "#/params/team"),
        (Delegation(agent="ann", team="mars"), "#/params/team"),
    ):
        with pytest.raises(Invalid) as invalid:
            await act(tickets_database, number, asked)
        assert [error.pointer for error in invalid.value.errors] == [where]
    with pytest.raises(TransitionRefused) as refused:
        await act(tickets_database, number, Delegation(agent="ann"))
    assert refused.value.reason == "already_theirs"
    assert (await ticket(tickets_database, number)).version == 1


@pytest.mark.usefixtures("team")
async def test_who_takes_a_ticket_without_a_team_takes_it_for_his_home(tickets_database: Database) -> None:
    await change_team(tickets_database, DESK, active=False)
    number = await waiting(tickets_database)
    await add_team(tickets_database, "repairs", types=("refund",))
    await add_agent(tickets_database, "ann", "repairs")

    assert (await act(tickets_database, number, Take())).team == "repairs"


@pytest.mark.usefixtures("team")
async def test_who_has_left_takes_nothing(tickets_database: Database) -> None:
    number = await waiting(tickets_database)
    await add_agent(tickets_database, "ann", presence=Presence.OFFLINE)
    await change_agent(tickets_database, "ann", active=False)

    with pytest.raises(TransitionRefused) as refused:
        await act(tickets_database, number, Take())

    assert refused.value.reason == "agent_inactive"


# ------------------------------------------------------------------ reopening


@pytest.mark.usefixtures("team")
async def test_a_reopened_ticket_stays_with_who_solved_it_even_while_he_is_away(tickets_database: Database) -> None:
    await add_agent(tickets_database, "ann")
    request = just_now()
    await take_in(tickets_database, request)
    await act(tickets_database, request.reference, Resolve("repaired"))
    await set_presence(tickets_database, "ann", Presence.OFFLINE)

    again = just_now(customer_id=request.customer_id, in_reply_to=request.reference, text="It hums again.")
    await take_in(tickets_database, again)

    found = await ticket(tickets_database, request.reference)
    assert (found.status, found.assignee) == (Status.ASSIGNED, "ann")


@pytest.mark.usefixtures("team")
@pytest.mark.parametrize("change", [{"active": False}, {"teams": ()}])
async def test_a_reopened_ticket_whose_agent_has_gone_waits_in_the_queue(
    tickets_database: Database, runtime: AnyRuntime, change: dict[str, Any]
) -> None:
    await add_agent(tickets_database, "ann")
    request = just_now()
    await take_in(tickets_database, request)
    await act(tickets_database, request.reference, Resolve("repaired"))
    await change_agent(tickets_database, "ann", **change)

    again = just_now(customer_id=request.customer_id, in_reply_to=request.reference, text="It hums again.")
    await take_in(tickets_database, again)

    found = await ticket(tickets_database, request.reference)
    assert (found.is_queued, found.team, found.status) == (True, DESK, Status.TRIAGED)
    assert (await types_told(tickets_database, request.reference))[-2:] == ["ticket.reopened.v1", "ticket.assigned.v1"]
    await add_agent(tickets_database, "bob")
    await timers_fire(tickets_database, runtime)
    assert await owner(tickets_database, request.reference) == "bob"
