"""Calendars and policies by REST, what a change does to tickets, and the reckoning that people are shown. On real PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.tickets.handlers import deadlines
from services.tickets.store import loading, views
from services.tickets.store.levels import service_levels
from services.tickets.workflow.clocks import case
from services.tickets.workflow.evolution import replay
from shared import clock
from shared.auth import Role
from shared.database import Database, Transaction
from shared.events.intake import CustomerGraded, CustomerMerged, CustomerRegistered
from shared.events.tickets import SlaRetargeted, TicketOpened
from shared.timers import TimerLoop, TimerSpec
from tests.tickets.builders import DAY, HOUR, customer_registered, request_received
from tests.tickets.calls import act, must, opened, pointers
from tests.tickets.conftest import Door
from tests.tickets.observation import take_in, ticket, told

pytestmark = [pytest.mark.postgres, pytest.mark.api]

NINE_TO_FIVE: dict[str, Any] = {day: [{"from": "09:00", "to": "17:00"}] for day in ("monday", "tuesday", "wednesday", "thursday", "friday")}
OFFICE: dict[str, Any] = {"zone": "UTC", "week": NINE_TO_FIVE}
POLICY: dict[str, Any] = {"calendar": "always", "first_response_seconds": 3600, "resolution_seconds": 7200}


WAITED_FOR: list[tuple[str, dict[str, Any]]] = [("take", {}), ("start", {}), ("wait", {"on": "customer"}), ("resume", {})]


@pytest.fixture
async def manager(door: Door) -> httpx.AsyncClient:
    """Who may change service levels."""
    return await door.caller(Role.MANAGER)


async def put(caller: httpx.AsyncClient, path: str, body: dict[str, Any], version: int = 0) -> httpx.Response:
    return await caller.put(path, json=body, headers={"If-Match": f'"{version}"'})


async def fire(database: Database) -> None:
    """Timers, until nothing is due."""
    while await TimerLoop(database, TimerSpec(lock=loading.lock_idle, fire=deadlines.fire)).round():
        pass


# ------------------------------------------------------------------ calendars


async def test_a_calendar_is_written_read_and_listed(manager: httpx.AsyncClient, agent: httpx.AsyncClient) -> None:
    body = {
        "zone": "Asia/Shanghai",
        "week": {
            "monday": [{"from": "09:00", "to": "12:00"}, {"from": "13:00", "to": "18:00"}],
            "saturday": [{"from": "22:00", "to": "06:00"}],
        },
        "holidays": {"country": "CN"},
        "days": [
            {"date": "2026-12-24", "windows": [{"from": "09:00", "to": "12:00"}], "name": "half a day"},
            {"date": "2026-12-25"},
        ],
    }

    written = await put(manager, "/v1/calendars/office-shanghai", body)

    assert written.status_code == 200, written.text
    found = await agent.get("/v1/calendars/office-shanghai")
    assert found.headers["ETag"] == written.headers["ETag"] == '"2"'
    answer = found.json()
    assert answer == {name: value for name, value in written.json().items() if name != "retargeting"}
    assert answer["week"]["monday"] == body["week"]["monday"] == answer["makeup"]
    assert answer["week"]["saturday"] == [{"from": "22:00", "to": "06:00"}]
    days = {day["date"]: day for day in answer["days"]}
    assert (days["2026-12-24"]["source"], days["2026-12-25"]["windows"]) == ("override", [])
    assert (days["2026-10-01"]["source"], days["2026-10-10"]["source"]) == ("holiday", "makeup")
    listed = (await agent.get("/v1/calendars")).json()["items"]
    assert [(each["id"], each["version"]) for each in listed] == [("always", 1), ("office-shanghai", 2)]


async def test_around_the_clock_is_from_midnight_to_midnight(manager: httpx.AsyncClient, agent: httpx.AsyncClient) -> None:
    always = (await agent.get("/v1/calendars/always")).json()

    assert always["week"]["sunday"] == [{"from": "00:00", "to": "24:00"}]
    again = await put(manager, "/v1/calendars/same", {"zone": "UTC", "week": always["week"]})
    assert again.json()["week"] == always["week"]


async def test_versions_are_kept_and_can_be_asked_for(manager: httpx.AsyncClient, agent: httpx.AsyncClient) -> None:
    await put(manager, "/v1/calendars/office", OFFICE)
    await put(manager, "/v1/calendars/office", OFFICE | {"zone": "Europe/Berlin"}, version=2)

    assert (await agent.get("/v1/calendars/office?version=2")).json()["zone"] == "UTC"
    assert (await agent.get("/v1/calendars/office?version=1")).status_code == 404
    assert (await agent.get("/v1/calendars/office?version=2147483646")).status_code == 404
    assert (await agent.get("/v1/calendars/office?version=2147483647")).status_code == 422
    page = (await agent.get("/v1/calendars/office/versions?limit=1")).json()
    rest = (await agent.get(f"/v1/calendars/office/versions?limit=1&cursor={page['next_cursor']}")).json()
    assert [item["version"] for item in page["items"] + rest["items"]] == [3, 2]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"zone": "Mars/Olympus"}, "/zone"),
        ({"zone": "UTC+8"}, "/zone"),
        ({"week": {}}, "/week"),
        ({"week": {"monday": [{"from": "09:00", "to": "09:10"}]}}, "/week"),
        ({"week": {"monday": [{"from": "09:00", "to": "12:00"}, {"from": "11:00", "to": "13:00"}]}}, "/week"),
        ({"week": {"monday": [{"from": "09:00", "to": "09:00"}]}}, "/week/monday/0"),
        ({"week": {"monday": [{"from": "24:00", "to": "09:00"}]}}, "/week/monday/0"),
        ({"week": {"monday": [{"from": "9:00", "to": "17:00"}]}}, "/week/monday/0/from"),
        ({"week": {"monday": [{"from": "25:00", "to": "17:00"}]}}, "/week/monday/0/from"),
        ({"week": {"funday": []}}, "/week/funday"),
        ({"holidays": {"country": "ZZ"}}, "/holidays"),
        ({"holidays": {"country": "DE", "subdivision": "ZZZ"}}, "/holidays"),
        ({"days": [{"date": "2026-12-24"}, {"date": "2026-12-24"}]}, "/days"),
        ({"days": [{"date": "tomorrow"}]}, "/days/0/date"),
        ({"valid_from": "2026-12-24"}, "/valid_from"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_what_is_wrong_with_a_calendar_is_named(manager: httpx.AsyncClient, change: dict[str, Any], pointer: str) -> None:
    answer = await put(manager, "/v1/calendars/office", OFFICE | change)

    assert (answer.status_code, pointers(answer)) == (422, [f"#{pointer}"])
    assert (await manager.get("/v1/calendars/office")).status_code == 404


# ------------------------------------------------------------------ policies


async def test_a_policy_is_written_and_chosen_from_then_on(door: Door, manager: httpx.AsyncClient, tickets_database: Database) -> None:
    before = await opened(door, type="repair")
    written = await put(manager, "/v1/policies/repairs", POLICY | {"type": "repair", "next_response_seconds": 1800})
    after = await opened(door, type="repair", occurred_at=clock.now())

    assert (written.status_code, written.json()["retargeting"]) == (200, 0)
    promised = {number: (await ticket(tickets_database, number)).first_response.promise.policy.id for number in (before, after)}
    assert promised == {before: "standard-normal", after: "repairs"}
    shown = (await manager.get(f"/v1/tickets/{after}")).json()["sla"]["first_response"]
    assert (shown["policy"], shown["calendar"]) == ("repairs", "always")


async def test_events_name_policy_and_calendar_and_later_editions_count_higher(
    door: Door, manager: httpx.AsyncClient, tickets_database: Database
) -> None:
    await put(manager, "/v1/calendars/office", OFFICE)
    await put(manager, "/v1/policies/gold", POLICY | {"tier": "gold", "calendar": "office"})
    customer = customer_registered(tier="gold")
    request = request_received(customer_id=customer.customer_id, occurred_at=clock.now())

    await take_in(tickets_database, customer, request)

    (event,) = await told(tickets_database, request.reference)
    assert isinstance(event, TicketOpened)
    assert (event.resolution.policy, event.resolution.calendar, event.resolution.policy_version) == ("gold", "office", 3)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"calendar": "nobodys"}, "/calendar"),
        ({"type": "birthday"}, "/type"),
        ({"priority": "asap"}, "/priority"),
        ({"tier": "platinum"}, "/tier"),
        ({"first_response_seconds": 0}, "/first_response_seconds"),
        ({"resolution_seconds": 10**9}, "/resolution_seconds"),
        ({"next_response_seconds": "60"}, "/next_response_seconds"),
        ({"warn_percent": 100}, "/warn_percent"),
        ({"pauses_on": ["lunch"]}, "/pauses_on/0"),
        ({"escalations": [{"reason": "boredom", "level": 1}]}, "/escalations/0/reason"),
        ({"escalations": [{"reason": "sla_warned", "level": 0}]}, "/escalations/0/level"),
        ({"valid_from": "soon"}, "/valid_from"),
    ],
)
async def test_what_is_wrong_with_a_policy_is_named(manager: httpx.AsyncClient, change: dict[str, Any], pointer: str) -> None:
    answer = await put(manager, "/v1/policies/new", POLICY | {"type": "repair"} | change)

    assert (answer.status_code, pointers(answer)) == (422, [f"#{pointer}"])


async def test_ids_are_words_and_no_numbers_of_people(manager: httpx.AsyncClient) -> None:
    assert (await put(manager, "/v1/policies/13800000000", POLICY | {"type": "repair"})).status_code == 422


async def test_nobody_is_left_without_a_promise(manager: httpx.AsyncClient) -> None:
    ended = await put(manager, "/v1/policies/standard-low", POLICY | {"priority": "low", "active": False}, version=1)
    narrowed = await put(manager, "/v1/policies/standard-low", POLICY | {"priority": "low", "tier": "vip"}, version=1)

    assert [(answer.status_code, answer.json()["code"]) for answer in (ended, narrowed)] == [(409, "policy_gap")] * 2
    assert (await put(manager, "/v1/policies/any", POLICY)).status_code == 200
    assert (await put(manager, "/v1/policies/standard-low", POLICY | {"priority": "low", "active": False}, version=1)).status_code == 200


async def test_two_policies_are_never_for_the_same(manager: httpx.AsyncClient) -> None:
    answer = await put(manager, "/v1/policies/lowest", POLICY | {"priority": "low"})

    assert (answer.status_code, answer.json()["code"], answer.json()["policy"]) == (409, "policy_twin", "standard-low")


@pytest.mark.parametrize("path", ["/v1/policies/standard-low", "/v1/calendars/always"])
async def test_a_change_names_the_version_that_was_read(manager: httpx.AsyncClient, path: str) -> None:
    body = POLICY | {"priority": "low"} if "policies" in path else OFFICE

    without = await manager.put(path, json=body)
    stale = await put(manager, path, body, version=0)

    assert (without.status_code, stale.status_code, stale.json()["current_version"]) == (428, 412, 1)


async def test_of_two_who_change_it_at_once_one_is_told(manager: httpx.AsyncClient) -> None:
    bodies = [POLICY | {"priority": "low", "resolution_seconds": 7200 + number} for number in range(8)]

    answers = await asyncio.gather(*(put(manager, "/v1/policies/standard-low", body, version=1) for body in bodies))

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7


async def test_only_who_holds_the_scope_changes_service_levels(door: Door, agent: httpx.AsyncClient, lead: httpx.AsyncClient) -> None:
    for caller in (agent, lead):
        assert (await put(caller, "/v1/policies/standard-low", POLICY | {"priority": "low"}, version=1)).status_code == 403
        assert (await put(caller, "/v1/calendars/always", OFFICE, version=1)).status_code == 403
        assert (await caller.get("/v1/policies")).status_code == 200
    customer = await door.caller(Role.CUSTOMER, "c-1")
    assert (await customer.get("/v1/policies")).status_code == 403


# ------------------------------------------------------------------ changed in the past


async def test_a_policy_changed_in_the_past_reaches_the_clocks_that_started_since(
    door: Door, manager: httpx.AsyncClient, tickets_database: Database
) -> None:
    now = clock.now().replace(microsecond=0)
    old = await opened(door, occurred_at=now - 3 * HOUR)
    young = await opened(door, occurred_at=now - HOUR)
    body = POLICY | {"priority": "normal", "first_response_seconds": 600, "warn_percent": None, "valid_from": (now - 2 * HOUR).isoformat()}

    written = await put(manager, "/v1/policies/standard-normal", body, version=1)
    await fire(tickets_database)

    assert written.json()["retargeting"] == 1
    untouched, changed = await ticket(tickets_database, old), await ticket(tickets_database, young)
    assert untouched.first_response.promise.policy.version == 1
    assert changed.first_response.started_at == now - HOUR
    assert changed.first_response.breached_at == now - HOUR + timedelta(minutes=10)
    retargeted = [event for event in await told(tickets_database, young) if isinstance(event, SlaRetargeted)]
    assert [(event.target, event.clock.policy_version, event.clock.due_at) for event in retargeted] == [
        ("first_response", 2, now - HOUR + timedelta(minutes=10)),
        ("resolution", 2, now - HOUR + 2 * HOUR),
    ]


async def test_it_keeps_the_pauses_served_and_corrects_what_was_met(
    door: Door, manager: httpx.AsyncClient, agent: httpx.AsyncClient, tickets_database: Database
) -> None:
    now = clock.now().replace(microsecond=0)
    number = await opened(door, occurred_at=now - 3 * HOUR)
    await must(
        agent, number, ("reply", {"text": "We look into it."}), ("take", {}), ("start", {}), ("wait", {"on": "customer"}), ("resume", {})
    )
    before = await ticket(tickets_database, number)

    body = POLICY | {"priority": "normal", "valid_from": (now - DAY).isoformat()}
    await put(manager, "/v1/policies/standard-normal", body, version=1)
    await fire(tickets_database)

    after = await ticket(tickets_database, number)
    assert after.resolution.pauses == before.resolution.pauses
    assert (after.first_response.met_at, after.first_response.budget) == (before.first_response.met_at, HOUR)
    (event,) = [e for e in await told(tickets_database, number) if isinstance(e, SlaRetargeted) and e.target == "first_response"]
    assert event.clock.met_at is not None
    assert event.clock.met_at > event.clock.due_at
    async with tickets_database.transaction() as tx:
        assert replay(await views.changes(tx, number)) == after


async def test_a_calendar_changed_in_the_past_does_the_same(door: Door, manager: httpx.AsyncClient, tickets_database: Database) -> None:
    now = clock.now().replace(microsecond=0)
    await put(manager, "/v1/calendars/office", {"zone": "UTC", "week": {"monday": [{"from": "00:00", "to": "24:00"}]}})
    since = (now - DAY).isoformat()
    await put(
        manager, "/v1/policies/standard-normal", POLICY | {"priority": "normal", "calendar": "office", "valid_from": since}, version=1
    )
    number = await opened(door, occurred_at=now - HOUR)
    assert (await ticket(tickets_database, number)).resolution.promise.hours.version == 2

    body = {"zone": "UTC", "week": (await manager.get("/v1/calendars/always")).json()["week"], "valid_from": since}
    written = await put(manager, "/v1/calendars/office", body, version=2)
    await fire(tickets_database)

    found = await ticket(tickets_database, number)
    assert written.json()["retargeting"] == 1
    assert found.resolution.promise.hours.version == 4
    assert found.resolution.promise.edition == 4
    assert found.first_response.started_at + HOUR <= now


async def test_a_change_for_the_future_touches_nothing(door: Door, manager: httpx.AsyncClient, tickets_database: Database) -> None:
    number = await opened(door)
    tomorrow = (clock.now() + DAY).isoformat()

    written = await put(manager, "/v1/policies/standard-normal", POLICY | {"priority": "normal", "valid_from": tomorrow}, version=1)
    await fire(tickets_database)

    assert written.json()["retargeting"] == 0
    assert (await ticket(tickets_database, number)).first_response.promise.policy.version == 1


async def test_tickets_that_arrive_while_a_policy_changes_end_with_the_new_one(
    door: Door, manager: httpx.AsyncClient, tickets_database: Database
) -> None:
    now = clock.now().replace(microsecond=0)
    requests = [request_received(occurred_at=now - HOUR) for _ in range(20)]
    body = POLICY | {"priority": "normal", "valid_from": (now - DAY).isoformat()}

    await asyncio.gather(
        *(take_in(tickets_database, request) for request in requests[:10]),
        put(manager, "/v1/policies/standard-normal", body, version=1),
        *(take_in(tickets_database, request) for request in requests[10:]),
    )
    await fire(tickets_database)

    found = [await ticket(tickets_database, request.reference) for request in requests]
    assert {each.resolution.promise.policy.version for each in found} == {2}
    assert {each.resolution.budget for each in found} == {2 * HOUR}


async def test_a_customer_who_is_graded_up_is_answered_sooner(door: Door, manager: httpx.AsyncClient, tickets_database: Database) -> None:
    await put(manager, "/v1/policies/vip", POLICY | {"tier": "vip"})
    customer = customer_registered()
    request = request_received(customer_id=customer.customer_id, occurred_at=clock.now())
    await take_in(tickets_database, customer, request)

    graded = CustomerGraded(
        occurred_at=clock.now(), customer_id=customer.customer_id, tier="vip", previous_tier="standard", reason="contract", actor="lead-1"
    )
    await take_in(tickets_database, graded)
    await fire(tickets_database)

    found = await ticket(tickets_database, request.reference)
    assert (found.tier, found.first_response.budget, found.first_response.promise.policy.id) == ("vip", HOUR, "vip")
    retargeted = [event for event in await told(tickets_database, request.reference) if isinstance(event, SlaRetargeted)]
    assert [(event.target, event.dimensions.tier) for event in retargeted] == [("first_response", "vip"), ("resolution", "vip")]


async def test_whoever_turns_out_to_be_a_graded_customer_is_answered_sooner(
    door: Door, manager: httpx.AsyncClient, tickets_database: Database
) -> None:
    await put(manager, "/v1/policies/vip", POLICY | {"tier": "vip"})
    other, known = customer_registered(), customer_registered(tier="vip")
    request = request_received(customer_id=other.customer_id, occurred_at=clock.now())
    await take_in(tickets_database, other, known, request)

    await take_in(tickets_database, merged(other, known))
    await fire(tickets_database)

    assert (await ticket(tickets_database, request.reference)).first_response.promise.policy.id == "vip"


async def test_a_grade_reaches_the_tickets_under_all_ids_of_the_person(
    door: Door, manager: httpx.AsyncClient, tickets_database: Database
) -> None:
    await put(manager, "/v1/policies/vip", POLICY | {"tier": "vip"})
    other, known = customer_registered(), customer_registered()
    request = request_received(customer_id=other.customer_id, occurred_at=clock.now())
    await take_in(tickets_database, other, known, request, merged(other, known))
    await fire(tickets_database)

    graded = CustomerGraded(
        occurred_at=clock.now(), customer_id=known.customer_id, tier="vip", previous_tier="standard", reason="contract", actor="lead-1"
    )
    await take_in(tickets_database, graded)
    await fire(tickets_database)

    assert (await ticket(tickets_database, request.reference)).tier == "vip"


async def test_a_grade_and_a_timer_of_one_ticket_do_not_wait_for_each_other(door: Door, tickets_database: Database) -> None:
    customer = customer_registered()
    request = request_received(customer_id=customer.customer_id, occurred_at=clock.now())
    graded = CustomerGraded(
        occurred_at=clock.now(), customer_id=customer.customer_id, tier="vip", previous_tier="standard", reason="contract", actor="lead-1"
    )
    further = request_received(customer_id=customer.customer_id, in_reply_to=request.reference, occurred_at=clock.now())
    await take_in(tickets_database, customer, request, graded)

    async with tickets_database.transaction() as tx:
        await loading.lock(tx, [request.reference])  # as whoever fires the timer does
        batch = asyncio.create_task(take_in(tickets_database, graded, further))
        await until_somebody_waits(tx)
        await tx.execute("SET LOCAL lock_timeout = '1s'")
        taken = await tx.execute("DELETE FROM timer WHERE kind = 'retarget' AND subject = $1", request.reference)
    await batch

    assert taken == "DELETE 1"
    assert (await ticket(tickets_database, request.reference)).version == 2


async def until_somebody_waits(tx: Transaction) -> None:
    """Until another transaction waits for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(20):
        while not await tx.fetchval(waiting):
            await tx.execute("SELECT pg_stat_clear_snapshot()")


def merged(one: CustomerRegistered, into: CustomerRegistered) -> CustomerMerged:
    """Somebody found that two files are one person."""
    return CustomerMerged(occurred_at=clock.now(), customer_id=one.customer_id, into_customer_id=into.customer_id, actor="lead-1")


# ------------------------------------------------------------------ the reckoning


async def test_the_reckoning_adds_up_day_by_day(door: Door, manager: httpx.AsyncClient, agent: httpx.AsyncClient) -> None:
    # a Wednesday noon to come, so that nothing of it is over when somebody asks
    noon = clock.now().replace(hour=12, minute=0, second=0, microsecond=0)
    wednesday = noon + timedelta(days=1 + (1 - noon.weekday()) % 7)
    day, next_day, saturday = ((wednesday + timedelta(days=days)).date().isoformat() for days in (0, 1, 3))
    await put(manager, "/v1/calendars/office", OFFICE | {"days": [{"date": next_day, "name": "stocktaking"}]})
    body = POLICY | {"calendar": "office", "type": "repair", "resolution_seconds": 16 * 3600, "valid_from": "2026-11-01T00:00:00Z"}
    await put(manager, "/v1/policies/repairs", body)
    number = await opened(door, type="repair", occurred_at=wednesday)
    await must(agent, number, *WAITED_FOR, ("reply", {"text": "Done."}))

    explained = (await agent.get(f"/v1/tickets/{number}/sla/explain")).json()

    targets = {target["target"]: target for target in explained["targets"]}
    first, resolution = targets["first_response"], targets["resolution"]
    assert explained["case"] == {"type": "repair", "priority": "normal", "tier": "standard", "team": None}
    assert (resolution["policy"], resolution["state"]) == ("repairs", "running")
    assert (resolution["calendar"]["id"], resolution["calendar"]["chosen_by"]) == ("office", "policy")
    assert [(each["policy"], each["chosen"], each["misses"]) for each in resolution["candidates"]][:3] == [
        ("repairs", True, []),
        ("standard-normal", False, []),
        ("standard-high", False, ["priority"]),
    ]
    assert [step["event"] for step in resolution["steps"]][:3] == ["started", "paused", "resumed"]
    assert [step["event"] for step in first["steps"]][-1] == "met"
    days = {day["date"]: day for day in resolution["days"]}
    assert days[day]["business_ms"] == 5 * 3_600_000
    assert (days[next_day]["windows"], days[next_day]["source"], days[next_day]["name"]) == ([], "override", "stocktaking")
    assert days[saturday]["business_ms"] == 0
    assert resolution["days"][-1]["run_ms"] == resolution["budget_ms"]
    assert sum(day["business_ms"] - day["paused_ms"] for day in first["days"]) == first["business_ms"]


async def test_the_reckoning_says_whose_hours_they_are(
    door: Door, manager: httpx.AsyncClient, agent: httpx.AsyncClient, lead: httpx.AsyncClient, tickets_database: Database
) -> None:
    await put(manager, "/v1/calendars/office", OFFICE)
    assert (await lead.post("/v1/teams", json={"id": "workshop", "name": "Workshop", "types": ["repair"]})).status_code == 201
    before = await opened(door, type="repair", occurred_at=clock.now())

    patched = await lead.patch("/v1/teams/workshop", json={"calendar": "office"}, headers={"If-Match": '"1"'})

    after, nobodys = [await opened(door, type=type, occurred_at=clock.now()) for type in ("repair", "enquiry")]
    await fire(tickets_database)
    assert patched.status_code == 200, patched.text
    assert await hours_shown(agent, before) == ("always", "nobody", None)
    assert await hours_shown(agent, after) == ("office", "team", "workshop")
    assert await hours_shown(agent, nobodys) == ("always", "nobody", None)

    supposed = (await agent.get(f"/v1/tickets/{nobodys}/sla/explain?team=workshop")).json()
    assert (supposed["what_if"], {target["calendar"]["id"] for target in supposed["targets"]}) == (True, {"office"})
    assert (await agent.get(f"/v1/tickets/{nobodys}/sla/explain?team=nobodys")).status_code == 404

    await must(lead, nobodys, ("hand_over", {"team": "workshop"}))
    assert await hours_shown(agent, nobodys) == ("office", "team", "workshop")
    assert [event.clock.calendar for event in await told(tickets_database, nobodys) if isinstance(event, SlaRetargeted)] == ["office"] * 2
    async with tickets_database.transaction() as tx:
        assert replay(await views.changes(tx, nobodys)) == await ticket(tickets_database, nobodys)


async def hours_shown(caller: httpx.AsyncClient, number: str) -> tuple[str, str, str | None]:
    """The calendar of the resolution, who named it, and the team whose it is."""
    explained = (await caller.get(f"/v1/tickets/{number}/sla/explain")).json()
    (shown,) = [target["calendar"] for target in explained["targets"] if target["target"] == "resolution"]
    return shown["id"], shown["chosen_by"], shown["team"]


async def test_a_calendar_that_a_team_works_by_is_corrected_for_its_tickets_too(
    door: Door, manager: httpx.AsyncClient, lead: httpx.AsyncClient, tickets_database: Database
) -> None:
    now = clock.now().replace(microsecond=0)
    await put(manager, "/v1/calendars/office", OFFICE | {"valid_from": (now - DAY).isoformat()})
    await lead.post("/v1/teams", json={"id": "workshop", "name": "Workshop", "types": ["repair"], "calendar": "office"})
    number = await opened(door, type="repair", occurred_at=clock.now())

    body = {"zone": "UTC", "week": (await manager.get("/v1/calendars/always")).json()["week"], "valid_from": (now - DAY).isoformat()}
    written = await put(manager, "/v1/calendars/office", body, version=2)
    await fire(tickets_database)

    assert written.json()["retargeting"] == 1
    assert (await ticket(tickets_database, number)).resolution.promise.hours.version == 4


async def test_tickets_that_arrive_while_a_team_gets_other_hours_end_as_their_start_says(
    door: Door, manager: httpx.AsyncClient, lead: httpx.AsyncClient, tickets_database: Database
) -> None:
    await put(manager, "/v1/calendars/office", OFFICE)
    await lead.post("/v1/teams", json={"id": "workshop", "name": "Workshop", "types": ["repair"]})
    requests = [request_received(type="repair", occurred_at=clock.now() + number * timedelta(milliseconds=20)) for number in range(12)]

    await asyncio.gather(
        *(take_in(tickets_database, request) for request in requests),
        lead.patch("/v1/teams/workshop", json={"calendar": "office"}, headers={"If-Match": '"1"'}),
    )
    await fire(tickets_database)

    async with tickets_database.transaction() as tx:
        levels = await service_levels(tx)
    for request in requests:
        found = await ticket(tickets_database, request.reference)
        assert found.resolution.promise == levels.promise(case(found), found.resolution.started_at)


async def test_what_if_another_policy_or_priority_held(door: Door, manager: httpx.AsyncClient, agent: httpx.AsyncClient) -> None:
    await put(manager, "/v1/policies/strict", POLICY | {"type": "complaint", "first_response_seconds": 60})
    now = clock.now().replace(microsecond=0)
    number = await opened(door, type="repair", occurred_at=now - HOUR)
    path = f"/v1/tickets/{number}/sla/explain"

    async def first(query: str) -> dict[str, Any]:
        answer = (await agent.get(f"{path}{query}")).json()
        found: dict[str, Any] = answer["targets"][0] | {"what_if": answer["what_if"]}
        return found

    as_it_is, strict, urgent = await first(""), await first("?policy=strict"), await first("?priority=urgent")
    assert (as_it_is["policy"], as_it_is["state"], as_it_is["what_if"]) == ("standard-normal", "running", False)
    assert (strict["policy"], strict["state"], strict["what_if"]) == ("strict", "breached", True)
    assert (urgent["policy"], urgent["budget_ms"], urgent["steps"]) == ("standard-urgent", 900_000, [])
    assert (await first("?policy=standard-low&version=1"))["budget_ms"] == 8 * 3_600_000
    assert (await agent.get(f"{path}?policy=standard-low&version=9")).status_code == 404
    assert (await agent.get(f"{path}?policy=nobodys")).status_code == 404
    assert (await agent.get("/v1/tickets/AS-1/sla/explain")).status_code == 404
    assert (await agent.get(f"{path}?priority=asap")).status_code == 422


async def test_an_explained_reopening_shows_both_ends(door: Door, agent: httpx.AsyncClient) -> None:
    number = await opened(door)
    resolve: list[tuple[str, dict[str, Any]]] = [("take", {}), ("start", {}), ("resolve", {"resolution_code": "repaired"})]
    await must(agent, number, *resolve)
    assert (await act(agent, number, "reopen")).status_code == 200

    explained = (await agent.get(f"/v1/tickets/{number}/sla/explain")).json()

    resolution = next(target for target in explained["targets"] if target["target"] == "resolution")
    assert [step["event"] for step in resolution["steps"]] == ["started", "met", "runs_on"]
    assert resolution["met_at"] is None
