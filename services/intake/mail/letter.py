"""The mail itself. Message-ID and date derive from the event that asked for it, so the same message sent twice is the same mail.

It is written out by hand for a server that takes bytes, which nearly all do; `compose` makes the message of the standard library, which can
be turned into what the others take, in ten times the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, parseaddr
from functools import lru_cache

from services.intake.mail import wire
from services.intake.mail.wording import Letterhead, Words, locale_of, opt_out_link, write
from services.intake.sending import Notification


@dataclass(frozen=True)
class _Letter:
    """``own`` are the headers that only machines read."""

    people: dict[str, str]
    own: dict[str, str]
    words: Words
    locale: str
    boundary: str


def compose(notification: Notification, address: str, letterhead: Letterhead, wording: str | None = None) -> EmailMessage:
    """The mail for a notification of a kind that `sending.KINDS` knows; ``wording`` as in `write`."""
    letter = _letter(notification, address, letterhead, wording)
    mail = EmailMessage(policy=SMTP)
    for name, value in letter.people.items():
        mail[name] = value
    for name, value in letter.own.items():
        mail[name] = _Own(name, value) if wire.is_plain(value) else value
    mail.set_content(letter.words.text, cte=wire.transfer_encoding(letter.words.text))
    mail.add_alternative(letter.words.html, subtype="html", cte=wire.transfer_encoding(letter.words.html))
    # set last: whatever describes content would move into the first alternative
    mail["Content-Language"] = letter.locale
    mail.set_boundary(letter.boundary)
    return mail


def written(notification: Notification, address: str, letterhead: Letterhead, wording: str | None = None) -> bytes:
    """The same mail as it goes over the wire to a server that takes 8BITMIME."""
    letter = _letter(notification, address, letterhead, wording)
    return b"".join(
        (
            *(wire.header(name, value) for name, value in letter.people.items()),
            *(wire.own_header(name, value) for name, value in letter.own.items()),
            wire.alternatives(letter.words.text, letter.words.html, language=letter.locale, boundary=letter.boundary),
        )
    )


def message_id(notification: Notification, sender: str) -> str:
    """The same for every attempt."""
    return f"<{notification.event_id}@{_domain(sender)}>"


def _letter(notification: Notification, address: str, letterhead: Letterhead, wording: str | None) -> _Letter:
    words = write(notification, letterhead, wording)
    people = {"From": letterhead.sender, "To": address, "Subject": words.subject}
    boundary = f"aftercare-{notification.event_id.hex}"
    return _Letter(people, _own_headers(notification, letterhead.sender), words, locale_of(notification), boundary)


def _own_headers(notification: Notification, sender: str) -> dict[str, str]:
    """All mails about one ticket stand together in the customer's mail program. Other machines are told that a machine wrote it, so that
    none answers (RFC 3834), and how to be spared (RFC 2369).
    """
    headers = {"Message-ID": message_id(notification, sender), "Date": format_datetime(notification.requested_at)}
    if notification.ticket_number is not None:
        headers["References"] = f"<{notification.ticket_number}@{_domain(sender)}>"
    if notification.is_automatic:
        headers["Auto-Submitted"] = "auto-replied" if notification.kind == "acknowledgement" else "auto-generated"
        headers["X-Auto-Response-Suppress"] = "All"
    if (opt_out := opt_out_link(notification)) is not None:
        headers["List-Unsubscribe"] = f"<{opt_out}>"
    return headers


class _Own(str):
    """The value of a header for machines, in one line however long: the standard library would encode what does not fit, and no mail
    program knows an encoded link or number again.
    """

    name: str

    def __new__(cls, name: str, value: str) -> _Own:
        made = super().__new__(cls, value)
        made.name = name
        return made

    def fold(self, *, policy: Policy) -> str:
        """As the library asks a header."""
        return f"{self.name}: {self}{policy.linesep}"


@lru_cache(maxsize=16)
def _domain(sender: str) -> str:
    return parseaddr(sender)[1].rpartition("@")[2]
