"""Two customer files become one person by REST, and stand alone again; on real PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.acceptance import Account, Contact
from services.intake.handlers import merging
from services.intake.identity.merging import Families
from shared import clock
from shared.auth import Role
from shared.database import Database
from tests.conftest import emptied
from tests.intake.builders import events, rows, take_one
from tests.intake.builders import incoming as request_of
from tests.intake.conftest import client
from tests.intake.test_customers import change, file_of, hand_in, register

pytestmark = [pytest.mark.api, pytest.mark.postgres]


async def merge(agent: AsyncClient, file: dict[str, Any], into: dict[str, Any], **fields: Any) -> Response:
    body = {"into": into["customer_id"], "reason": "same_person"} | fields
    return await agent.post(f"/v1/customers/{file['customer_id']}/merge", json=body, headers={"If-Match": f'"{file["version"]}"'})


async def unmerge(agent: AsyncClient, file: dict[str, Any], version: int) -> Response:
    url = f"/v1/customers/{file['customer_id']}/unmerge"
    return await agent.post(url, json={"reason": "two_persons"}, headers={"If-Match": f'"{version}"'})


async def owner(agent: AsyncClient, **customer: Any) -> str:
    """Whose a request of one who shows this is."""
    reference = (await hand_in(agent, customer=customer))["reference"]
    return str((await agent.get(f"/v1/requests/{reference}")).json()["customer_id"])


# --- merging -------------------------------------------------------------------------------------------------------------------------


async def test_a_merged_customer_is_recognised_as_the_one_who_answers_for_him(agent: AsyncClient, intake_database: Database) -> None:
    phone, mail = await register(agent, phone="13800138000"), await register(agent, email="wang@example.com")

    merged = await merge(agent, phone, mail)

    assert merged.status_code == 200, merged.text
    assert merged.json()["customer_id"] == mail["customer_id"]
    assert merged.json()["merged"] == [phone["customer_id"]]
    assert {identity["scheme"] for identity in merged.json()["identities"]} == {"phone", "email"}
    assert await owner(agent, phone="13800138000") == mail["customer_id"]
    (told,) = await events(intake_database, "customer.merged.v1")
    assert (told["customer_id"], told["into_customer_id"], told["actor"]) == (phone["customer_id"], mail["customer_id"], "lin")


async def test_the_id_of_a_merged_customer_answers_as_the_survivor(agent: AsyncClient) -> None:
    phone, mail = await register(agent, phone="13800138000"), await register(agent, email="wang@example.com")
    await merge(agent, phone, mail)

    file = await file_of(agent, phone["customer_id"])

    assert (file["customer_id"], file["merged_into"]) == (mail["customer_id"], mail["customer_id"])
    assert (await file_of(agent, mail["customer_id"]))["merged_into"] is None
    assert [one["customer_id"] for one in (await agent.get("/v1/customers")).json()["items"]] == [mail["customer_id"]]


async def test_requests_keep_the_customer_whom_they_were_written_with_and_are_in_the_survivor_s_contacts(agent: AsyncClient) -> None:
    phone, mail = await register(agent, phone="13800138000"), await register(agent, email="wang@example.com")
    reference = (await hand_in(agent))["reference"]

    await merge(agent, phone, mail)

    assert (await agent.get(f"/v1/requests/{reference}")).json()["customer_id"] == phone["customer_id"]
    contacts = (await agent.get(f"/v1/customers/{mail['customer_id']}/contacts")).json()["items"]
    assert reference in {line["number"] for line in contacts}


async def gradings(database: Database) -> set[tuple[str, str, str, str]]:
    """Of several customers, who have no order between them."""
    told = await events(database, "customer.graded.v1")
    return {(event["customer_id"], event["previous_tier"], event["tier"], event["reason"]) for event in told}


VIP = {"tier": "vip", "tier_reason": "contract"}


async def test_whoever_is_recognised_as_a_vip_is_one(agent: AsyncClient, intake_database: Database) -> None:
    vip, plain = await register(agent, phone="13800138000", **VIP), await register(agent, email="wang@example.com")
    before = await gradings(intake_database)

    merged = (await merge(agent, vip, plain)).json()

    assert (merged["customer_id"], merged["tier"], merged["tier_reason"]) == (plain["customer_id"], "vip", "merged")
    assert await gradings(intake_database) - before == {(plain["customer_id"], "standard", "vip", "merged")}
    trail = (await agent.get(f"/v1/customers/{plain['customer_id']}/history")).json()["items"][0]
    assert (trail["type"], trail["data"]["previous_tier"], trail["data"]["tier"]) == ("merged", "standard", "vip")


async def test_a_lower_tier_that_joins_a_higher_one_changes_nothing(agent: AsyncClient, intake_database: Database) -> None:
    plain, vip = await register(agent, phone="13800138000"), await register(agent, email="wang@example.com", **VIP)
    before = await gradings(intake_database)

    merged = (await merge(agent, plain, vip)).json()

    assert (merged["tier"], merged["tier_reason"]) == ("vip", "contract")
    assert await gradings(intake_database) == before


async def test_files_that_are_parted_have_the_tiers_that_each_was_given(agent: AsyncClient, intake_database: Database) -> None:
    vip, plain = await register(agent, phone="13800138000", **VIP), await register(agent, email="wang@example.com")
    merged = (await merge(agent, vip, plain)).json()
    before = await gradings(intake_database)

    await unmerge(agent, vip, merged["version"])

    files = [await file_of(agent, one["customer_id"]) for one in (vip, plain)]
    assert [(file["tier"], file["tier_reason"]) for file in files] == [("vip", "contract"), ("standard", None)]
    assert await gradings(intake_database) - before == {(plain["customer_id"], "vip", "standard", "unmerged")}


async def test_a_tier_that_is_given_to_a_person_is_given_to_all_his_files(agent: AsyncClient, intake_database: Database) -> None:
    vip, plain = await register(agent, phone="13800138000", **VIP), await register(agent, email="wang@example.com")
    merged = (await merge(agent, vip, plain)).json()
    graded = (await change(agent, merged, tier="silver", tier_reason="value")).json()
    before = await gradings(intake_database)

    parted = await unmerge(agent, vip, graded["version"])

    assert (graded["tier"], parted.status_code) == ("silver", 200)
    files = [await file_of(agent, one["customer_id"]) for one in (vip, plain)]
    assert [(file["tier"], file["tier_reason"]) for file in files] == [("silver", "value")] * 2
    # nobody was told of the one that stood behind the other
    assert await gradings(intake_database) - before == {(vip["customer_id"], "vip", "silver", "unmerged")}


async def test_of_a_chain_of_files_the_highest_counts_while_it_is_in_it(agent: AsyncClient) -> None:
    gold = await register(agent, phone="13800138000", tier="gold", tier_reason="value")
    silver = await register(agent, phone="13800138001", tier="silver", tier_reason="value")
    plain = await register(agent, email="wang@example.com")

    first = (await merge(agent, gold, silver)).json()
    whole = (await merge(agent, first, plain)).json()
    without_gold = (await unmerge(agent, gold, whole["version"]), await file_of(agent, plain["customer_id"]))[1]
    await unmerge(agent, silver, without_gold["version"])

    assert [first["tier"], whole["tier"], without_gold["tier"]] == ["gold", "gold", "silver"]
    tiers = [(await file_of(agent, one["customer_id"]))["tier"] for one in (gold, silver, plain)]
    assert tiers == ["gold", "silver", "standard"]


async def test_a_reply_to_a_request_of_before_the_merge_is_the_same_customer_s(agent: AsyncClient) -> None:
    phone, mail = await register(agent, phone="13800138000"), await register(agent, email="wang@example.com")
    reference = (await hand_in(agent))["reference"]

    await merge(agent, phone, mail)
    reply = await agent.post(
        "/v1/requests", json={"channel": "email", "customer": {"email": "wang@example.com"}, "text": "?", "in_reply_to": reference}
    )

    assert reply.status_code == 202, reply.text


async def test_a_merged_customer_s_own_key_goes_on_to_work(app: FastAPI, agent: AsyncClient, intake_database: Database) -> None:
    phone, mail = await register(agent, phone="13800138000"), await register(agent, email="wang@example.com")
    before = (await hand_in(agent))["reference"]
    await merge(agent, phone, mail)

    async with client(app, intake_database, Role.CUSTOMER, phone["customer_id"]) as own:
        mine = (await hand_in(own, customer={}))["reference"]
        views = [await own.get(f"/v1/requests/{reference}") for reference in (before, mine)]

    assert [view.status_code for view in views] == [200, 200]
    assert views[1].json()["customer_id"] == mail["customer_id"]


async def test_who_names_a_merged_customer_means_whoever_answers_for_him(agent: AsyncClient) -> None:
    phone, mail = await register(agent, phone="13800138000"), await register(agent, email="wang@example.com")
    before = (await hand_in(agent))["reference"]
    merged = (await merge(agent, phone, mail)).json()

    entered = (await hand_in(agent, customer={"id": phone["customer_id"]}, text="又来了"))["reference"]
    changed = await change(agent, {**phone, "version": merged["version"]}, name="王伟")
    listed = (await agent.get("/v1/requests", params={"customer_id": phone["customer_id"]})).json()["items"]

    assert (await agent.get(f"/v1/requests/{entered}")).json()["customer_id"] == mail["customer_id"]
    assert (changed.json()["customer_id"], changed.json()["name"]) == (mail["customer_id"], "王伟")
    assert [line["reference"] for line in listed] == [entered, before]


async def test_a_further_message_under_a_used_id_goes_on_where_the_first_began_after_a_merge_too(agent: AsyncClient) -> None:
    phone, mail = await register(agent, phone="13800138000"), await register(agent, email="wang@example.com")
    first = (await hand_in(agent, external_id="m1"))["reference"]
    await merge(agent, phone, mail)

    further = (await hand_in(agent, external_id="m1", text="还在吗"))["reference"]

    assert (await agent.get(f"/v1/requests/{further}")).json()["in_reply_to"] == first


async def test_merging_again_changes_nothing(agent: AsyncClient, intake_database: Database) -> None:
    phone, mail = await register(agent, phone="13800138000"), await register(agent, email="wang@example.com")
    version = (await merge(agent, phone, mail)).json()["version"]

    again = await merge(agent, {**phone, "version": version}, mail)

    assert (again.status_code, again.json()["version"]) == (200, version)
    assert len(await events(intake_database, "customer.merged.v1")) == 1


async def test_two_customers_with_different_accounts_are_merged_only_by_someone_who_says_so(agent: AsyncClient) -> None:
    one, other = await register(agent, app_user_id="u-1"), await register(agent, app_user_id="u-2")

    refused = await merge(agent, one, other)
    insisted = await merge(agent, one, other, despite_accounts=True)

    assert (refused.status_code, refused.json()["code"]) == (409, "accounts_differ")
    assert insisted.status_code == 200
    assert {await owner(agent, app_user_id=account) for account in ("u-1", "u-2")} == {other["customer_id"]}


async def test_of_a_person_with_two_files_the_strictest_consent_counts_until_he_says_something_new(
    agent: AsyncClient, intake_database: Database
) -> None:
    one = await register(agent, phone="13800138000", consents={"survey": False})
    other = await register(agent, email="wang@example.com", consents={"marketing": True})

    merged = (await merge(agent, one, other)).json()
    said = (await change(agent, merged, consents={"survey": True})).json()
    parted = await unmerge(agent, one, said["version"])

    assert merged["consents"] == {"status": True, "survey": False, "marketing": False}
    assert said["consents"] == {"status": True, "survey": True, "marketing": False}
    assert parted.json()["consents"] == {"status": True, "survey": True, "marketing": False}
    assert (await file_of(agent, other["customer_id"]))["consents"] == {"status": True, "survey": True, "marketing": True}
    told = [event for event in await events(intake_database, "customer.updated.v1") if event["customer_id"] == other["customer_id"]]
    assert [event["consents"]["marketing"] for event in told] == [True, False, False, True]


# --- undoing -------------------------------------------------------------------------------------------------------------------------


async def test_undoing_a_merge_restores_who_is_known_by_what(agent: AsyncClient, intake_database: Database) -> None:
    one, other = await register(agent, phone="13800138000", name="王伟"), await register(agent, phone="13900139000", name="李娜")
    merged = (await merge(agent, one, other)).json()

    parted = await unmerge(agent, one, merged["version"])

    assert parted.status_code == 200, parted.text
    assert (parted.json()["customer_id"], parted.json()["merged_into"]) == (one["customer_id"], None)
    assert await owner(agent, phone="13800138000") == one["customer_id"]
    assert await owner(agent, phone="13900139000") == other["customer_id"]
    (told,) = await events(intake_database, "customer.unmerged.v1")
    assert (told["customer_id"], told["from_customer_id"]) == (one["customer_id"], other["customer_id"])
    assert [row["kind"] for row in await rows(intake_database, "merge_event", "at")] == ["merged", "unmerged"]


async def test_what_was_linked_after_the_merge_stays_with_the_survivor(agent: AsyncClient) -> None:
    one, other = await register(agent, phone="13800138000"), await register(agent, phone="13900139000")
    await merge(agent, one, other)
    await owner(agent, phone="13800138000", email="later@example.com")

    await unmerge(agent, one, (await file_of(agent, other["customer_id"]))["version"])

    assert await owner(agent, email="later@example.com") == other["customer_id"]


async def test_who_was_not_merged_cannot_be_parted(agent: AsyncClient) -> None:
    file = await register(agent, phone="13800138000")

    answer = await unmerge(agent, file, 1)

    assert (answer.status_code, answer.json()["code"]) == (409, "not_merged")


async def test_the_events_of_one_customer_are_in_the_order_in_which_they_happened(agent: AsyncClient, intake_database: Database) -> None:
    one, other = await register(agent, phone="13800138000"), await register(agent, phone="13900139000")
    for _ in range(3):
        merged = (await merge(agent, await file_of(agent, one["customer_id"]), other)).json()
        await unmerge(agent, one, merged["version"])

    told = [event["type_of_event"] for event in await events(intake_database) if event["customer_id"] == one["customer_id"]]
    assert told == ["customer.registered.v1"] + ["customer.merged.v1", "customer.unmerged.v1", "customer.updated.v1"] * 3


# --- races ---------------------------------------------------------------------------------------------------------------------------


async def test_of_two_who_merge_the_same_customer_at_once_one_is_told_to_look_again(agent: AsyncClient, intake_database: Database) -> None:
    one, other, third = [await register(agent, phone=f"1380013800{n}") for n in range(3)]

    answers = await asyncio.gather(merge(agent, one, other), merge(agent, one, third))

    assert sorted(answer.status_code for answer in answers)[0] == 200
    assert sorted(answer.status_code for answer in answers)[1] in (412, 503)
    assert len(await events(intake_database, "customer.merged.v1")) == 1


async def test_customers_who_are_merged_in_a_circle_at_once_end_as_one_tree(agent: AsyncClient, intake_database: Database) -> None:
    files = [await register(agent, phone=f"1380013800{n}") for n in range(4)]
    pairs = [(files[n], files[(n + 1) % 4]) for n in range(4)]

    await asyncio.gather(*(merge(agent, one, other) for one, other in pairs))

    stored = {row["customer_id"]: row for row in await rows(intake_database, "customer")}
    families = Families({one: row["merged_into"] for one, row in stored.items() if row["merged_into"] is not None})
    assert len(families.merged_into) < 4
    assert {one: row["survivor_id"] for one, row in stored.items()} == {one: families.survivor(one) for one in stored}


async def test_requests_that_come_while_their_customer_is_merged_end_with_whoever_answers_for_him(
    agent: AsyncClient, intake_database: Database
) -> None:
    one, other = await register(agent, phone="13800138000"), await register(agent, phone="13900139000")

    async def arrive(n: int) -> None:
        contact = Contact(phone="13800138000", accounts=(Account("device", f"d{n}"),))
        await take_one(intake_database, request_of(text=f"text {n}", customer=contact))

    await asyncio.gather(*(arrive(n) for n in range(6)), merge(agent, one, other), *(arrive(n) for n in range(6, 12)))

    linked = await rows(intake_database, "customer_identity")
    assert {str(row["customer_id"]) for row in linked} == {other["customer_id"]}
    assert len(linked) == 14


# --- suggestions ---------------------------------------------------------------------------------------------------------------------


async def suggested(agent: AsyncClient) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Two customers who share a number, and the suggestion about them."""
    one = await register(agent, phone="13800138000", email="wang@example.com")
    other = await register(agent, phone="13800138000", email="wei@example.com")
    (suggestion,) = (await agent.get("/v1/merge-suggestions")).json()["items"]
    return one, other, suggestion


async def test_an_accepted_suggestion_is_a_merge_into_the_older_file(agent: AsyncClient) -> None:
    one, other, suggestion = await suggested(agent)

    accepted = await agent.post(f"/v1/merge-suggestions/{suggestion['suggestion_id']}/acceptance", json={"reason": "same_person"})

    assert accepted.status_code == 200, accepted.text
    assert (accepted.json()["customer_id"], accepted.json()["merged"]) == (one["customer_id"], [other["customer_id"]])
    assert (await agent.get("/v1/merge-suggestions")).json()["items"] == []
    assert len((await agent.get("/v1/merge-suggestions?status=accepted")).json()["items"]) == 1
    assert await owner(agent, phone="13800138000") == one["customer_id"]


async def test_a_dismissed_suggestion_has_a_reason_and_does_not_come_again(agent: AsyncClient) -> None:
    _, _, suggestion = await suggested(agent)

    dismissed = await agent.post(f"/v1/merge-suggestions/{suggestion['suggestion_id']}/dismissal", json={"reason": "married_couple"})
    await owner(agent, phone="13800138000")

    assert (dismissed.json()["status"], dismissed.json()["reason"], dismissed.json()["decided_by"]) == (
        "dismissed",
        "married_couple",
        "lin",
    )
    pairs = [{one["customer_id"] for one in item["customers"]} for item in (await agent.get("/v1/merge-suggestions")).json()["items"]]
    assert {one["customer_id"] for one in suggestion["customers"]} not in pairs


async def test_a_suggestion_is_decided_once(agent: AsyncClient) -> None:
    _, _, suggestion = await suggested(agent)
    url = f"/v1/merge-suggestions/{suggestion['suggestion_id']}"

    answers = await asyncio.gather(
        agent.post(f"{url}/acceptance", json={"reason": "same_person"}),
        *(agent.post(f"{url}/dismissal", json={"reason": "x"}) for _ in range(3)),
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_a_merge_by_hand_settles_the_suggestion(agent: AsyncClient) -> None:
    one, other, _ = await suggested(agent)

    await merge(agent, one, other)

    assert [item["decided_by"] for item in (await agent.get("/v1/merge-suggestions?status=accepted")).json()["items"]] == ["lin"]


async def test_two_who_have_proven_the_same_number_are_merged_by_themselves_unless_their_accounts_differ(agent: AsyncClient) -> None:
    one, other, _ = await suggested(agent)
    third = await register(agent, phone="13700137000", app_user_id="u-3")
    fourth = await register(agent, phone="13700137000", app_user_id="u-4")

    for file in (one, other, third, fourth):
        (phone,) = [identity for identity in file["identities"] if identity["scheme"] == "phone"]
        url = f"/v1/customers/{file['customer_id']}/identities/{phone['identity_id']}/verification"
        answer = await agent.post(url, json={"method": "one_time_code"}, headers={"If-Match": '"1"'})
        assert answer.status_code == 200, answer.text

    assert (await file_of(agent, other["customer_id"]))["merged_into"] == one["customer_id"]
    assert (await file_of(agent, fourth["customer_id"]))["merged_into"] is None


# --- who may, and bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reason": "x"}, "#/into"),
        ({"into": "x", "reason": "x"}, "#/into"),
        ({"into": str(uuid4())}, "#/reason"),
        ({"into": str(uuid4()), "reason": "x"}, "#/into"),
        ({"into": str(uuid4()), "reason": "two words"}, "#/reason"),
    ],
)
async def test_a_wrong_merge_names_the_field_and_changes_nothing(agent: AsyncClient, body: dict[str, Any], pointer: str) -> None:
    file = await register(agent, phone="13800138000")

    answer = await agent.post(f"/v1/customers/{file['customer_id']}/merge", json=body, headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert (await file_of(agent, file["customer_id"]))["version"] == 1


async def test_what_does_not_exist_cannot_be_merged_or_decided(agent: AsyncClient) -> None:
    file = await register(agent, phone="13800138000")

    answers = [
        await merge(agent, {"customer_id": str(uuid4()), "version": 1}, file),
        await unmerge(agent, {"customer_id": str(uuid4())}, 1),
        await agent.post(f"/v1/merge-suggestions/{uuid4()}/acceptance", json={"reason": "same_person"}),
        await agent.post(f"/v1/merge-suggestions/{uuid4()}/dismissal", json={"reason": "x"}),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4


# --- laws on the database --------------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=6))
async def test_after_any_merges_all_undone_everybody_is_known_by_what_he_was(
    intake_database: Database, pairs: list[tuple[int, int]]
) -> None:
    database = intake_database
    for n in range(5):
        await take_one(database, request_of(text=f"{n}", phone=f"1380013800{n}", email=f"w{n}@example.com"))
    people = [row["customer_id"] for row in await rows(database, "customer_identity", "value") if row["scheme"] == "phone"]
    before = await _links(database)
    model = Families()

    for one, other in pairs:
        async with database.transaction() as tx:
            await merging.merge(tx, people[one], people[other], version=None, by="t", reason="x", at=clock.now())
        model = model.merge(people[one], people[other])
    between = await _links(database)
    for one in reversed(people):
        await _unmerge(database, one)

    after = await _links(database)
    await emptied(database)
    assert {origin: holder for origin, _, holder in between} == {one: model.survivor(one) for one in people}
    assert after == before


async def _unmerge(database: Database, one: UUID) -> None:
    async with database.transaction() as tx:
        version = await tx.fetchval(
            "SELECT s.version FROM customer c JOIN customer s ON s.customer_id = c.survivor_id WHERE c.customer_id = $1", one
        )
        is_merged = await tx.fetchval("SELECT merged_into IS NOT NULL FROM customer WHERE customer_id = $1", one)
        if is_merged:
            await merging.unmerge(tx, one, version=version, by="t", reason="x", at=clock.now())


async def _links(database: Database) -> set[tuple[UUID, str, UUID]]:
    return {(row["origin_id"], row["value"], row["customer_id"]) for row in await rows(database, "customer_identity")}
