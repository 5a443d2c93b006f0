"""What a mail to a customer looks like."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.mail import compose
from services.intake.sending import KINDS, Notification
from shared.events.codes import Locale

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
NUMBER = "AS-20261125EEA182H"
LINK = "https://feedback.example.com/s/abc-DEF_123"
INVITATION = Notification(
    UUID(int=1),
    UUID(int=2),
    UUID(int=3),
    "survey_invitation",
    "zh-CN",
    NOW,
    NUMBER,
    link=LINK,
    expires_at=datetime(2026, 12, 9, 17, 0, tzinfo=UTC),
)
REPLY = replace(INVITATION, kind="ticket_reply", text="第一行\n第二行\n\n<b>新段落</b> & more", link=None)


def read(notification: Notification) -> EmailMessage:
    """The mail as its reader's program parses it."""
    sent = compose(notification, "wang@example.com", sender="Service <service@example.org>", zone=ZoneInfo("Asia/Shanghai"))
    parsed = message_from_bytes(sent.as_bytes(), policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("locale", sorted(Locale))
def test_every_kind_of_message_exists_in_every_language(kind: str, locale: str) -> None:
    mail = read(replace(INVITATION, kind=kind, locale=locale, text="answer"))

    assert NUMBER in mail["Subject"]
    assert mail["Content-Language"] == locale
    for form in ("plain", "html"):
        assert NUMBER in part(mail, form)
        assert LINK in part(mail, form)


def test_the_same_message_is_the_same_mail() -> None:
    mail = read(INVITATION)

    assert mail["Message-ID"] == f"<{UUID(int=1)}@example.org>"
    assert mail["Date"].datetime == NOW
    assert read(INVITATION).as_bytes() == mail.as_bytes()


def test_the_link_can_be_read_in_the_raw_mail() -> None:
    assert LINK.encode() in read(INVITATION).as_bytes()


def test_the_last_day_is_told_in_the_organisation_s_zone_and_the_customer_s_language() -> None:
    assert "2026年12月10日" in part(read(INVITATION), "plain")
    assert "December 10, 2026" in part(read(replace(INVITATION, locale="en")), "plain")
    assert "有效" not in part(read(replace(INVITATION, expires_at=None)), "plain")


def test_an_invitation_says_that_nobody_in_particular_sent_it_and_an_answer_does_not() -> None:
    assert read(INVITATION)["Auto-Submitted"] == "auto-generated"
    assert read(REPLY)["Auto-Submitted"] is None


def test_the_words_of_our_staff_stand_as_they_were_written() -> None:
    mail = read(REPLY)

    assert "第一行\n第二行\n\n<b>新段落</b> & more" in part(mail, "plain").replace("\r\n", "\n")
    assert "<p>第一行<br>第二行</p>" in part(mail, "html")
    assert "&lt;b&gt;新段落&lt;/b&gt; &amp; more" in part(mail, "html")


def test_a_language_that_we_do_not_write_becomes_the_default() -> None:
    assert read(replace(REPLY, locale="fr"))["Content-Language"] == "zh-CN"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=2_000))
def test_any_text_of_our_staff_makes_a_mail_that_smtp_takes(text: str) -> None:
    raw = compose(replace(REPLY, text=text), "wang@example.com", sender="a@example.org", zone=ZoneInfo("UTC")).as_bytes()

    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
