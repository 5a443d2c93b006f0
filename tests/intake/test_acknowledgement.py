"""Whoever sends a request gets its number by mail, once per matter, in the transaction that accepts it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient

from services.intake.acceptance import Caller, Contact
from services.intake.carriers import Carrier
from services.intake.delivery import deliver_due
from services.intake.handlers.notifications import HELD, PLACING
from services.intake.settings import IntakeSettings
from services.intake.store import tickets
from services.intake.store.tickets import TicketCopy
from shared import clock
from shared.database import Database
from shared.errors import Unavailable
from shared.runtime import Runtime
from tests.intake.builders import at, incoming, rows, take, take_one
from tests.intake.postbox import ended, mails, make_due

pytestmark = pytest.mark.postgres

WANG = Contact("王伟", email="wang@example.com")
MINUTE = timedelta(minutes=1)


async def receipts(database: Database) -> list[dict[str, Any]]:
    return [row for row in await rows(database, "notification", "requested_at") if row["kind"] == "acknowledgement"]


async def accept(database: Database, *, ago: timedelta = timedelta(), **fields: Any) -> str:
    """A request comes in; its reference."""
    item = at(incoming(**{"customer": WANG, **fields}), clock.now() - ago)
    return str((await take_one(database, item, acknowledge=True))["reference"])


async def opens(database: Database, reference: str) -> None:
    """Tickets tells that the request opened a ticket."""
    (customer,) = {row["customer_id"] for row in await rows(database, "request") if row["reference"] == reference}
    async with database.transaction() as tx:
        await tickets.save(tx, [TicketCopy(reference, customer, "new", 1)])


async def joins(database: Database, reference: str, number: str) -> None:
    """Tickets tells that the request joined a ticket."""
    async with database.transaction() as tx:
        await tickets.save_aliases(tx, [(reference, number)])


async def time_passes(database: Database, span: timedelta) -> None:
    """Receipts have waited so long."""
    async with database.transaction() as tx:
        await tx.execute("UPDATE notification SET created_at = created_at - $1::interval", span)
    await make_due(database)


# --- the mail ------------------------------------------------------------------------------------------------------------------------


async def test_an_accepted_request_is_acknowledged_with_its_number_and_its_tracking_link(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    reference = await accept(runtime.database, text="洗衣机不转了", subject="急!!")
    await opens(runtime.database, reference)

    await deliver_due(runtime, maildir)

    (mail,) = mails(tmp_path)
    text = mail.get_body(("plain",)).get_content()
    assert mail["To"] == "wang@example.com"
    assert reference in mail["Subject"]
    assert f"{runtime.settings.tickets_public_url}/track/{reference}?t=" in text
    assert mail["Auto-Submitted"] == "auto-replied"
    for word in ("王伟", "急", "洗衣机"):
        assert word not in str(mail["Subject"]) + text
    (fact,) = await ended(runtime.database)
    assert (fact["kind"], fact["ticket_number"], fact["channel"]) == ("acknowledgement", reference, "email")
    (request,) = await rows(runtime.database, "request")
    assert mail["Message-ID"] == f"<{request['request_id']}@aftercare.example>"


async def test_a_receipt_is_written_in_the_customer_s_language(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    await opens(runtime.database, await accept(runtime.database, text="洗衣機不轉了，怎麼辦"))

    await deliver_due(runtime, maildir)

    assert [mail["Content-Language"] for mail in mails(tmp_path)] == ["zh-TW"]


async def test_a_receipt_goes_to_the_address_that_the_request_names(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    for email in ("home@example.com", "work@example.com", "Home@Example.com"):
        reference = await accept(runtime.database, customer=Contact(app_user_id="u-1", email=email))
        await opens(runtime.database, reference)
        await deliver_due(runtime, maildir)

    assert sorted(mail["To"] for mail in mails(tmp_path)) == ["Home@example.com", "home@example.com", "work@example.com"]


async def test_a_customer_who_names_no_address_is_acknowledged_at_the_one_that_we_know(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    await take_one(runtime.database, incoming(customer=Contact(phone="13800138000", email="wang@example.com")))

    await opens(runtime.database, await accept(runtime.database, customer=Contact(phone="13800138000")))
    await deliver_due(runtime, maildir)

    assert [mail["To"] for mail in mails(tmp_path)] == ["wang@example.com"]


# --- who gets one --------------------------------------------------------------------------------------------------------------------


async def test_whoever_cannot_be_reached_gets_none(intake_database: Database) -> None:
    await accept(intake_database, customer=Contact(phone="13800138000"))
    await accept(intake_database, customer=Contact())

    assert await receipts(intake_database) == []


@pytest.mark.parametrize("channel", ["internal", "listening"])
async def test_where_no_customer_wrote_nobody_gets_one(intake_database: Database, channel: str) -> None:
    await accept(intake_database, channel=channel)

    assert await receipts(intake_database) == []


async def test_whoever_told_our_staff_gets_one_only_if_he_left_an_address(intake_database: Database) -> None:
    agent = Caller("agent-1", kind="agent")
    await take_one(intake_database, incoming(customer=Contact(phone="13800138000", email="wang@example.com")))

    silent = await accept(intake_database, channel="phone", customer=Contact(phone="13800138000"), caller=agent)
    asked_for = await accept(intake_database, channel="phone", customer=Contact(phone="13800138000", email="w@example.com"), caller=agent)

    assert [row["ticket_number"] for row in await receipts(intake_database)] == [asked_for]
    assert silent != asked_for


async def test_a_repeated_call_is_acknowledged_once(intake_database: Database) -> None:
    item = incoming(customer=WANG, key="k", external_id="m1")

    for _ in range(3):
        await take(intake_database, item, item, acknowledge=True)

    assert len(await receipts(intake_database)) == 1


async def test_a_refused_request_is_not_acknowledged(intake_database: Database) -> None:
    await take(intake_database, incoming(customer=WANG, in_reply_to="AS-20261125EEA182H"), acknowledge=True)

    assert await receipts(intake_database) == []


async def test_without_a_request_there_is_no_receipt(intake_database: Database) -> None:
    async with intake_database.transaction() as tx:
        await tx.execute("UPDATE outbox_head SET stopped = 'restored'")

    with pytest.raises(Unavailable):
        await take(intake_database, incoming(customer=WANG), acknowledge=True)

    assert await receipts(intake_database) == []


async def test_a_whole_batch_is_acknowledged_each_at_its_own_address(intake_database: Database) -> None:
    items = [incoming(customer=Contact(email=f"c{n}@example.com")) for n in range(50)]

    await take(intake_database, *items, acknowledge=True)

    assert {row["given_address"] for row in await receipts(intake_database)} == {f"c{n}@example.com" for n in range(50)}


@pytest.mark.parametrize("is_on", [True, False])
async def test_receipts_can_be_switched_off(api: AsyncClient, runtime: Runtime[IntakeSettings], is_on: bool) -> None:
    assert runtime.settings.acknowledge is is_on

    answer = await api.post("/v1/requests", json={"channel": "web", "customer": {"email": "wang@example.com"}, "text": "It hums."})

    assert answer.status_code == 202
    assert [row["ticket_number"] for row in await receipts(runtime.database)] == ([answer.json()["reference"]] if is_on else [])


@pytest.fixture
def settings(request: pytest.FixtureRequest, settings: IntakeSettings) -> IntakeSettings:
    """Receipts are switched off where a test says so."""
    callspec = getattr(request.node, "callspec", None)
    return settings.model_copy(update={"acknowledge": callspec is None or callspec.params.get("is_on", True)})


# --- once per matter -----------------------------------------------------------------------------------------------------------------


async def test_a_receipt_waits_for_the_ticket_but_not_for_ever(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    await accept(runtime.database)
    await deliver_due(runtime, maildir)
    (row,) = await receipts(runtime.database)
    assert (row["status"], row["attempts"]) == ("pending", 0)
    assert row["next_attempt_at"] <= clock.real_now() + HELD

    await time_passes(runtime.database, PLACING)
    await deliver_due(runtime, maildir)

    assert len(mails(tmp_path)) == 1


async def test_a_message_that_joins_a_ticket_within_the_hour_is_not_acknowledged_again(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    first = await accept(runtime.database, ago=59 * MINUTE)
    await opens(runtime.database, first)
    await deliver_due(runtime, maildir)

    await joins(runtime.database, await accept(runtime.database, text="还在等"), first)
    await deliver_due(runtime, maildir)

    assert len(mails(tmp_path)) == 1
    assert [fact.get("reason", "delivered") for fact in await ended(runtime.database)] == ["delivered", "superseded"]


async def test_a_message_that_joins_a_ticket_after_an_hour_is_acknowledged(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    first = await accept(runtime.database, ago=61 * MINUTE)
    await opens(runtime.database, first)
    await deliver_due(runtime, maildir)

    second = await accept(runtime.database, text="还在等")
    third = await accept(runtime.database, text="还在等！")
    for further in (second, third):
        await joins(runtime.database, further, first)
    await deliver_due(runtime, maildir)

    assert len(mails(tmp_path)) == 2
    assert [row["status"] for row in await receipts(runtime.database)] == ["delivered", "delivered", "failed"]


async def test_a_reply_within_the_hour_is_not_acknowledged_even_while_tickets_is_away(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    first = await accept(runtime.database, ago=5 * MINUTE)
    await accept(runtime.database, text="还在等", in_reply_to=first)
    await time_passes(runtime.database, PLACING)

    await deliver_due(runtime, maildir)

    (mail,) = mails(tmp_path)
    assert first in mail["Subject"]


async def test_a_reply_that_becomes_a_ticket_of_its_own_is_acknowledged(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    """After the window for reopening, what a customer writes on an old ticket is a new one (D12)."""
    first = await accept(runtime.database, ago=timedelta(hours=20))
    await opens(runtime.database, first)
    second = await accept(runtime.database, text="又坏了", in_reply_to=first)
    await opens(runtime.database, second)

    await deliver_due(runtime, maildir)

    assert len(mails(tmp_path)) == 2


async def test_a_dismissed_request_is_not_acknowledged(runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path) -> None:
    await opens(runtime.database, await accept(runtime.database))
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE request SET dismissed_at = now(), dismissed_by = 'lead', dismissed_because = 'spam'")

    await deliver_due(runtime, maildir)

    assert not (tmp_path / "mail").exists()
    assert [fact["reason"] for fact in await ended(runtime.database)] == ["superseded"]


async def test_two_requests_about_two_things_are_two_matters(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    for _ in range(2):
        await opens(runtime.database, await accept(runtime.database))

    await deliver_due(runtime, maildir)

    assert len(mails(tmp_path)) == 2
