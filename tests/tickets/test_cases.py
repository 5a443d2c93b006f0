"""Merging and its undoing, links, notes, steps: by REST, on real PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from services.tickets.store import views
from services.tickets.workflow.evolution import replay
from services.tickets.workflow.status import Status
from services.tickets.workflow.steps import REWORK, STEPS, next_steps
from services.tickets.workflow.ticket import deadlines
from shared import clock
from shared.auth import Role
from shared.events.codes import RequestType
from shared.events.intake import CustomerMerged
from shared.events.notification import TicketNotificationRequested
from shared.events.tickets import TicketLinked, TicketMerged, TicketMessageAdded, TicketStepChanged, TicketUnmerged
from tests.tickets.builders import request_received
from tests.tickets.calls import RESOLVE, act, must, opened, pointers
from tests.tickets.conftest import Door
from tests.tickets.observation import due, numbers, take_in, ticket, told, types_told
from tests.tickets.test_reception import answer

pytestmark = [pytest.mark.postgres, pytest.mark.api]


@pytest.fixture
def me() -> UUID:
    """A customer."""
    return uuid4()


async def several(door: Door, customer_id: UUID, count: int) -> list[str]:
    """Tickets of one customer, each about something else."""
    kinds = ["repair", "complaint", "refund", "enquiry"]
    return [await opened(door, customer_id=customer_id, type=kinds[place]) for place in range(count)]


async def reply(door: Door, customer_id: UUID, number: str) -> None:
    """The customer answers a mail about the ticket."""
    await take_in(
        door.database, request_received(customer_id=customer_id, in_reply_to=number, occurred_at=clock.now(), text="One more thing.")
    )


# ------------------------------------------------------------------ merging


async def test_a_merged_ticket_counts_nowhere_and_the_other_one_goes_on(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    child, root = await several(door, me, 2)
    await must(agent, child, ("take", {}), ("start", {}))

    body = await must(agent, child, ("merge", {"into": root}))

    assert (body["status"], body["merged_into"]) == ("merged", root)
    assert {target["state"] for target in body["sla"].values() if target} == {"stopped"}
    assert await due(door.database, child) == {}
    merged = (await told(door.database, child))[-1]
    linked = (await told(door.database, root))[-1]
    assert isinstance(merged, TicketMerged)
    assert (merged.into_number, merged.previous_status, merged.dimensions.status) == (root, "in_progress", "merged")
    assert isinstance(linked, TicketLinked)
    assert (linked.other_number, linked.kind, linked.removed) == (child, "merged", False)
    assert not {"ticket.resolved.v1", "ticket.closed.v1"} & set(await types_told(door.database, child))
    assert not [name for name in await types_told(door.database, child) if name.startswith("sla.")]


async def test_a_reply_to_the_first_of_a_chain_lands_in_the_last(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    a, b, c = await several(door, me, 3)
    await must(agent, a, ("merge", {"into": b}))
    await must(agent, b, ("merge", {"into": c}))

    await reply(door, me, a)

    event = (await told(door.database, c))[-1]
    assert isinstance(event, TicketMessageAdded)
    assert event.matched_by == "merged"
    assert len(await numbers(door.database)) == 3


async def test_a_merge_into_one_that_was_merged_goes_to_the_root(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    a, b, c = await several(door, me, 3)
    await must(agent, b, ("merge", {"into": c}))

    assert (await must(agent, a, ("merge", {"into": b})))["merged_into"] == c


async def test_a_cycle_is_refused(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    a, b, c = await several(door, me, 3)
    await must(agent, a, ("merge", {"into": b}))
    await must(agent, b, ("merge", {"into": c}))

    refused = [await act(agent, c, "merge", into=other) for other in (a, b, c)]

    assert [(answer.status_code, answer.json()["reason"]) for answer in refused] == [
        (409, "merge_cycle"),
        (409, "merge_cycle"),
        (409, "merge_into_itself"),
    ]
    assert (await ticket(door.database, c)).status is Status.NEW


async def test_two_merges_at_once_into_each_other_make_one_merge(door: Door, agent: httpx.AsyncClient) -> None:
    for _ in range(5):
        a, b = await several(door, uuid4(), 2)

        answers = await asyncio.gather(act(agent, a, "merge", into=b), act(agent, b, "merge", into=a))

        won, lost = sorted(answer.status_code for answer in answers)
        assert (won, lost in {409, 412}) == (200, True)


async def test_the_messages_of_another_customer_are_not_shown_to_this_one(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    mine, other = await opened(door, customer_id=me), await opened(door)

    answer = await act(agent, mine, "merge", into=other)

    assert (answer.status_code, answer.json()["reason"]) == (409, "other_customer")


async def test_two_files_of_one_person_may_be_merged(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    second = uuid4()
    mine, other = await opened(door, customer_id=me), await opened(door, customer_id=second)
    await take_in(door.database, CustomerMerged(occurred_at=clock.now(), customer_id=second, into_customer_id=me, actor="agent-1"))

    assert (await act(agent, mine, "merge", into=other)).status_code == 200


async def test_what_is_solved_takes_no_other_matter(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    child, root = await several(door, me, 2)
    await must(agent, root, *RESOLVE)

    assert (await act(agent, child, "merge", into=root)).json()["reason"] == "target_not_open"
    assert (await act(agent, root, "merge", into=child)).json()["reason"] == "not_in_this_status"


async def test_both_versions_may_be_named(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    child, root = await several(door, me, 2)
    await must(agent, root, ("take", {}))

    stale = await act(agent, child, "merge", into=root, into_version=1)
    seen = await act(agent, child, "merge", into=root, into_version=2)

    assert (stale.status_code, seen.status_code) == (412, 200)


async def test_an_unknown_other_ticket_is_named(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    number = await opened(door, customer_id=me)

    for action, field in (("merge", "into"), ("link", "other"), ("unlink", "other")):
        params: dict[str, Any] = {field: "AS-20260101-NOBODY1"}
        answer = await act(agent, number, action, **params)
        assert (answer.status_code, pointers(answer)) == (422, [f"#/params/{field}"])


async def test_undoing_gives_back_status_clocks_and_timers(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    child, root = await several(door, me, 2)
    await must(agent, child, ("take", {}), ("start", {}), ("wait", {"on": "customer"}))
    before = await ticket(door.database, child)
    await must(agent, child, ("merge", {"into": root}))

    await must(agent, child, ("unmerge", {}))

    after = await ticket(door.database, child)
    assert (after.status, after.assignee, after.merged_into, after.closed_at) == (before.status, before.assignee, None, None)
    assert (after.first_response, after.resolution, after.next_response) == (before.first_response, before.resolution, before.next_response)
    assert await due(door.database, child) == deadlines(after)
    parted = (await told(door.database, child))[-1]
    released = (await told(door.database, root))[-1]
    assert isinstance(parted, TicketUnmerged)
    assert (parted.from_number, parted.dimensions.status) == (root, "waiting_customer")
    assert isinstance(released, TicketLinked)
    assert (released.other_number, released.removed) == (child, True)
    async with door.database.transaction() as tx:
        assert replay(await views.changes(tx, child)) == after


async def test_what_was_never_merged_is_not_parted(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    number = await opened(door, customer_id=me)

    assert (await act(agent, number, "unmerge")).json()["reason"] == "not_in_this_status"


async def test_messages_of_both_stand_in_order_of_time_and_part_again(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    now = clock.now()
    child = await opened(door, customer_id=me, type="repair", text="second", occurred_at=now - timedelta(minutes=2))
    root = await opened(door, customer_id=me, type="refund", text="first", occurred_at=now - timedelta(minutes=3))
    await must(agent, child, ("merge", {"into": root}))
    await reply(door, me, child)

    async def texts(number: str, query: str = "") -> list[str]:
        return [item["text"] for item in (await agent.get(f"/v1/tickets/{number}/messages{query}")).json()["items"]]

    page = (await agent.get(f"/v1/tickets/{root}/messages?limit=2")).json()
    assert [(item["text"], item["number"]) for item in page["items"]] == [("first", root), ("second", child)]
    assert await texts(root, f"?limit=2&cursor={page['next_cursor']}") == ["One more thing."]
    await must(agent, child, ("unmerge", {}))
    assert (await texts(root), await texts(child)) == (["first", "One more thing."], ["second"])


async def test_the_customer_hears_that_his_request_goes_on_elsewhere(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    child, root = await several(door, me, 2)

    await must(agent, child, ("merge", {"into": root}))

    (event,) = [event for event in await told(door.database, str(me)) if isinstance(event, TicketNotificationRequested)]
    assert (event.kind, event.ticket_number, event.data) == ("ticket_status", child, {"status": "merged", "into": root})


async def test_a_reply_while_its_ticket_is_being_merged_is_read_with_the_root(door: Door, agent: httpx.AsyncClient) -> None:
    for _ in range(5):
        me = uuid4()
        child, root = await several(door, me, 2)

        merged, _ = await asyncio.gather(act(agent, child, "merge", into=root, version=1), reply(door, me, child))
        if merged.status_code == 412:
            await must(agent, child, ("merge", {"into": root}))

        items = (await agent.get(f"/v1/tickets/{root}/messages")).json()["items"]
        assert [item["text"] for item in items].count("One more thing.") == 1
    assert len(await numbers(door.database)) == 10


async def test_an_old_answer_about_a_merged_ticket_opens_nothing(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    child, root = await several(door, me, 2)
    await must(agent, child, *RESOLVE, ("reopen", {}), ("merge", {"into": root}))

    await take_in(door.database, answer(child, overall=1, occurred_at=clock.now()))

    assert await numbers(door.database) == sorted([child, root])
    assert (await ticket(door.database, child)).status is Status.MERGED


# ------------------------------------------------------------------ links


async def links(caller: httpx.AsyncClient, number: str) -> list[tuple[str, str]]:
    answer = await caller.get(f"/v1/tickets/{number}/links")
    return [(item["number"], item["kind"]) for item in answer.json()["items"]]


async def test_a_link_is_shown_from_both_sides_and_removed_from_either(door: Door, agent: httpx.AsyncClient) -> None:
    a, b, c = [await opened(door) for _ in range(3)]
    await must(agent, a, ("link", {"other": b}), ("link", {"other": c, "kind": "caused_by"}))

    assert await links(agent, a) == [(b, "related"), (c, "caused_by")]
    assert (await links(agent, b), await links(agent, c)) == ([(a, "related")], [(a, "causes")])
    await must(agent, b, ("unlink", {"other": a}))
    assert await links(agent, a) == [(c, "caused_by")]
    events = [event for event in await told(door.database, a) if isinstance(event, TicketLinked)]
    assert [(event.other_number, event.kind, event.removed) for event in events] == [(b, "related", False), (c, "caused_by", False)]


@pytest.mark.parametrize(("there", "again", "reason"), [(True, "link", "already_linked"), (False, "unlink", "not_linked")])
async def test_a_link_is_there_once(door: Door, agent: httpx.AsyncClient, there: bool, again: str, reason: str) -> None:
    a, b = await opened(door), await opened(door)
    if there:
        await must(agent, b, ("link", {"other": a}))

    answer = await act(agent, a, again, other=b)

    assert (answer.status_code, answer.json()["reason"]) == (409, reason)


async def test_nothing_is_linked_to_itself(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)

    assert (await act(agent, number, "link", other=number)).json()["reason"] == "link_to_itself"


async def test_two_agents_at_once_make_one_link(door: Door, agent: httpx.AsyncClient) -> None:
    a, b = await opened(door), await opened(door)

    answers = await asyncio.gather(act(agent, a, "link", other=b, version=1), act(agent, b, "link", other=a, version=1))

    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_links_hold_merges_and_series_and_suggest_what_is_open(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    child, root, open_one = await several(door, me, 3)
    await must(agent, child, ("merge", {"into": root}))
    await opened(door)

    body = (await agent.get(f"/v1/tickets/{root}/links?suggestions=true")).json()

    assert [(item["number"], item["kind"]) for item in body["items"]] == [(child, "merged")]
    assert [item["number"] for item in body["suggestions"]] == [open_one]
    assert await links(agent, child) == [(root, "merged_into")]


# ------------------------------------------------------------------ notes


async def test_a_note_reaches_no_customer_in_any_status(door: Door, agent: httpx.AsyncClient, me: UUID) -> None:
    number = await opened(door, customer_id=me)
    await must(agent, number, ("note", {"text": "Sounds like the drum."}), ("take", {}), ("cancel", {"reason": "withdrawn"}))
    await must(agent, number, ("note", {"text": "He called again."}))

    items = (await agent.get(f"/v1/tickets/{number}/messages")).json()["items"]

    assert [(item["text"], item["author_kind"], item["public"]) for item in items[1:]] == [
        ("Sounds like the drum.", "staff", False),
        ("He called again.", "staff", False),
    ]
    assert await told(door.database, str(me)) == []
    assert (await ticket(door.database, number)).first_response.met_at is None


@pytest.mark.parametrize("params", [{}, {"text": ""}, {"text": "x", "public": True}, {"text": "x" * 20_001}])
async def test_each_wrong_note_is_refused(door: Door, agent: httpx.AsyncClient, params: dict[str, Any]) -> None:
    assert (await act(agent, await opened(door), "note", **params)).status_code == 422


async def test_whoever_wrote_it_down_is_shown(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door, entered_by="agent")

    (item,) = (await agent.get(f"/v1/tickets/{number}/messages")).json()["items"]

    assert (item["author_kind"], item["entered_by"], item["received_at"] is not None) == ("customer", "agent", True)


# ------------------------------------------------------------------ steps


async def test_steps_go_forward_and_back_only_where_work_is_done_again(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door, type="repair")
    await must(agent, number, ("take", {}), ("step", {"step": "received"}), ("step", {"step": "tested"}))

    back = await act(agent, number, "step", step="received")
    again = await must(agent, number, ("step", {"step": "repairing"}))

    assert (back.status_code, back.json()["reason"], again["step"]) == (409, "no_such_step", "repairing")
    changes = [event for event in await told(door.database, number) if isinstance(event, TicketStepChanged)]
    assert [(event.previous_step, event.dimensions.step) for event in changes] == [
        (None, "received"),
        ("received", "tested"),
        ("tested", "repairing"),
    ]


async def test_the_steps_that_are_left_are_offered(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door, type="refund")
    await must(agent, number, ("take", {}), ("step", {"step": "checked"}))

    items = (await agent.get(f"/v1/tickets/{number}/actions")).json()["items"]

    (schema,) = [item["params_schema"] for item in items if item["action"] == "step"]
    assert schema["properties"]["step"]["enum"] == ["approved", "refunded"]


async def test_another_kind_of_service_begins_with_its_own_steps(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door, type="repair")
    await must(agent, number, ("take", {}), ("step", {"step": "diagnosed"}))

    body = await must(agent, number, ("triage", {"priority": "normal", "type": "refund"}))

    assert body["step"] is None


def test_every_type_has_steps_and_every_way_back_is_one() -> None:
    assert set(STEPS) == set(RequestType)
    for kind, start, end in REWORK:
        assert STEPS[kind].index(end) < STEPS[kind].index(start)
        assert end in next_steps(kind, start)


# ------------------------------------------------------------------ who may


async def test_those_who_only_read_do_none_of_it(door: Door, me: UUID) -> None:
    engineer = await door.caller(Role.ENGINEER)
    a, b = await several(door, me, 2)

    asked: list[tuple[str, dict[str, Any]]] = [
        ("merge", {"into": b}),
        ("link", {"other": b}),
        ("note", {"text": "x"}),
        ("step", {"step": "x"}),
    ]
    for action, params in asked:
        assert (await act(engineer, a, action, **params)).status_code == 403
