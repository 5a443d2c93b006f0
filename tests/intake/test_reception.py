"""Requests are taken in exactly once, each by the right customer, on real PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.intake.acceptance import Account, Contact, ProductNamed
from services.intake.handlers.reception import Incoming, NoSuchRequest
from services.intake.reference import parse
from services.intake.store import following
from services.intake.store.tickets import TicketCopy, save
from shared.database import Database, Transaction
from shared.errors import Unavailable
from shared.events.proof import proof
from shared.idempotency import KeyReused
from tests.intake.builders import (
    NOTHING,
    SIGNING_KEY,
    at,
    counts,
    events,
    flatten,
    incoming,
    own_key,
    rows,
    submission,
    take,
    take_one,
    told,
)

pytestmark = pytest.mark.postgres

WANG, LI = UUID(int=1), UUID(int=2)
ACCOUNT = """
    INSERT INTO customer_identity (customer_id, origin_id, scheme, value, address, matches, linked_at)
    VALUES ($1, $1, 'app_user', 'u-1', '', true, now())
    """


async def test_an_accepted_request_is_stored_and_told_on_the_bus(intake_database: Database) -> None:
    sent = submission(phone="13800138000", customer=Contact("王伟", "138 0013 8000"), type="repair", subject="洗衣机")

    answer = await take_one(intake_database, incoming(sent._replace(product=ProductNamed(model="WM-900"))))

    registered, received = await events(intake_database)
    assert registered["type_of_event"] == "customer.registered.v1"
    assert (registered["name"], registered["locale"], registered["tier"]) == ("王伟", "zh-CN", "standard")
    assert received["type_of_event"] == "request.received.v1"
    assert received["reference"] == answer["reference"]
    assert received["customer_id"] == registered["customer_id"]
    assert received["text"] == "洗衣机不转了"
    assert received["product"]["model"] == "WM-900"
    assert received["completeness"] == answer["completeness"]
    assert received["missing_fields"] == answer["missing_fields"]
    (row,) = await rows(intake_database, "request")
    assert str(row["request_id"]) == answer["request_id"]


async def test_the_date_in_a_reference_is_the_organisation_s(intake_database: Database) -> None:
    late_in_utc = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)

    answer = await take_one(intake_database, at(incoming(), late_in_utc))

    assert answer["reference"].startswith("AS-20261126")
    assert str(parse(answer["reference"])) == answer["reference"]


async def test_a_request_without_a_key_takes_effect_each_time_it_comes(intake_database: Database) -> None:
    first, second = await take(intake_database, incoming(phone="13800138000"), incoming(phone="13800138000"))

    assert told(first)["reference"] != told(second)["reference"]
    assert (await counts(intake_database))["customer"] == 1


# --- exactly once: Idempotency-Key ---------------------------------------------------------------------------------------------------


async def test_the_same_key_and_body_gets_the_same_answer(intake_database: Database) -> None:
    first = await take_one(intake_database, incoming(key="k"))
    after_first = await counts(intake_database)

    (again,) = await take(intake_database, incoming(key="k"))

    assert told(again) == first
    assert again.is_replay
    assert await counts(intake_database) == after_first


async def test_the_same_key_with_another_body_is_refused(intake_database: Database) -> None:
    await take_one(intake_database, incoming(key="k"))
    after_first = await counts(intake_database)

    (other,) = await take(intake_database, incoming(text="something else", key="k"))

    assert isinstance(other, KeyReused)
    assert await counts(intake_database) == after_first


async def test_the_same_key_twice_in_a_batch_takes_effect_once(intake_database: Database) -> None:
    first, again, other = await take(intake_database, incoming(key="k"), incoming(key="k"), incoming(text="other", key="k"))

    assert told(again) == told(first)
    assert isinstance(other, KeyReused)
    assert len(await rows(intake_database, "request")) == 1


async def test_fifty_identical_posts_at_once_with_one_key_are_one_request(intake_database: Database) -> None:
    outcomes = flatten(await asyncio.gather(*(take(intake_database, incoming(phone="13800138000", key="k")) for _ in range(50))))

    assert len({told(outcome)["reference"] for outcome in outcomes}) == 1
    assert len(await rows(intake_database, "request")) == 1
    assert len(await events(intake_database)) == 2


# --- exactly once: the channel's own id ----------------------------------------------------------------------------------------------


async def test_the_same_message_of_a_channel_gets_the_same_answer(intake_database: Database) -> None:
    first = await take_one(intake_database, incoming(external_id="m1"))

    (again,) = await take(intake_database, incoming(external_id="m1"))

    assert told(again) == first
    assert len(await rows(intake_database, "request")) == 1


async def test_the_same_id_on_another_channel_is_another_message(intake_database: Database) -> None:
    first, other = await take(intake_database, incoming(external_id="m1"), incoming(external_id="m1", channel="app"))

    assert told(first)["reference"] != told(other)["reference"]


async def test_other_content_under_a_used_id_is_kept_as_a_further_message(intake_database: Database) -> None:
    first = await take_one(intake_database, incoming(external_id="m1", phone="13800138000"))

    other = await take_one(intake_database, incoming(text="还在吗", external_id="m1", phone="13800138000"))

    assert other["reference"] != first["reference"]
    further = (await events(intake_database, "request.received.v1"))[-1]
    assert further["external_id_reused"] is True
    assert further["in_reply_to"] == first["reference"]


async def test_a_further_message_is_kept_once_however_often_it_comes(intake_database: Database) -> None:
    await take_one(intake_database, incoming(external_id="m1"))
    other = await take_one(intake_database, incoming(text="还在吗", external_id="m1"))

    again = await take_one(intake_database, incoming(text="还在吗", external_id="m1"))

    assert again == other
    assert len(await rows(intake_database, "request")) == 2


async def test_first_and_further_messages_may_come_in_one_batch(intake_database: Database) -> None:
    items = [incoming(text=text, external_id="m1", phone="13800138000") for text in ("一", "二", "一", "三", "二")]

    one, two, one_again, three, two_again = map(told, await take(intake_database, *items))

    assert (one_again, two_again) == (one, two)
    stored = {row["reference"]: row for row in await rows(intake_database, "request")}
    assert set(stored) == {one["reference"], two["reference"], three["reference"]}
    assert [stored[r["reference"]]["external_id_reused"] for r in (one, two, three)] == [False, True, True]
    assert {stored[r["reference"]]["in_reply_to"] for r in (two, three)} == {one["reference"]}


async def test_a_used_id_does_not_join_the_requests_of_two_customers(intake_database: Database) -> None:
    await take_one(intake_database, incoming(external_id="m1", phone="13800138000"))

    await take_one(intake_database, incoming(text="other", external_id="m1", phone="13900139000"))

    assert [row["in_reply_to"] for row in await rows(intake_database, "request")] == [None, None]


async def test_the_same_words_of_two_customers_with_keys_of_their_own_are_two_messages(intake_database: Database) -> None:
    first, other = await take(
        intake_database, incoming(external_id="m1", caller=own_key(WANG)), incoming(external_id="m1", caller=own_key(LI))
    )

    assert told(first)["reference"] != told(other)["reference"]
    assert {row["customer_id"] for row in await rows(intake_database, "request")} == {WANG, LI}


async def test_fifty_identical_posts_at_once_of_one_message_are_one_request(intake_database: Database) -> None:
    item = incoming(phone="13800138000", external_id="m1")

    outcomes = flatten(await asyncio.gather(*(take(intake_database, item) for _ in range(50))))

    assert len({told(outcome)["reference"] for outcome in outcomes}) == 1
    assert len(await rows(intake_database, "request")) == 1


async def test_different_messages_at_once_under_one_id_are_all_kept_and_one_is_the_first(intake_database: Database) -> None:
    items = [incoming(text=f"text {n % 5}", phone="13800138000", external_id="m1") for n in range(40)]

    await asyncio.gather(*(take(intake_database, item) for item in items))

    stored = await rows(intake_database, "request")
    assert sorted(row["text"] for row in stored) == [f"text {n}" for n in range(5)]
    (first,) = [row for row in stored if not row["external_id_reused"]]
    assert {row["in_reply_to"] for row in stored if row["external_id_reused"]} == {first["reference"]}


async def test_a_new_key_for_a_known_message_remembers_the_first_answer(intake_database: Database) -> None:
    first = await take_one(intake_database, incoming(external_id="m1", key="k1"))

    assert await take_one(intake_database, incoming(external_id="m1", key="k2")) == first
    assert await take_one(intake_database, incoming(external_id="m1", key="k2")) == first


# --- who? ----------------------------------------------------------------------------------------------------------------------------


async def test_a_known_customer_is_recognised_and_not_registered_again(intake_database: Database) -> None:
    await take_one(intake_database, incoming(phone="13800138000"))

    await take_one(intake_database, incoming(phone="+86 138-0013-8000", email="wang@example.com"))
    await take_one(intake_database, incoming(email="WANG@example.com"))

    assert len({row["customer_id"] for row in await rows(intake_database, "request")}) == 1
    assert len(await events(intake_database, "customer.registered.v1")) == 1


async def test_requests_at_once_of_one_new_customer_register_him_once(intake_database: Database) -> None:
    items = [incoming(text=f"text {n}", phone="13800138000", email="wang@example.com") for n in range(30)]

    await asyncio.gather(*(take(intake_database, item) for item in items))

    assert len(await rows(intake_database, "request")) == 30
    assert len(await rows(intake_database, "customer")) == 1
    assert len(await events(intake_database, "customer.registered.v1")) == 1


async def test_batches_that_show_the_same_identities_in_another_order_do_not_lock_each_other_out(intake_database: Database) -> None:
    phones = [f"138001380{n:02d}" for n in range(20)]
    forth = [incoming(text=f"a {n}", phone=phone, key=f"a{n}") for n, phone in enumerate(phones)]
    back = [incoming(text=f"b {n}", phone=phone, key=f"b{n}") for n, phone in enumerate(reversed(phones))]

    await asyncio.gather(*(take(intake_database, *batch) for batch in (forth, back, forth, back)))

    assert len(await rows(intake_database, "customer")) == 20
    assert len(await rows(intake_database, "request")) == 40


async def test_a_phone_number_that_two_accounts_share_suggests_a_merge(intake_database: Database) -> None:
    await take_one(intake_database, incoming(customer=Contact(app_user_id="u-1", phone="13800138000")))

    await take_one(intake_database, incoming(customer=Contact(app_user_id="u-2", phone="13800138000")))

    assert len(await rows(intake_database, "customer")) == 2
    (suggestion,) = await rows(intake_database, "merge_suggestion")
    assert {suggestion["customer_id"], suggestion["other_id"]} == {row["customer_id"] for row in await rows(intake_database, "customer")}


async def test_phone_only_requests_with_a_shared_number_at_once_register_one_unknown_caller(intake_database: Database) -> None:
    for account in ("u-1", "u-2"):
        await take_one(intake_database, incoming(customer=Contact(app_user_id=account, phone="13800138000")))

    await asyncio.gather(*(take(intake_database, incoming(text=f"{n}", phone="13800138000", channel="phone")) for n in range(20)))
    await take_one(intake_database, incoming(text="later", phone="13800138000", channel="phone"))

    assert len(await rows(intake_database, "customer")) == 3
    assert len(await rows(intake_database, "request")) == 23
    assert [row["stands_in"] for row in await rows(intake_database, "customer_identity") if not row["matches"]] == ["phone"]


async def test_a_number_of_four_app_users_is_a_household_s(intake_database: Database) -> None:
    for n in range(3):
        await take_one(intake_database, incoming(customer=Contact(app_user_id=f"u-{n}", phone="13800138000")))
    before = [row["shared"] for row in await rows(intake_database, "identity") if row["scheme"] == "phone"]

    await take_one(intake_database, incoming(customer=Contact(app_user_id="u-3", phone="13800138000")))

    assert before == [False]
    assert [row["shared"] for row in await rows(intake_database, "identity") if row["scheme"] == "phone"] == [True]


async def test_customers_who_get_their_accounts_later_make_a_household_as_well(intake_database: Database) -> None:
    for n in range(4):
        await take_one(intake_database, incoming(email=f"w{n}@example.com", phone="13800138000"))
    before = {row["shared"] for row in await rows(intake_database, "identity")}

    for n in range(4):
        await take_one(intake_database, incoming(customer=Contact(email=f"w{n}@example.com", app_user_id=f"u-{n}")))

    assert before == {False}
    assert {row["value"] for row in await rows(intake_database, "identity") if row["shared"]} == {"+8613800138000"}


async def test_what_customers_claim_with_their_own_keys_makes_no_household(intake_database: Database) -> None:
    await take_one(intake_database, incoming(customer=Contact(app_user_id="u-0", phone="13800138000")))
    for n in range(1, 6):
        await take_one(intake_database, incoming(customer=Contact(phone="13800138000"), caller=own_key(UUID(int=n))))

    assert not any(row["shared"] for row in await rows(intake_database, "identity"))
    await take_one(intake_database, incoming(text="?", phone="13800138000"))
    assert len(await rows(intake_database, "customer")) == 6


async def test_a_batch_of_many_new_customers_asks_the_database_as_often_as_a_batch_of_one(
    intake_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        monkeypatch.setattr(Transaction, name, _counting(getattr(Transaction, name), asked))

    async def statements(*items: Incoming) -> int:
        asked.clear()
        await take(intake_database, *items)
        return len(asked)

    one = await statements(incoming(phone="13800138000", email="w@example.com", key="k", external_id="m"))
    many = [incoming(text=f"{n}", phone=f"138001390{n:02d}", email=f"{n}@example.com", key=f"{n}", external_id=f"{n}") for n in range(60)]
    known = [incoming(text=f"again {n}", phone=f"138001390{n:02d}", key=f"a{n}", external_id=f"a{n}") for n in range(60)]

    assert await statements(*many) == one
    assert await statements(*known) < one


def _counting(method: Any, asked: list[str]) -> Any:
    async def counted(tx: Transaction, query: str, *args: Any) -> Any:
        asked.append(query)
        return await method(tx, query, *args)

    return counted


async def test_a_file_without_a_name_gets_the_first_one_that_a_request_tells(intake_database: Database) -> None:
    await take_one(intake_database, incoming(phone="13800138000"))

    first = incoming(text="a", customer=Contact("王伟", "13800138000"))
    await take(intake_database, first, incoming(text="b", customer=Contact("王先生", "13800138000")))
    await take_one(intake_database, incoming(text="c", customer=Contact("李娜", "13800138000")))

    (customer,) = await rows(intake_database, "customer")
    assert (customer["name"], customer["version"]) == ("王伟", 2)
    (told,) = await events(intake_database, "customer.updated.v1")
    assert (told["name"], told["version"]) == ("王伟", 2)
    (noted,) = await rows(intake_database, "customer_change")
    assert (noted["type"], noted["actor"], noted["data"]) == ("name_learned", "shop", "{}")


async def test_names_that_are_told_at_once_beside_new_addresses_do_not_lock_each_other_out(intake_database: Database) -> None:
    phones = [f"138001380{n:02d}" for n in range(12)]
    await take(intake_database, *(incoming(phone=phone) for phone in phones))
    device = [(Account("device", f"d{n}"),) for n in range(24)]
    forth = [incoming(text=f"a{n}", customer=Contact("王" if n % 2 else None, phone, accounts=device[n])) for n, phone in enumerate(phones)]
    back = [
        incoming(text=f"b{n}", customer=Contact(None if n % 2 else "李", phone, accounts=device[12 + n]))
        for n, phone in reversed(list(enumerate(phones)))
    ]

    await asyncio.gather(*(take(intake_database, *batch) for batch in (forth, back, forth, back)))

    assert {row["name"] for row in await rows(intake_database, "customer")} == {"王", "李"}
    assert len(await events(intake_database, "customer.updated.v1")) == 12


async def test_the_unknown_caller_of_a_shared_number_gets_nobody_s_name(intake_database: Database) -> None:
    for account in ("u-1", "u-2"):
        await take_one(intake_database, incoming(customer=Contact(app_user_id=account, phone="13800138000")))

    await take_one(intake_database, incoming(text="1", customer=Contact("王伟", "13800138000")))
    await take(intake_database, incoming(text="2", customer=Contact("李娜", "13800138000")), incoming(phone="13900139000"))

    assert {row["name"] for row in await rows(intake_database, "customer")} == {None}


async def test_a_settled_customer_keeps_his_language_beside_a_new_one(intake_database: Database) -> None:
    await take_one(intake_database, incoming(text="洗衣機不轉了，怎麼辦", phone="13800138000"))

    await take(intake_database, incoming(text="12345", phone="13800138000"), incoming(text="Hello there", phone="13900139000"))

    assert {row["text"]: row["locale"] for row in await rows(intake_database, "request")}["12345"] == "zh-TW"


async def test_a_customer_with_his_own_key_is_registered_under_its_id_once(intake_database: Database) -> None:
    item = incoming(customer=Contact("王伟", email="wang@example.com"), caller=own_key(WANG))

    await asyncio.gather(*(take(intake_database, item) for _ in range(10)))

    assert {row["customer_id"] for row in await rows(intake_database, "request")} == {WANG}
    assert len(await events(intake_database, "customer.registered.v1")) == 1
    (contact,) = await rows(intake_database, "customer_identity")
    assert (contact["address"], contact["matches"]) == ("wang@example.com", False)


async def test_a_contact_that_a_trusted_source_confirms_becomes_an_identity(intake_database: Database) -> None:
    await take_one(intake_database, incoming(customer=Contact(email="wang@example.com"), caller=own_key(WANG)))
    async with intake_database.transaction() as tx:
        await tx.execute("INSERT INTO identity VALUES ('app_user', 'u-1')")
        await tx.execute(ACCOUNT, WANG)

    await take_one(intake_database, incoming(customer=Contact(app_user_id="u-1", email="wang@example.com")))

    assert all(row["matches"] for row in await rows(intake_database, "customer_identity"))


async def test_the_database_refuses_one_account_for_two_customers(intake_database: Database) -> None:
    await take(intake_database, incoming(customer=Contact(app_user_id="u-1")), incoming(customer=Contact(app_user_id="u-2")))
    one, other = [row["customer_id"] for row in await rows(intake_database, "customer_identity", "value")]

    with pytest.raises(asyncpg.UniqueViolationError):
        async with intake_database.transaction() as tx:
            await tx.execute(ACCOUNT, other)
    assert one != other


# --- language ------------------------------------------------------------------------------------------------------------------------


async def test_a_text_without_script_is_answered_in_the_customer_s_language(intake_database: Database) -> None:
    await take_one(intake_database, incoming(text="洗衣機不轉了，怎麼辦", phone="13800138000"))

    await take_one(intake_database, incoming(text="你好", phone="13800138000"))

    assert {row["locale"] for row in await rows(intake_database, "request")} == {"zh-TW"}


# --- replies -------------------------------------------------------------------------------------------------------------------------


async def test_a_reply_names_a_request_of_the_same_customer(intake_database: Database) -> None:
    first = await take_one(intake_database, incoming(phone="13800138000"))

    await take_one(intake_database, incoming(text="还在等", phone="13800138000", in_reply_to=first["reference"].lower()))

    assert (await events(intake_database, "request.received.v1"))[-1]["in_reply_to"] == first["reference"]


async def test_a_reply_may_name_a_linked_ticket_that_intake_heard_of(intake_database: Database) -> None:
    first = await take_one(intake_database, incoming(phone="13800138000"))
    (customer,) = await rows(intake_database, "customer")
    number = f"{first['reference']}-2"
    async with intake_database.transaction() as tx:
        await save(tx, [TicketCopy(number, customer["customer_id"], "new", 1)])

    await take_one(intake_database, incoming(text="还在等", phone="13800138000", in_reply_to=number))

    assert (await events(intake_database, "request.received.v1"))[-1]["in_reply_to"] == number


@pytest.mark.parametrize("phone", ["13900139000", "13700137000"], ids=["a known customer", "a new one"])
async def test_a_reply_to_another_customer_s_request_is_refused_and_leaves_no_trace(intake_database: Database, phone: str) -> None:
    first = await take_one(intake_database, incoming(phone="13800138000"))
    await take_one(intake_database, incoming(phone="13900139000"))
    before = await counts(intake_database)

    item = incoming(text="?", phone=phone, in_reply_to=first["reference"], key="k", external_id="m1")
    (refused,) = await take(intake_database, item)

    assert isinstance(refused, NoSuchRequest)
    assert refused.errors[0].pointer == "/in_reply_to"
    assert await counts(intake_database) == before


async def test_a_refused_reply_does_not_spend_its_key_nor_its_message_id(intake_database: Database) -> None:
    first = await take_one(intake_database, incoming(phone="13800138000"))
    (customer,) = await rows(intake_database, "customer")
    number = f"{first['reference']}-2"
    early = incoming(text="?", phone="13800138000", in_reply_to=number, key="k", external_id="m1")
    (refused,) = await take(intake_database, early)
    async with intake_database.transaction() as tx:
        await save(tx, [TicketCopy(number, customer["customer_id"], "new", 1)])

    (accepted,) = await take(intake_database, early)

    assert isinstance(refused, NoSuchRequest)
    assert told(accepted)["reference"]


async def test_a_refused_item_does_not_touch_the_others_of_its_batch(intake_database: Database) -> None:
    nobody = "AS-20261125EEA182H"

    refused, further, other, repeat = await take(
        intake_database,
        incoming(text="a", in_reply_to=nobody, external_id="m1", key="k1"),
        incoming(text="b", external_id="m1", key="k2"),
        incoming(text="c"),
        incoming(text="a", in_reply_to=nobody, external_id="m1", key="k3"),
    )

    assert isinstance(refused, NoSuchRequest)
    assert isinstance(repeat, NoSuchRequest)
    assert {row["reference"] for row in await rows(intake_database, "request")} == {told(further)["reference"], told(other)["reference"]}
    assert [row["external_id_reused"] for row in await rows(intake_database, "request")] == [False, False]
    assert [row["key"] for row in await rows(intake_database, "idempotency")] == ["k2"]


# --- all or nothing ------------------------------------------------------------------------------------------------------------------


async def test_when_the_outbox_is_stopped_nothing_of_the_batch_is_stored(intake_database: Database) -> None:
    async with intake_database.transaction() as tx:
        await tx.execute("UPDATE outbox_head SET stopped = 'restored'")

    with pytest.raises(Unavailable):
        await take(intake_database, *(incoming(text=f"{n}", phone="13800138000", key=f"{n}", external_id=f"{n}") for n in range(3)))

    assert await counts(intake_database) == NOTHING


async def test_the_largest_request_fits_into_an_event(intake_database: Database) -> None:
    await take_one(intake_database, incoming(text="\x01" * 20_000))

    (received,) = await events(intake_database, "request.received.v1")
    assert received["text"] == "\x01" * 20_000
    assert received["truncated"] is False


async def test_a_longer_text_of_a_later_channel_stays_whole_here_and_is_cut_in_the_event(intake_database: Database) -> None:
    answer = await take_one(intake_database, incoming(text="长" * 20_001))

    (received,) = await events(intake_database, "request.received.v1")
    assert (len(received["text"]), received["truncated"]) == (20_000, True)
    async with intake_database.transaction() as tx:
        found = await following.find(tx, answer["reference"])
    assert found is not None
    assert len(found.fields["text"]) == 20_001


async def test_a_request_proves_its_customer_by_digests_of_what_he_gave(intake_database: Database) -> None:
    await take_one(intake_database, incoming(phone="138 0013 8000", email="Li.Wei@Example.com"))

    (received,) = await events(intake_database, "request.received.v1")
    reference = received["reference"]
    assert set(received["proofs"]) == {proof(SIGNING_KEY, reference, "8000"), proof(SIGNING_KEY, reference, " li.wei@example.com")}
    assert proof(SIGNING_KEY, "AS-20261125-OTHER11", "8000") not in received["proofs"]
