"""What the bus asks for reaches the customer: by a mail server, or as a file; at least once, always as the same mail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from services.intake.acceptance import Contact
from services.intake.carriers import Carried, Carrier, Delivered, Letter, carriers_of
from services.intake.consumer import handle
from services.intake.delivery import deliver, deliver_due, loop
from services.intake.handlers import notifications
from services.intake.sending import GIVE_UP_AFTER
from services.intake.settings import IntakeSettings
from shared import clock
from shared.runtime import Runtime
from tests.intake.builders import incoming, rows, take_one
from tests.intake.postbox import LINK, NUMBER, ask, ended, invitation, mails, make_due, received, reply
from tests.intake.sink import Sink, smtp_sink

pytestmark = pytest.mark.postgres


# --- by file -------------------------------------------------------------------------------------------------------------------------


async def test_an_invitation_becomes_one_file_and_one_fact(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    asked = invitation(customer)
    (event_id,) = await ask(runtime.database, asked)

    await deliver_due(runtime, maildir)

    (mail,) = mails(tmp_path)
    assert mail["To"] == "wang@example.com"
    assert mail["Message-ID"] == f"<{event_id}@aftercare.example>"
    assert LINK in mail.get_body(("plain",)).get_content()
    assert "王伟" not in str(mail)
    (fact,) = await ended(runtime.database)
    assert fact["type_of_event"] == "notification.delivered.v1"
    assert fact["notification_id"] == str(asked.notification_id)
    assert (fact["channel"], fact["kind"], fact["ticket_number"]) == ("email", "survey_invitation", NUMBER)
    assert "wang@example.com" not in str(fact)
    assert list((tmp_path / "mail/tmp").iterdir()) == []


async def test_the_same_event_twice_is_one_mail(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    record = received(reply(customer))
    for _ in range(2):
        async with runtime.database.transaction() as tx:
            await handle(tx, [record])
        await deliver_due(runtime, maildir)

    assert len(mails(tmp_path)) == 1
    assert len(await ended(runtime.database)) == 1


async def test_the_text_is_forgotten_when_the_message_has_left(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID
) -> None:
    way_out = f"{LINK}/opt-out"
    await ask(runtime.database, reply(customer), invitation(customer, data={"purpose": "survey", "opt_out_link": way_out}))

    await deliver_due(runtime, maildir)

    for row in await rows(runtime.database, "notification"):
        assert (row["status"], row["text"], row["link"]) == ("delivered", None, None)
        assert LINK not in row["data"]


async def test_a_customer_without_an_address_cannot_be_written_to(runtime: Runtime[IntakeSettings], maildir: list[Carrier]) -> None:
    await take_one(runtime.database, incoming(phone="13800138000"))
    (customer,) = await rows(runtime.database, "customer")
    await ask(runtime.database, reply(customer["customer_id"]), reply(uuid4()))

    await deliver_due(runtime, maildir)

    assert [(fact["type_of_event"], fact["reason"], fact["channel"]) for fact in await ended(runtime.database)] == [
        ("notification.failed.v1", "no_address", None)
    ] * 2


async def test_an_invitation_that_has_expired_is_not_sent(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    await ask(runtime.database, invitation(customer, expires_at=clock.now() - timedelta(seconds=1)))

    await deliver_due(runtime, maildir)

    assert [fact["reason"] for fact in await ended(runtime.database)] == ["expired"]
    assert not (tmp_path / "mail").exists()


async def test_the_fourth_invitation_to_one_address_within_an_hour_waits_and_an_answer_does_not(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    await ask(runtime.database, *(invitation(customer) for _ in range(5)), reply(customer))

    await deliver_due(runtime, maildir)

    assert len(mails(tmp_path)) == 4
    waiting = [row for row in await rows(runtime.database, "notification") if row["status"] == "pending"]
    assert len(waiting) == 2
    for row in waiting:
        assert timedelta(minutes=59) < row["next_attempt_at"] - clock.real_now() <= timedelta(hours=1)
        assert row["attempts"] == 0


async def test_a_customer_is_written_to_at_the_address_that_he_gave_last(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], tmp_path: Path
) -> None:
    for hour, email in enumerate(["old@example.com", "new@example.com"]):
        item = incoming(customer=Contact(app_user_id="u-1", email=email))
        moment = item.accepted.received_at + timedelta(hours=hour)
        await take_one(runtime.database, item._replace(accepted=item.accepted._replace(received_at=moment)))
    (customer,) = await rows(runtime.database, "customer")
    await ask(runtime.database, reply(customer["customer_id"]))

    await deliver_due(runtime, maildir)

    assert [mail["To"] for mail in mails(tmp_path)] == ["new@example.com"]


# --- crashes -------------------------------------------------------------------------------------------------------------------------


async def test_a_crash_between_carrying_and_writing_down_repeats_the_same_mail(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(runtime.database, reply(customer))

    async def crash(*_args: object, **_named: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(notifications, "conclude", crash)
        with pytest.raises(MemoryError):
            await deliver_due(runtime, maildir)
    (before,) = mails(tmp_path)
    assert await deliver_due(runtime, maildir) == 0, "the claim still holds"
    await make_due(runtime.database)
    await deliver_due(runtime, maildir)

    (after,) = mails(tmp_path)
    assert after.as_bytes() == before.as_bytes()
    assert len(await ended(runtime.database)) == 1


async def test_a_database_that_stumbles_between_carrying_and_writing_down_costs_no_second_mail(
    runtime: Runtime[IntakeSettings], customer: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_ids = await ask(runtime.database, *(reply(customer) for _ in range(3)))
    stumbles = iter([ConnectionResetError(), OSError()])
    conclude = notifications.conclude

    async def stumble(*args: Any, **named: Any) -> Any:
        if (error := next(stumbles, None)) is not None:
            raise error
        return await conclude(*args, **named)

    monkeypatch.setattr(notifications, "conclude", stumble)
    monkeypatch.setattr(loop, "SHORT_PAUSE", 0.0)
    async with smtp_sink() as sink:
        await deliver_due(runtime, by_server(runtime.settings, sink))
        assert await deliver_due(runtime, by_server(runtime.settings, sink)) == 0

    assert len(sink.mails) == len(event_ids) == len(await ended(runtime.database))


async def test_two_processes_do_not_deliver_the_same_message(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    await ask(runtime.database, *(reply(customer) for _ in range(40)))

    await asyncio.gather(*(deliver_due(runtime, maildir) for _ in range(4)))

    assert len(mails(tmp_path)) == 40
    assert len(await ended(runtime.database)) == 40


async def test_a_message_that_was_claimed_twice_is_told_once(runtime: Runtime[IntakeSettings], customer: UUID) -> None:
    await ask(runtime.database, reply(customer))
    slow = _Slow()

    first = asyncio.create_task(deliver_due(runtime, [slow]))
    await slow.begun.wait()
    await make_due(runtime.database)
    second = asyncio.create_task(deliver_due(runtime, [slow]))
    slow.go.set()
    await asyncio.gather(first, second)

    assert len(await ended(runtime.database)) == 1


class _Slow:
    """A carrier that lets others overtake it."""

    channel: ClassVar[str] = "email"
    name: ClassVar[str] = "slow"

    def __init__(self) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()

    async def carry(self, letters: Sequence[Letter], *, until: float) -> list[Carried]:
        assert until > clock.monotonic()
        self.begun.set()
        await self.go.wait()
        return [Delivered() for _ in letters]


# --- by mail server ------------------------------------------------------------------------------------------------------------------


def by_server(settings: IntakeSettings, sink: Sink) -> list[Carrier]:
    return carriers_of(settings.model_copy(update={"smtp_url": SecretStr(sink.url), "smtp_timeout": 2.0}))


async def test_a_mail_server_gets_the_mail(runtime: Runtime[IntakeSettings], customer: UUID) -> None:
    (event_id,) = await ask(runtime.database, reply(customer, text="请寄一张照片。\n.\n谢谢"))

    async with smtp_sink() as sink:
        await deliver_due(runtime, by_server(runtime.settings, sink))

    (raw,) = sink.mails
    mail: Any = message_from_bytes(raw, policy=default)
    assert mail["Message-ID"] == f"<{event_id}@aftercare.example>"
    assert "请寄一张照片。" in mail.get_body(("plain",)).get_content()
    assert [fact["type_of_event"] for fact in await ended(runtime.database)] == ["notification.delivered.v1"]


async def test_an_address_that_the_server_refuses_for_good_is_not_tried_again(runtime: Runtime[IntakeSettings], customer: UUID) -> None:
    await ask(runtime.database, reply(customer))

    async with smtp_sink() as sink:
        sink.refusals["wang@example.com"] = "550 no such user"
        await deliver_due(runtime, by_server(runtime.settings, sink))

    assert [fact["reason"] for fact in await ended(runtime.database)] == ["refused"]


@pytest.mark.parametrize("trouble", ["greylisted", "quota", "busy", "hangs up", "down"])
async def test_a_passing_trouble_is_waited_out(runtime: Runtime[IntakeSettings], customer: UUID, trouble: str) -> None:
    await ask(runtime.database, reply(customer))

    async with smtp_sink() as sink:
        carrier = by_server(runtime.settings, sink)
        match trouble:
            case "greylisted":
                sink.refusals["wang@example.com"] = "451 try later"
            case "quota":
                sink.data_reply = "452 too much mail"
            case "busy":
                sink.greeting = "421 busy"
            case "hangs up":
                sink.hangs_up_after = 0
            case "down":
                carrier = by_server(runtime.settings, Sink(port=1))
        await deliver_due(runtime, carrier)
        assert await ended(runtime.database) == []
        (row,) = await rows(runtime.database, "notification")
        assert (row["status"], row["attempts"]) == ("pending", 1)
        assert timedelta(seconds=5) < row["next_attempt_at"] - clock.real_now() < timedelta(seconds=31)

        sink.refusals.clear()
        sink.data_reply, sink.greeting, sink.hangs_up_after = "250 taken", "220 sink", None
        await make_due(runtime.database)
        await deliver_due(runtime, by_server(runtime.settings, sink))

    assert len(sink.mails) == 1
    assert len(await ended(runtime.database)) == 1


async def test_after_a_day_of_trouble_a_message_is_given_up(runtime: Runtime[IntakeSettings], customer: UUID) -> None:
    await ask(runtime.database, reply(customer))
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE notification SET attempts = 30, first_attempt_at = now() - $1::interval", GIVE_UP_AFTER)

    await deliver_due(runtime, by_server(runtime.settings, Sink(port=1)))

    assert [fact["reason"] for fact in await ended(runtime.database)] == ["undeliverable"]


async def test_when_the_server_hangs_up_in_between_only_the_rest_is_tried_again(runtime: Runtime[IntakeSettings], customer: UUID) -> None:
    await ask(runtime.database, *(reply(customer) for _ in range(5)))

    async with smtp_sink() as sink:
        sink.hangs_up_after = 2
        await deliver_due(runtime, by_server(runtime.settings, sink))

    assert sorted(row["status"] for row in await rows(runtime.database, "notification")) == ["delivered"] * 2 + ["pending"] * 3


async def test_a_folder_that_cannot_be_written_is_a_passing_trouble(
    runtime: Runtime[IntakeSettings], customer: UUID, tmp_path: Path
) -> None:
    (tmp_path / "mail").write_text("in the way")

    await ask(runtime.database, reply(customer))
    await deliver_due(runtime, carriers_of(runtime.settings))

    assert [row["status"] for row in await rows(runtime.database, "notification")] == ["pending"]


async def test_one_message_that_cannot_be_composed_does_not_hold_up_the_others(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, tmp_path: Path
) -> None:
    await take_one(runtime.database, incoming(email="li@example.com"))
    async with runtime.database.transaction() as tx:
        broken = await tx.fetchval(
            "UPDATE customer_identity SET address = E'li@example.com\\r\\nBcc: x@y.z' WHERE value = 'li@example.com' RETURNING customer_id"
        )
    await ask(runtime.database, reply(broken), reply(customer))

    await deliver_due(runtime, maildir)

    assert [mail["To"] for mail in mails(tmp_path)] == ["wang@example.com"]
    assert sorted(row["status"] for row in await rows(runtime.database, "notification")) == ["delivered", "pending"]


async def test_no_line_of_the_log_names_a_customer_s_address_or_words(
    runtime: Runtime[IntakeSettings], customer: UUID, capsys: pytest.CaptureFixture[str]
) -> None:
    await take_one(runtime.database, incoming(email="li@example.com"))
    async with runtime.database.transaction() as tx:
        broken = await tx.fetchval(
            "UPDATE customer_identity SET address = E'li@example.com\\r\\nBcc: x@y.z' WHERE value = 'li@example.com' RETURNING customer_id"
        )
    await ask(runtime.database, reply(broken), reply(customer, text="Please send us a photo."), invitation(uuid4()))

    async with smtp_sink() as sink:
        for refusal in ("451 wang@example.com is greylisted", "550 wang@example.com is unknown"):
            sink.refusals["wang@example.com"] = refusal
            await deliver_due(runtime, by_server(runtime.settings, sink))
            await make_due(runtime.database)

    written = "".join(capsys.readouterr())
    for action in ("mail_not_composed", "message_not_carried", "notification_ended"):
        assert action in written
    for personal in ("example.com", "y.z", "photo", "王伟"):
        assert personal not in written.replace("aftercare.example", "")


# --- the loop ------------------------------------------------------------------------------------------------------------------------


async def test_the_loop_delivers_what_comes_until_it_is_stopped(runtime: Runtime[IntakeSettings], customer: UUID, tmp_path: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.create_task(deliver(runtime, stop))

    await ask(runtime.database, reply(customer))
    async with asyncio.timeout(10):
        while not await ended(runtime.database):
            await runtime.wakeup.wait(1)
    stop.set()
    await loop

    assert len(mails(tmp_path)) == 1
