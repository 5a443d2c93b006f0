"""What a mail to a customer looks like."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy, default
from email.utils import format_datetime
from html.parser import HTMLParser
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.mail import Letterhead, compose
from services.intake.mail.headers import POLICY
from services.intake.sending import AUTOMATIC, KINDS, Notification
from shared.events.codes import Locale

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
NUMBER = "AS-20261125EEA182H"
OTHER = "AS-20261126EEA183K"
LINK = "https://feedback.example.com/s/abc-DEF_123"
OPT_OUT = "https://feedback.example.com/s/abc-DEF_123/opt-out"
LETTERHEAD = Letterhead(
    sender="Service <service@example.org>",
    organisation="Example & Co",
    zone=ZoneInfo("Asia/Shanghai"),
    track=lambda number, _at: f"https://tickets.example.com/track/{number}",
)
INVITATION = Notification(
    UUID(int=1),
    UUID(int=2),
    UUID(int=3),
    "survey_invitation",
    "zh-CN",
    NOW,
    NUMBER,
    link=LINK,
    data={"opt_out_link": OPT_OUT},
    expires_at=datetime(2026, 12, 9, 17, 0, tzinfo=UTC),
)
REPLY = replace(INVITATION, kind="ticket_reply", text="第一行\n第二行\n\n<b>新段落</b> & more", link=None)
STATUS = replace(INVITATION, kind="ticket_status", link=None, expires_at=None, data={"status": "resolved"})
RECEIPT = replace(INVITATION, kind="acknowledgement", link=None, data={})
OURS_TO_TELL = (
    "assigned",
    "in_progress",
    "waiting_customer",
    "waiting_parts",
    "waiting_third_party",
    "resolved",
    "confirmed",
    "closed",
    "cancelled",
    "merged",
)
WORDS_OF_ANOTHER = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200)


def read(notification: Notification) -> EmailMessage:
    """The mail as its reader's program parses it."""
    parsed = message_from_bytes(compose(notification, "wang@example.com", LETTERHEAD).as_bytes(), policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def both(mail: EmailMessage) -> str:
    return part(mail, "plain") + part(mail, "html")


# --- every kind, every language ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("locale", sorted(Locale))
def test_every_kind_of_message_exists_in_every_language(kind: str, locale: str) -> None:
    mail = read(replace(INVITATION, kind=kind, locale=locale, text="answer"))

    assert NUMBER in mail["Subject"]
    assert mail["Content-Language"] == locale
    for form in ("plain", "html"):
        assert NUMBER in part(mail, form)
        assert LINK in part(mail, form)
    assert "Example & Co" in part(mail, "plain")
    assert "Example &amp; Co" in part(mail, "html")


@pytest.mark.parametrize("status", OURS_TO_TELL)
@pytest.mark.parametrize("locale", sorted(Locale))
def test_every_status_has_words_of_its_own(status: str, locale: str) -> None:
    told = read(replace(STATUS, locale=locale, data={"status": status}))
    unknown = read(replace(STATUS, locale=locale, data={"status": "levitating"}))

    assert told["Subject"] != unknown["Subject"]
    assert part(told, "plain") != part(unknown, "plain")
    assert locale == "en" or status not in both(told)


@pytest.mark.parametrize("locale", sorted(Locale))
def test_a_ticket_closed_for_want_of_an_answer_says_so(locale: str) -> None:
    silent = read(replace(STATUS, locale=locale, data={"status": "closed", "reason": "no_customer_answer"}))
    solved = read(replace(STATUS, locale=locale, data={"status": "closed"}))

    assert part(silent, "plain") != part(solved, "plain")


@pytest.mark.parametrize("locale", sorted(Locale))
def test_a_merged_ticket_names_the_one_that_goes_on(locale: str) -> None:
    mail = read(replace(STATUS, locale=locale, data={"status": "merged", "into": OTHER}))

    assert OTHER in part(mail, "plain")
    assert OTHER in part(mail, "html")


def test_whoever_is_asked_for_an_answer_hears_until_when() -> None:
    data = {"status": "waiting_customer", "closes_at": "2026-12-01T17:00:00+00:00"}

    assert "2026年12月2日" in part(read(replace(STATUS, data=data)), "plain")
    assert "December 2, 2026" in part(read(replace(STATUS, kind="ticket_reminder", data=data, locale="en")), "plain")


def test_the_languages_of_china_and_taiwan_are_not_one_written_in_two_scripts() -> None:
    mainland, taiwan = (part(read(replace(RECEIPT, locale=locale)), "plain") for locale in ("zh-CN", "zh-TW"))

    assert "邮箱" in mainland
    assert "電子郵件信箱" in taiwan
    assert not set("们单务请么邮发为处进") & set(taiwan)
    assert not set("們單務請麼郵發為處進") & set(mainland)


# --- what it is, to people and programs ----------------------------------------------------------------------------------------------


def test_the_same_message_is_the_same_mail() -> None:
    mail = read(INVITATION)

    assert mail["Message-ID"] == f"<{UUID(int=1)}@example.org>"
    assert mail["Date"].datetime == NOW
    assert read(INVITATION).as_bytes() == mail.as_bytes()


def test_mails_about_one_ticket_stand_together() -> None:
    assert {read(n)["References"] for n in (INVITATION, REPLY, STATUS, RECEIPT)} == {f"<{NUMBER}@example.org>"}


def test_the_link_can_be_read_in_the_raw_mail() -> None:
    assert LINK.encode() in read(INVITATION).as_bytes()


def test_the_last_day_is_told_in_the_organisation_s_zone_and_the_customer_s_language() -> None:
    assert "2026年12月10日" in part(read(INVITATION), "plain")
    assert "December 10, 2026" in part(read(replace(INVITATION, locale="en")), "plain")
    assert "有效" not in part(read(replace(INVITATION, expires_at=None)), "plain")


@pytest.mark.parametrize("kind", sorted(AUTOMATIC))
def test_no_machine_is_invited_to_answer_a_machine(kind: str) -> None:
    mail = read(replace(INVITATION, kind=kind))

    assert mail["Auto-Submitted"] == ("auto-replied" if kind == "acknowledgement" else "auto-generated")
    assert mail["X-Auto-Response-Suppress"] == "All"


def test_an_answer_of_our_staff_is_a_person_s_mail() -> None:
    assert read(REPLY)["Auto-Submitted"] is None


def test_surveys_can_be_declined_and_the_news_of_a_ticket_not() -> None:
    survey, status = read(INVITATION), read(replace(STATUS, data={"status": "resolved", "opt_out_link": OPT_OUT}))

    assert survey["List-Unsubscribe"] == f"<{OPT_OUT}>"
    assert OPT_OUT in part(survey, "plain")
    assert OPT_OUT in part(survey, "html")
    assert status["List-Unsubscribe"] is None
    assert OPT_OUT not in both(status)


@pytest.mark.parametrize("locale", sorted(Locale))
def test_whether_a_complaint_was_settled_is_asked_as_something_that_is_owed(locale: str) -> None:
    owed = read(replace(INVITATION, locale=locale, data={"purpose": "service", "opt_out_link": OPT_OUT}))
    survey = read(replace(INVITATION, locale=locale, data={"purpose": "survey", "opt_out_link": OPT_OUT}))

    assert owed["Subject"] != survey["Subject"]
    assert LINK in part(owed, "plain")
    assert OPT_OUT not in both(owed)
    assert OPT_OUT in both(survey)


def test_a_survey_without_a_way_out_of_surveys_offers_none() -> None:
    mail = read(replace(INVITATION, data={}))

    assert "退订" not in both(mail)
    assert mail["List-Unsubscribe"] is None


@pytest.mark.parametrize("notification", [RECEIPT, STATUS, replace(STATUS, kind="ticket_reminder")], ids=lambda n: str(n.kind))
def test_the_news_of_a_ticket_leads_to_its_tracking_page(notification: Notification) -> None:
    assert f"https://tickets.example.com/track/{NUMBER}" in part(read(notification), "plain")
    assert f'href="https://tickets.example.com/track/{NUMBER}"' in part(read(notification), "html")


def test_the_words_of_our_staff_stand_as_they_were_written() -> None:
    mail = read(REPLY)

    assert "第一行\n第二行\n\n<b>新段落</b> & more" in part(mail, "plain")
    assert "<p>第一行<br>第二行</p>" in part(mail, "html")
    assert "&lt;b&gt;新段落&lt;/b&gt; &amp; more" in part(mail, "html")


def test_a_language_that_we_do_not_write_becomes_the_default() -> None:
    assert read(replace(REPLY, locale="fr"))["Content-Language"] == "zh-CN"


# --- nobody speaks through us --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(AUTOMATIC))
@settings(max_examples=40, deadline=None)
@given(words=WORDS_OF_ANOTHER)
def test_an_automatic_message_repeats_no_words_of_its_event(kind: str, words: str) -> None:
    """Whatever a producer lets slip into a field, the mail reads as if it had not."""
    clean = replace(INVITATION, kind=kind, link=None, data={}, text=None)
    slipped = replace(
        clean, text=words, data={"status": words, "reason": words, "into": words, "closes_at": words, "subject": words, "name": words}
    )
    code = re.fullmatch("[a-z][a-z0-9_]*|AS-[0-9]{8}[0-9A-Z]{7}(-[0-9]+)?", words)

    if code is None:
        assert read(slipped).as_bytes() == read(clean).as_bytes()


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "https://a.example/<b>", "https://a.example/ x", "file:///etc"]
)
def test_a_mail_leads_only_to_web_pages(link: str) -> None:
    mail = read(replace(INVITATION, link=link, data={"opt_out_link": link}))

    assert link not in both(mail)
    assert mail["List-Unsubscribe"] is None


@settings(max_examples=50, deadline=None)
@given(WORDS_OF_ANOTHER)
def test_the_words_of_staff_can_hold_no_markup(text: str) -> None:
    tags = _Tags()
    tags.feed(part(read(replace(REPLY, text=text)), "html"))

    assert tags.found <= {"html", "head", "meta", "title", "body", "table", "tr", "td", "p", "br", "a", "strong", "span"}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=2_000))
def test_any_text_of_our_staff_makes_a_mail_that_smtp_takes(text: str) -> None:
    raw = compose(replace(REPLY, text=text), "wang@example.com", LETTERHEAD).as_bytes()

    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")


# --- headers ---------------------------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["From", "To", "Subject", "Date", "Message-ID", "References", "List-Unsubscribe", "Auto-Submitted", "Content-Type"])
DATES = st.datetimes(timezones=st.sampled_from([UTC, ZoneInfo("Asia/Shanghai")])).map(format_datetime)
ADDRESSES = st.from_regex(r"[A-Za-z0-9_.+-]{1,50}@[a-z.-]{1,12}", fullmatch=True)
WORDS = st.text(alphabet="aQz019-:=?_()&!. ", min_size=1, max_size=80)
VALUES = st.one_of(
    st.sampled_from(["wang@example.com", "服务 <service@example.org>", "multipart/alternative; boundary=b", 'text/plain; charset="utf-8"']),
    st.text(alphabet='aw.+-_@ "<>,;=?utf8q服务。\u3000', min_size=1, max_size=90),
    st.text(alphabet="我们已收到é🔧（AS-2026） =?", min_size=1, max_size=120),
    st.from_regex(r'multipart/alternative; boundary="[a-z0-9-]{1,80}"', fullmatch=True),
    DATES,
    ADDRESSES,
    WORDS,
)


def outcome(policy: EmailPolicy[EmailMessage], name: str, value: str) -> object:
    """What a reader's program finds in a mail with this header, or how the header is refused."""
    mail = EmailMessage(policy=policy)
    try:
        mail[name] = value
        return [(found, str(text)) for found, text in message_from_bytes(mail.as_bytes(), policy=default).items()]
    except (ValueError, IndexError, AttributeError) as error:
        return type(error)


@pytest.mark.parametrize("utf8", [False, True])
@settings(max_examples=300, deadline=None)
@given(name=NAMES, value=VALUES)
def test_a_header_reads_as_the_standard_library_has_it(name: str, value: str, utf8: bool) -> None:
    assert outcome(POLICY.clone(utf8=utf8), name, value) == outcome(SMTP.clone(utf8=utf8), name, value)


def written(policy: EmailPolicy[EmailMessage], name: str, value: str) -> bytes | type:
    """A mail with this header alone."""
    mail = EmailMessage(policy=policy)
    try:
        mail[name] = value
        return mail.as_bytes()
    except (ValueError, IndexError, AttributeError) as error:
        return type(error)


@pytest.mark.parametrize(("name", "values"), [("Date", DATES), ("To", ADDRESSES), ("Subject", WORDS)])
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_header_in_ascii_is_written_as_the_standard_library_writes_it(
    name: str, values: st.SearchStrategy[str], data: st.DataObject
) -> None:
    value = data.draw(values)

    assert written(POLICY, name, value) == written(SMTP, name, value)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="我们已收到é🔧（AS-2026） ", min_size=1, max_size=120))
def test_no_line_of_a_subject_is_longer_than_people_s_programs_like(subject: str) -> None:
    raw = written(POLICY, "Subject", f"服务{subject}".strip())

    assert isinstance(raw, bytes)
    assert raw.isascii()
    assert all(len(line) <= 78 for line in raw.split(b"\r\n"))


@pytest.mark.parametrize("name", ["Subject", "To", "References", "List-Unsubscribe"])
def test_no_header_brings_another_one_along(name: str) -> None:
    with pytest.raises(ValueError, match="linefeed"):
        EmailMessage(policy=POLICY)[name] = "a\r\nBcc: everybody@example.com"


def test_links_and_numbers_for_machines_are_not_encoded_however_long() -> None:
    opt_out = f"https://feedback.example.com/s/{'t' * 120}/opt-out"
    letterhead = replace(LETTERHEAD, sender=f"Service <service@{'long.' * 14}example.org>")

    raw = compose(replace(INVITATION, data={"opt_out_link": opt_out}), "wang@example.com", letterhead).as_bytes()

    assert f"\r\nList-Unsubscribe: <{opt_out}>\r\n".encode() in raw
    assert f"\r\nReferences: <{NUMBER}@{'long.' * 14}example.org>\r\n".encode() in raw
