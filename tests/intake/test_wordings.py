"""The organisation says things in its own words: which wordings may be sent, who changes them, and what customers then read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.carriers import Carrier
from services.intake.delivery import deliver_due
from services.intake.mail import faults, wording_of_release, write
from services.intake.sending import KINDS
from services.intake.settings import IntakeSettings
from shared.auth import Role
from shared.database import Database
from shared.events.codes import Locale
from shared.runtime import Runtime
from tests.intake.conftest import client
from tests.intake.postbox import NUMBER, ask, mails, reply
from tests.intake.test_mail import INVITATION, LETTERHEAD, REPLY

LIST = "/v1/notification-templates"
SHEET = f"{LIST}/ticket_reply/en"
OURS = 'News from Example & Co ({{ number }})\n\nDear customer,\n\n{{ text }}\n\n{% if link %}{{ button("Look") }}{% endif %}'


# --- what may be sent ----------------------------------------------------------------------------------------------------------------


@pytest.mark.pure
@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("locale", sorted(Locale))
def test_the_wordings_of_the_release_keep_the_rules_for_everybody_s(kind: str, locale: str) -> None:
    assert faults(kind, wording_of_release(kind, locale)) == []


@pytest.mark.pure
@pytest.mark.parametrize(
    "trick",
    [
        "{{ number.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ number | upper }}",
        "{{ text * 99999999 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{% for i in range(99999999) %}x{% endfor %}",
        "{% include 'mail.html' %}",
        "{% import 'os' as os %}",
        "{% set number = 1 %}",
        "{% macro a() %}{% endmacro %}",
        "{{ button.__globals__ }}",
        "{{ button }}",
        "{{ large(button('x')) }}",
        "{{ cycler.__init__ }}",
        "{{ lipsum() }}",
        "{{ [number] }}",
        "{{ customer_name }}",
        "{% if number in text %}x{% endif %}",
        "{{ self }}",
        "{{ button(*number) }}",
        "{{ unfinished",
        "{% if number %}",
    ],
)
def test_a_wording_shows_what_messages_may_say_and_does_nothing_else(trick: str) -> None:
    assert faults("ticket_reply", OURS) == []
    assert faults("ticket_reply", f"{OURS}\n{trick}") != []


@pytest.mark.pure
@pytest.mark.parametrize(
    ("kind", "wording"),
    [
        ("acknowledgement", "We have it\n\nThank you."),
        ("ticket_reply", "Answer on {{ number }}\n\nLook at our site."),
        ("survey_invitation", "How was it? {{ number }}\n\nThank you."),
        ("ticket_status", "Only a subject {{ number }}"),
    ],
)
def test_a_wording_says_what_its_message_is_for(kind: str, wording: str) -> None:
    assert len(faults(kind, wording)) == 1


@pytest.mark.pure
@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("{}%#<>&'\"()|.=! \nabinumberfldstx"), max_size=60))
def test_whatever_passes_the_check_can_be_written(wording: str) -> None:
    whole = f"{{{{ number }}}}\n\n{{{{ text }}}}\n{wording}"
    if faults("ticket_reply", whole):
        return

    words = write(REPLY, LETTERHEAD, whole)

    assert NUMBER in words.subject
    assert "<script" not in words.html


@pytest.mark.pure
def test_a_wording_is_words_and_no_markup() -> None:
    html = write(REPLY, LETTERHEAD, OURS + '\n\n<script>alert("1")</script> <b>A & B</b>').html

    assert "<script" not in html
    assert "&lt;b&gt;A &amp; B&lt;/b&gt;" in html


@pytest.mark.pure
def test_the_way_out_of_surveys_stays_whatever_the_wording() -> None:
    words = write(INVITATION, LETTERHEAD, "Please {{ number }}\n\n{{ button('Go') }}")

    assert INVITATION.data["opt_out_link"] in words.text
    assert "Example & Co" in words.text


# --- who changes it ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def manager(app: FastAPI, intake_database: Database) -> AsyncIterator[AsyncClient]:
    async with client(app, intake_database, Role.MANAGER, "manager-1") as found:
        yield found


async def change(api: AsyncClient, wording: str | None, version: int, path: str = SHEET) -> Any:
    return await api.put(path, json={"wording": wording}, headers={"If-Match": f'"{version}"'})


@pytest.mark.postgres
@pytest.mark.api
async def test_customers_read_the_words_of_a_manager_from_then_on(
    runtime: Runtime[IntakeSettings], maildir: list[Carrier], manager: AsyncClient, customer: UUID, tmp_path: Path
) -> None:
    changed = await change(manager, OURS, 0)
    await ask(runtime.database, reply(customer, locale="en"), reply(customer, locale="zh-TW"))
    await deliver_due(runtime, maildir)

    assert (changed.status_code, changed.headers["etag"], changed.json()["is_own"]) == (200, '"1"', True)
    assert changed.json()["subject"] == f"News from Example & Co ({NUMBER})"
    assert sorted(mail["Subject"] for mail in mails(tmp_path)) == [f"News from Example & Co ({NUMBER})", f"關於您的服務單 {NUMBER} 的回覆"]


@pytest.mark.postgres
@pytest.mark.api
async def test_a_wording_can_be_taken_back_and_its_history_stays(manager: AsyncClient) -> None:
    await change(manager, OURS, 0)
    back = await change(manager, None, 1)

    assert (back.json()["version"], back.json()["is_own"]) == (2, False)
    assert back.json()["wording"] == wording_of_release("ticket_reply", "en")
    history = (await manager.get(f"{SHEET}/versions", params={"limit": "1"})).json()
    older = (await manager.get(f"{SHEET}/versions", params={"limit": "1", "cursor": history["next_cursor"]})).json()
    steps = [(step["version"], step["wording"], step["changed_by"]) for step in history["items"] + older["items"]]
    assert steps == [(2, None, "manager-1"), (1, OURS, "manager-1")]
    assert older["next_cursor"] is None


@pytest.mark.postgres
@pytest.mark.api
async def test_two_managers_at_once_do_not_overwrite_each_other(manager: AsyncClient) -> None:
    answers = await asyncio.gather(*(change(manager, f"{OURS}\n{n}", 0) for n in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    assert (await change(manager, OURS, 0)).json()["code"] == "stale_version"
    assert (await manager.put(SHEET, json={"wording": OURS})).status_code == 428


@pytest.mark.postgres
@pytest.mark.api
async def test_a_wording_that_cannot_be_sent_is_refused_with_its_faults(manager: AsyncClient) -> None:
    answer = await change(manager, "Subject\n\n{{ customer_name }} {{ 1 + 1 }}", 0)

    assert (answer.status_code, answer.json()["code"]) == (422, "wording_refused")
    assert {wrong["pointer"] for wrong in answer.json()["errors"]} == {"#/wording"}
    assert len(answer.json()["errors"]) >= 3
    assert (await manager.get(f"{LIST}/ticket_reply", params={"locale": "en"})).json()["version"] == 0


@pytest.mark.postgres
@pytest.mark.api
@pytest.mark.parametrize(
    "body", [{}, {"wording": ""}, {"wording": "x" * 4001}, {"wording": 7}, {"wording": "a\x00b"}, {"wording": OURS, "colour": "red"}]
)
async def test_an_unsound_body_changes_nothing(manager: AsyncClient, body: dict[str, Any]) -> None:
    answer = await manager.put(SHEET, json=body, headers={"If-Match": '"0"'})

    assert answer.status_code == 422
    assert (await manager.get(f"{LIST}/ticket_reply", params={"locale": "en"})).json()["version"] == 0


@pytest.mark.postgres
@pytest.mark.api
async def test_every_wording_is_listed_with_who_changed_it(manager: AsyncClient) -> None:
    await change(manager, OURS, 0)

    items = (await manager.get(LIST)).json()["items"]

    assert len(items) == len(KINDS) * len(Locale)
    assert [(item["kind"], item["locale"], item["changed_by"]) for item in items if item["is_own"]] == [("ticket_reply", "en", "manager-1")]


@pytest.mark.postgres
@pytest.mark.api
async def test_a_kind_or_language_that_does_not_exist_has_no_wording(manager: AsyncClient) -> None:
    assert (await change(manager, OURS, 0, f"{LIST}/horoscope/en")).status_code == 404
    assert (await manager.get(f"{LIST}/horoscope/en/versions")).status_code == 404
    assert (await change(manager, OURS, 0, f"{LIST}/ticket_reply/fr")).status_code == 404
