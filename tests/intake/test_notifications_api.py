"""Messages to customers as staff see them: lists, one message, another try, and how messages read."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from services.intake.acceptance import Contact
from services.intake.carriers import Carrier
from services.intake.delivery import deliver_due, figures
from services.intake.sending import KINDS
from services.intake.settings import IntakeSettings
from services.intake.store import tickets
from shared import clock
from shared.auth import Role
from shared.database import Database
from shared.events.codes import Locale
from shared.runtime import Runtime
from tests.intake.builders import incoming, own_key, rows, take_one
from tests.intake.conftest import client
from tests.intake.postbox import NUMBER, ask, ended, invitation, mails, reply, status

pytestmark = [pytest.mark.postgres, pytest.mark.api]

LIST = "/v1/notifications"
LI = UUID(int=2)


@pytest.fixture
async def agent(app: FastAPI, intake_database: Database) -> Any:
    async with client(app, intake_database, Role.AGENT, "agent-1") as found:
        yield found


@pytest.fixture
async def homeless(intake_database: Database) -> UUID:
    """A customer whom no message reaches yet."""
    await take_one(intake_database, incoming(customer=Contact(phone="13800138000")))
    (found,) = [row["customer_id"] for row in await rows(intake_database, "customer_identity") if row["value"] == "+8613800138000"]
    return UUID(str(found))


async def gets_address(database: Database, email: str) -> None:
    """He writes again and names one."""
    await take_one(database, incoming(customer=Contact(phone="13800138000", email=email)))


async def listed(api: AsyncClient, **params: Any) -> list[dict[str, Any]]:
    answer = await api.get(LIST, params=params)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def fail(runtime: Runtime[IntakeSettings], carriers: list[Carrier], customer: UUID, **fields: Any) -> str:
    """A reply that reaches nobody; its notification id."""
    asked = reply(customer, **fields)
    await ask(runtime.database, asked)
    await deliver_due(runtime, carriers)
    return str(asked.notification_id)


# --- looking -------------------------------------------------------------------------------------------------------------------------


async def test_staff_see_what_was_said_and_what_became_of_it_but_neither_words_nor_addresses(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, agent: AsyncClient
) -> None:
    asked = reply(customer, text="Please send us a photo.")
    await ask(runtime.database, asked, status(uuid4(), "resolved"))
    waiting = await listed(agent, state="pending")
    await deliver_due(runtime, maildir)

    (delivered,) = await listed(agent, customer_id=str(customer))

    assert [item["state"] for item in waiting] == ["pending"] * 2
    assert all(item["next_attempt_at"] for item in waiting)
    assert delivered == (await agent.get(f"{LIST}/{asked.notification_id}")).json()
    assert (delivered["kind"], delivered["state"], delivered["channel"]) == ("ticket_reply", "delivered", "email")
    assert (delivered["address"], delivered["ticket_number"]) == ("w***@example.com", NUMBER)
    assert delivered["next_attempt_at"] is None
    (failed,) = await listed(agent, state="failed")
    assert (failed["kind"], failed["reason"], failed["address"]) == ("ticket_status", "no_address", None)
    for shown in (str(delivered), str(failed), str(waiting)):
        assert "photo" not in shown
        assert "wang@" not in shown


async def test_a_list_is_read_page_by_page_the_latest_first(runtime: Runtime[IntakeSettings], customer: UUID, agent: AsyncClient) -> None:
    now = clock.now()
    await ask(runtime.database, *(reply(customer, occurred_at=now - timedelta(seconds=n // 3)) for n in range(10)))

    seen: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = (await agent.get(LIST, params={"limit": "3", "customer_id": str(customer), **({"cursor": cursor} if cursor else {})})).json()
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        await ask(runtime.database, reply(customer))

    assert len({item["notification_id"] for item in seen}) == len(seen) == 10
    moments = [item["requested_at"] for item in seen]
    assert moments == sorted(moments, reverse=True)


async def test_a_ticket_s_messages_are_found_by_every_reference_that_answers_as_it(
    runtime: Runtime[IntakeSettings], customer: UUID, agent: AsyncClient
) -> None:
    joined, other = "AS-20261125EEA183K", "AS-20261126EEA183K"
    async with runtime.database.transaction() as tx:
        await tickets.save_aliases(tx, [(joined, NUMBER)])
    await ask(runtime.database, *(reply(customer, ticket_number=number) for number in (NUMBER, joined, other)))

    for number in (NUMBER, joined):
        assert {item["ticket_number"] for item in await listed(agent, ticket=number)} == {NUMBER, joined}


async def test_a_file_shows_the_messages_of_those_that_were_merged_into_it(
    runtime: Runtime[IntakeSettings], customer: UUID, agent: AsyncClient
) -> None:
    await take_one(runtime.database, incoming(customer=Contact(email="li@example.com"), caller=own_key(LI)))
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE customer SET merged_into = $2, survivor_id = $2 WHERE customer_id = $1", LI, customer)
    await ask(runtime.database, reply(customer), reply(LI))

    assert len(await listed(agent, customer_id=str(customer))) == 2
    assert len(await listed(agent, customer_id=str(LI))) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"state": "lost"}, {"customer_id": "wang"}, {"ticket": "' OR 1=1"}, {"cursor": "AAAA"}, {"limit": "0"}, {"colour": "red"}],
    ids=str,
)
async def test_a_wrong_filter_is_named(agent: AsyncClient, wrong: dict[str, str]) -> None:
    answer = await agent.get(LIST, params=wrong)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"?{next(iter(wrong))}"


async def test_a_cursor_belongs_to_its_filters(runtime: Runtime[IntakeSettings], customer: UUID, agent: AsyncClient) -> None:
    await ask(runtime.database, *(reply(customer) for _ in range(2)))
    cursor = (await agent.get(LIST, params={"limit": 1, "state": "pending"})).json()["next_cursor"]

    assert (await agent.get(LIST, params={"limit": 1, "state": "failed", "cursor": cursor})).status_code == 422


async def test_a_message_that_nobody_sent_is_not_found(agent: AsyncClient) -> None:
    for answer in (await agent.get(f"{LIST}/{uuid4()}"), await agent.post(f"{LIST}/{uuid4()}/resend")):
        assert (answer.status_code, answer.json()["code"]) == (404, "notification_not_found")


# --- another try ---------------------------------------------------------------------------------------------------------------------


async def test_a_failed_message_is_sent_again_when_what_was_wrong_is_mended(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], homeless: UUID, agent: AsyncClient, tmp_path: Path
) -> None:
    failed = await fail(runtime, maildir, homeless, text="Please send us a photo.")
    await gets_address(runtime.database, "wang@example.com")

    answer = await agent.post(f"{LIST}/{failed}/resend")
    await deliver_due(runtime, maildir)

    again = answer.json()
    assert (answer.status_code, again["state"], again["resend_of"], again["requested_by"]) == (202, "pending", failed, "agent-1")
    (mail,) = mails(tmp_path)
    assert "Please send us a photo." in mail.get_body(("plain",)).get_content()
    assert [(fact["notification_id"], fact["type_of_event"]) for fact in await ended(runtime.database)] in (
        [(failed, "notification.failed.v1"), (again["notification_id"], "notification.delivered.v1")],
    )
    before = (await agent.get(f"{LIST}/{failed}")).json()
    assert (before["state"], before["resent_as"]) == ("failed", again["notification_id"])


async def test_two_agents_at_once_have_it_sent_once(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], homeless: UUID, agent: AsyncClient
) -> None:
    failed = await fail(runtime, maildir, homeless)

    answers = await asyncio.gather(*(agent.post(f"{LIST}/{failed}/resend") for _ in range(10)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["notification_id"] for answer in answers}) == 1
    assert len(await rows(runtime.database, "notification")) == 2


async def test_the_same_key_gets_the_same_answer(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], homeless: UUID, agent: AsyncClient
) -> None:
    failed, other = await fail(runtime, maildir, homeless), await fail(runtime, maildir, homeless)
    key = {"Idempotency-Key": "again-1"}

    first = await agent.post(f"{LIST}/{failed}/resend", headers=key)
    await deliver_due(runtime, maildir)
    second = await agent.post(f"{LIST}/{failed}/resend", headers=key)

    assert second.content == first.content
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (await agent.post(f"{LIST}/{other}/resend", headers=key)).status_code == 422


async def test_what_was_sent_again_and_failed_again_can_be_sent_again(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], homeless: UUID, agent: AsyncClient, tmp_path: Path
) -> None:
    failed = await fail(runtime, maildir, homeless)
    second = (await agent.post(f"{LIST}/{failed}/resend")).json()["notification_id"]
    await deliver_due(runtime, maildir)
    await gets_address(runtime.database, "wang@example.com")

    await agent.post(f"{LIST}/{second}/resend")
    await deliver_due(runtime, maildir)

    assert len(mails(tmp_path)) == 1


async def test_only_what_failed_is_sent_again(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, agent: AsyncClient
) -> None:
    asked = reply(customer)
    await ask(runtime.database, asked)
    pending = await agent.post(f"{LIST}/{asked.notification_id}/resend")
    await deliver_due(runtime, maildir)
    delivered = await agent.post(f"{LIST}/{asked.notification_id}/resend")

    assert [(answer.status_code, answer.json()["code"]) for answer in (pending, delivered)] == [(409, "notification_not_failed")] * 2


async def test_what_has_expired_or_was_overtaken_is_not_sent_again(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, agent: AsyncClient
) -> None:
    now = clock.now()
    expired = invitation(customer, expires_at=now - timedelta(seconds=1))
    old, new = status(uuid4(), "in_progress", occurred_at=now - timedelta(minutes=1)), status(customer, "resolved", ticket_number=NUMBER)
    await ask(runtime.database, expired, old)
    await deliver_due(runtime, maildir)
    await ask(runtime.database, new)

    for asked in (expired, old):
        answer = await agent.post(f"{LIST}/{asked.notification_id}/resend")
        assert (answer.status_code, answer.json()["code"]) == (409, "notification_not_resendable")


async def test_the_words_of_a_failed_message_are_forgotten_after_a_week(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], homeless: UUID, agent: AsyncClient
) -> None:
    failed = await fail(runtime, maildir, homeless)
    await figures.forget(runtime)
    assert [row["text"] for row in await rows(runtime.database, "notification")] == ["Please send us a photo."]

    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE notification SET finished_at = finished_at - interval '8 days'")
    await figures.forget(runtime)

    assert [row["text"] for row in await rows(runtime.database, "notification")] == [None]
    answer = await agent.post(f"{LIST}/{failed}/resend")
    assert (answer.status_code, answer.json()["code"]) == (409, "notification_not_resendable")


async def test_a_survey_that_is_sent_again_asks_for_consent_again(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID, agent: AsyncClient, tmp_path: Path
) -> None:
    asked = invitation(customer)
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE customer SET consent_survey = false")
    await ask(runtime.database, asked)
    await deliver_due(runtime, maildir)

    await agent.post(f"{LIST}/{asked.notification_id}/resend")
    await deliver_due(runtime, maildir)

    assert [fact["reason"] for fact in await ended(runtime.database)] == ["no_consent"] * 2
    assert not (tmp_path / "mail").exists()


# --- how messages read ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("locale", sorted(Locale))
async def test_staff_can_read_every_message_before_a_customer_does(agent: AsyncClient, kind: str, locale: str) -> None:
    answer = await agent.get(f"/v1/notification-templates/{kind}", params={"locale": locale})

    shown = answer.json()
    assert (answer.status_code, shown["kind"], shown["locale"]) == (200, kind, locale)
    assert NUMBER in shown["subject"]
    assert NUMBER in shown["text"]
    assert shown["html"].startswith("<!doctype html>")


async def test_a_status_message_is_shown_for_the_status_asked_for(agent: AsyncClient) -> None:
    path = "/v1/notification-templates/ticket_status"
    resolved, merged = [(await agent.get(path, params={"status": asked})).json()["text"] for asked in ("resolved", "merged")]

    assert "已处理完成" in resolved
    assert "合并" in merged


async def test_a_kind_that_does_not_exist_has_no_template(agent: AsyncClient) -> None:
    answer = await agent.get("/v1/notification-templates/horoscope")

    assert (answer.status_code, answer.json()["code"]) == (404, "template_not_found")


# --- what operators see --------------------------------------------------------------------------------------------------------------


async def test_the_gauges_show_what_waits_and_for_how_long(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], customer: UUID
) -> None:
    await ask(runtime.database, *(invitation(customer) for _ in range(5)), reply(customer))
    async with runtime.database.transaction() as tx:
        await tx.execute("UPDATE notification SET created_at = created_at - interval '1 minute'")
    await figures.show(runtime)
    assert (_gauge(figures.PENDING, "survey_invitation"), _gauge(figures.PENDING, "ticket_reply"), figures.OVERDUE._value.get()) == (
        5,
        1,
        6,
    )
    assert 60 <= _gauge(figures.OLDEST, "survey_invitation") < 120

    await deliver_due(runtime, maildir)
    await figures.show(runtime)

    assert (_gauge(figures.PENDING, "survey_invitation"), _gauge(figures.PENDING, "ticket_reply"), figures.OVERDUE._value.get()) == (
        2,
        0,
        0,
    )


def _gauge(gauge: Any, kind: str) -> float:
    value: float = gauge.labels(kind)._value.get()
    return value
