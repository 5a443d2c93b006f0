"""A message to a customer as a mail: in his language, plain text and simple HTML, and never with a word that a requester wrote.

Message-ID and date derive from the event that asked for it, so the same message sent twice is the same mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_date
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.intake.sending import Notification
from shared.events.codes import DEFAULT_LOCALE, Locale

_TEMPLATES: Final = FileSystemLoader(Path(__file__).with_name("templates"))
_TEXT: Final = Environment(loader=_TEMPLATES, undefined=StrictUndefined, trim_blocks=True, autoescape=False)
_HTML: Final = Environment(loader=_TEMPLATES, undefined=StrictUndefined, trim_blocks=True, autoescape=True)
_LONGEST_LINE: Final = 900
"""Bytes; SMTP allows 998."""


def compose(notification: Notification, address: str, *, sender: str, zone: ZoneInfo) -> EmailMessage:
    """The mail for a notification of a kind that `sending.KINDS` knows."""
    locale = notification.locale if notification.locale in set(Locale) else DEFAULT_LOCALE.value
    subject, text = _render(notification, locale, zone)
    mail = EmailMessage(policy=SMTP)
    mail["Message-ID"] = message_id(notification, sender)
    mail["Date"] = notification.requested_at
    mail["From"] = sender
    mail["To"] = address
    mail["Subject"] = subject
    if notification.is_automatic:
        mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text, cte=_transfer_encoding(text))
    html = _HTML.get_template("mail.html").render(
        locale=locale, subject=subject, link=notification.link, paragraphs=_paragraphs(text.splitlines())
    )
    mail.add_alternative(html, subtype="html", cte=_transfer_encoding(html))
    # set last: whatever describes content would move into the first alternative
    mail["Content-Language"] = locale
    mail.set_boundary(f"aftercare-{notification.event_id.hex}")
    return mail


def message_id(notification: Notification, sender: str) -> str:
    """The same for every attempt."""
    domain = parseaddr(sender)[1].rpartition("@")[2]
    return f"<{notification.event_id}@{domain}>"


def _render(notification: Notification, locale: str, zone: ZoneInfo) -> tuple[str, str]:
    """Subject, the template's first line, and text."""
    rendered = _TEXT.get_template(f"{notification.kind}.{locale}.txt").render(
        number=notification.ticket_number or "",
        text=(notification.text or "").strip(),
        link=notification.link or "",
        expires_on=_day(notification.expires_at, locale, zone),
    )
    subject, _, text = rendered.partition("\n")
    return subject.strip(), text.strip() + "\n"


def _day(moment: datetime | None, locale: str, zone: ZoneInfo) -> str:
    return "" if moment is None else format_date(moment.astimezone(zone), "long", locale=locale.replace("-", "_"))


def _paragraphs(lines: Sequence[str]) -> list[list[str]]:
    """Lines between empty lines belong together."""
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            paragraphs[-1].append(line)
        elif paragraphs[-1]:
            paragraphs.append([])
    return [paragraph for paragraph in paragraphs if paragraph]


def _transfer_encoding(text: str) -> str:
    """Readable where lines are short enough for SMTP."""
    return "8bit" if all(len(line.encode()) <= _LONGEST_LINE for line in text.splitlines()) else "base64"
