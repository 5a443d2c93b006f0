"""The budget of an address, kept by several senders at once on real PostgreSQL; and status messages that overtake each other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest
from pydantic import SecretStr

from services.intake.acceptance import Contact
from services.intake.carriers import Carried, Carrier, Delivered, Letter, TryAgain, carriers_of
from services.intake.delivery import deliver_due
from services.intake.handlers import notifications
from services.intake.sending.kinds import SETTLING
from services.intake.settings import IntakeSettings
from shared import clock
from shared.database import Database
from shared.runtime import Runtime
from tests.intake.builders import at, incoming, own_key, rows, take_one
from tests.intake.postbox import ask, ended, invitation, mails, make_due, reply, status
from tests.intake.sink import smtp_sink

pytestmark = pytest.mark.postgres

WANG, LI = UUID(int=1), UUID(int=2)
FAMILY = "family@example.com"


class Recording:
    """A carrier that says what it is told to say, and when it was asked to carry what."""

    channel: ClassVar[str] = "email"
    name: ClassVar[str] = "recording"

    def __init__(self, *answers: Carried) -> None:
        self.carried: list[tuple[datetime, Letter]] = []
        self._answers = list(answers)

    async def carry(self, letters: Sequence[Letter], *, until: float) -> list[Carried]:
        # others get their turn between a claim and its end
        await asyncio.sleep(0)
        self.carried += [(clock.now(), letter) for letter in letters]
        return [self._answers.pop(0) if self._answers else Delivered() for _ in letters]


async def register(database: Database, customer_id: UUID, email: str) -> UUID:
    await take_one(database, incoming(customer=Contact(email=email), caller=own_key(customer_id)))
    return customer_id


async def an_hour_passes(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute("UPDATE budget_use SET at = at - interval '61 minutes'")
    await make_due(database)


# --- the limits ----------------------------------------------------------------------------------------------------------------------


async def test_two_customers_with_one_address_share_its_budget(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    for customer in (WANG, LI):
        await ask(runtime.database, *[status(await register(runtime.database, customer, FAMILY), ticket_number=None) for _ in range(3)])

    await deliver_due(runtime, maildir)

    assert [mail["To"] for mail in mails(tmp_path)] == [FAMILY] * 3


async def test_an_address_with_a_tag_or_in_capitals_is_the_same_box(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    await register(runtime.database, WANG, "Family+wang@example.com")
    await register(runtime.database, LI, "family+li@EXAMPLE.com")
    await ask(runtime.database, *(invitation(customer) for customer in (WANG, LI) for _ in range(3)))

    await deliver_due(runtime, maildir)

    assert len(mails(tmp_path)) == 3


async def test_many_senders_at_once_keep_the_limits(runtime: Runtime[IntakeSettings], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each claims one message at a time, so that all decide on the same address at the same moment."""
    monkeypatch.setattr(notifications, "AT_ONCE", 1)
    for customer in (WANG, LI):
        await ask(runtime.database, *[invitation(await register(runtime.database, customer, FAMILY)) for _ in range(15)])
    carrier = Recording()

    for _ in range(5):
        await asyncio.gather(*(_drain(runtime, carrier) for _ in range(8)))
        assert len(carrier.carried) % 3 in (0, 1)
        await an_hour_passes(runtime.database)

    # three in each of three hours, and then one: ten a day
    assert len(carrier.carried) == 10
    assert {row["status"] for row in await rows(runtime.database, "notification")} == {"delivered", "pending"}


async def _drain(runtime: Runtime[IntakeSettings], carrier: Carrier) -> None:
    while await deliver_due(runtime, [carrier]):
        continue


async def test_what_waited_for_the_budget_is_sent_when_the_hour_is_over(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    await ask(runtime.database, *(invitation(customer) for _ in range(4)))
    await deliver_due(runtime, maildir)

    await an_hour_passes(runtime.database)
    await deliver_due(runtime, maildir)

    assert len(mails(tmp_path)) == 4


async def test_a_message_that_certainly_did_not_leave_costs_nothing(runtime: Runtime[IntakeSettings], customer: UUID) -> None:
    await ask(runtime.database, *(invitation(customer) for _ in range(3)))
    carrier = Recording(*(TryAgain("451") for _ in range(3)))
    await deliver_due(runtime, [carrier])
    assert await rows(runtime.database, "budget_use") == []

    await make_due(runtime.database)
    await deliver_due(runtime, [carrier])

    assert len(await ended(runtime.database)) == 3


async def test_a_message_that_may_have_left_counts(runtime: Runtime[IntakeSettings], customer: UUID) -> None:
    await ask(runtime.database, *(invitation(customer) for _ in range(3)))
    await deliver_due(runtime, [Recording(*(TryAgain("timeout", may_have_left=True) for _ in range(3)))])

    await make_due(runtime.database)
    carrier = Recording()
    await deliver_due(runtime, [carrier])

    assert carrier.carried == []
    assert await ended(runtime.database) == []


async def test_what_a_killed_sender_had_in_hand_counts(
    runtime: Runtime[IntakeSettings], customer: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether the mails of a sender that died had left; the customer's box must not pay for our doubt."""
    await ask(runtime.database, *(invitation(customer) for _ in range(3)))
    async with runtime.database.transaction() as tx:
        claimed = await notifications.claim(
            tx, channels=["email"], zone=runtime.settings.timezone, real_now=clock.real_now(), now=clock.now()
        )
    assert len(claimed.to_send) == 3

    await make_due(runtime.database)
    carrier = Recording()
    await deliver_due(runtime, [carrier])
    assert carrier.carried == []

    await an_hour_passes(runtime.database)
    await deliver_due(runtime, [carrier])
    assert len(carrier.carried) == 3


async def test_an_answer_of_our_staff_does_not_count(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    await ask(runtime.database, *(reply(customer) for _ in range(5)), invitation(customer))

    await deliver_due(runtime, maildir)

    assert len(mails(tmp_path)) == 6


async def test_a_hundred_requests_in_a_victim_s_name_are_three_mails_without_a_word_of_theirs(
    runtime: Runtime[IntakeSettings], tmp_path: Path
) -> None:
    """The relay test: whoever names another one's address as his own must not be able to speak through our mails."""
    bait = "Click https://evil.example now"
    for number in range(100):
        sent = incoming(customer=Contact(bait, email="victim@example.com"), text=bait, subject=f"{bait} {number}")
        await take_one(runtime.database, at(sent, clock.now()), acknowledge=True)

    async with smtp_sink() as sink:
        carriers = carriers_of(runtime.settings.model_copy(update={"smtp_url": SecretStr(sink.url), "smtp_rate": 1000.0}))
        await make_placed(runtime.database)
        while await deliver_due(runtime, carriers):
            continue

    assert len(sink.mails) == 3
    assert b"evil" not in b"".join(sink.mails)
    waiting = [row for row in await rows(runtime.database, "notification") if row["status"] == "pending"]
    assert len(waiting) == 97
    assert all(row["next_attempt_at"] > clock.real_now() + timedelta(minutes=50) for row in waiting)


async def make_placed(database: Database) -> None:
    """Receipts have waited long enough to hear where their requests ended."""
    async with database.transaction() as tx:
        await tx.execute("UPDATE notification SET created_at = created_at - interval '1 minute'")


# --- status messages -----------------------------------------------------------------------------------------------------------------


async def test_of_the_status_messages_that_wait_only_the_newest_of_each_ticket_is_sent(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    ago = clock.now() - timedelta(minutes=5)
    await ask(
        runtime.database,
        status(customer, "resolved"),
        status(customer, "in_progress", occurred_at=ago),
        status(customer, "in_progress", occurred_at=ago, ticket_number="AS-20261125EEA183K"),
    )

    await deliver_due(runtime, maildir)

    subjects = sorted(mail["Subject"] for mail in mails(tmp_path))
    assert ["resolved" in subject for subject in subjects] == [True, False]
    outcomes = sorted(fact.get("reason", "delivered") for fact in await ended(runtime.database))
    assert outcomes == ["delivered", "delivered", "superseded"]


async def test_quick_work_makes_one_message(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    """Begun and solved within seconds: the customer hears that it is solved, when nothing newer has come for a moment."""
    now = clock.now()
    await ask(runtime.database, status(customer, "in_progress", occurred_at=now))
    await deliver_due(runtime, maildir)
    (row,) = await rows(runtime.database, "notification")
    assert (row["status"], row["attempts"]) == ("pending", 0)
    assert SETTLING / 2 < row["next_attempt_at"] - clock.real_now() <= SETTLING

    await ask(runtime.database, status(customer, "resolved", occurred_at=now + timedelta(milliseconds=1)))
    await make_due(runtime.database)
    await deliver_due(runtime, maildir)

    assert not (tmp_path / "mail").exists()
    assert [fact["reason"] for fact in await ended(runtime.database)] == ["superseded"]
    assert [row["data"] for row in await rows(runtime.database, "notification") if row["status"] == "pending"] == ['{"status": "resolved"}']


async def test_an_old_status_does_not_arrive_after_a_newer_one(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    await ask(runtime.database, status(customer, "resolved"))
    await deliver_due(runtime, maildir)

    await ask(runtime.database, status(customer, "in_progress", occurred_at=clock.now() - timedelta(minutes=5)))
    await deliver_due(runtime, maildir)

    assert len(mails(tmp_path)) == 1


@pytest.mark.parametrize("wants_surveys", [True, False])
async def test_an_invitation_says_that_the_ticket_is_resolved_unless_it_stays_at_home(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path, wants_surveys: bool
) -> None:
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE customer SET consent_survey = $1", wants_surveys)
    await ask(runtime.database, status(customer, "resolved"), invitation(customer))

    await deliver_due(runtime, maildir)

    (mail,) = mails(tmp_path)
    assert ("/s/token" in mail.get_body(("plain",)).get_content()) is wants_surveys
    assert [fact["kind"] for fact in await ended(runtime.database) if fact["type_of_event"] == "notification.delivered.v1"] == [
        "survey_invitation" if wants_surveys else "ticket_status"
    ]


# --- consent -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "asked"), [("consent_status", status), ("consent_survey", invitation)], ids=["status messages", "surveys"]
)
async def test_what_a_customer_has_refused_ends_without_a_mail(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path, column: str, asked: Any
) -> None:
    async with runtime.database.transaction() as tx:
        await tx.execute(f"UPDATE customer SET {column} = false")
    await ask(runtime.database, asked(customer), reply(customer))

    await deliver_due(runtime, maildir)

    assert len(mails(tmp_path)) == 1
    assert sorted(fact.get("reason", "delivered") for fact in await ended(runtime.database)) == ["delivered", "no_consent"]


async def test_a_merged_file_is_written_to_and_asked_as_the_one_that_it_became(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    await register(runtime.database, WANG, "old@example.com")
    await register(runtime.database, LI, "li@example.com")
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE customer SET merged_into = $2, survivor_id = $2 WHERE customer_id = $1", WANG, LI)
        await tx.execute("UPDATE customer_identity SET customer_id = $2 WHERE customer_id = $1", WANG, LI)
        await tx.execute("UPDATE customer SET primary_email = 'li@example.com', consent_survey = false WHERE customer_id = $1", LI)
    await ask(runtime.database, reply(WANG), invitation(WANG))

    await deliver_due(runtime, maildir)

    assert [mail["To"] for mail in mails(tmp_path)] == ["li@example.com"]
    assert sorted(fact.get("reason", "delivered") for fact in await ended(runtime.database)) == ["delivered", "no_consent"]
