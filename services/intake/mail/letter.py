"""The mail itself. Message-ID and date derive from the event that asked for it, so the same message sent twice is the same mail."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import lru_cache

from services.intake.mail.headers import LONGEST_LINE, POLICY
from services.intake.mail.wording import Letterhead, Words, locale_of, opt_out_link, write
from services.intake.sending import Notification


def compose(notification: Notification, address: str, letterhead: Letterhead, wording: str | None = None) -> EmailMessage:
    """The mail for a notification of a kind that `sending.KINDS` knows; ``wording`` as in `write`."""
    words = write(notification, letterhead, wording)
    mail = EmailMessage(policy=POLICY)
    mail["Message-ID"] = message_id(notification, letterhead.sender)
    mail["Date"] = format_datetime(notification.requested_at)
    mail["From"] = letterhead.sender
    mail["To"] = address
    mail["Subject"] = words.subject
    _add_thread(mail, notification, letterhead.sender)
    _add_marks(mail, notification)
    _add_words(mail, words)
    # set last: whatever describes content would move into the first alternative
    mail["Content-Language"] = locale_of(notification)
    mail.replace_header("Content-Type", f'multipart/alternative; boundary="aftercare-{notification.event_id.hex}"')
    return mail


def message_id(notification: Notification, sender: str) -> str:
    """The same for every attempt."""
    return f"<{notification.event_id}@{_domain(sender)}>"


def _add_thread(mail: EmailMessage, notification: Notification, sender: str) -> None:
    """All mails about one ticket stand together in the customer's mail program."""
    if notification.ticket_number is not None:
        mail["References"] = f"<{notification.ticket_number}@{_domain(sender)}>"


def _add_marks(mail: EmailMessage, notification: Notification) -> None:
    """Tell other machines that a machine wrote it, so that none answers (RFC 3834), and how to be spared (RFC 2369)."""
    if notification.is_automatic:
        mail["Auto-Submitted"] = "auto-replied" if notification.kind == "acknowledgement" else "auto-generated"
        mail["X-Auto-Response-Suppress"] = "All"
    if (opt_out := opt_out_link(notification)) is not None:
        mail["List-Unsubscribe"] = f"<{opt_out}>"


def _add_words(mail: EmailMessage, words: Words) -> None:
    mail.set_content(words.text, cte=_transfer_encoding(words.text))
    mail.add_alternative(words.html, subtype="html", cte=_transfer_encoding(words.html))


@lru_cache(maxsize=16)
def _domain(sender: str) -> str:
    return parseaddr(sender)[1].rpartition("@")[2]


def _transfer_encoding(text: str) -> str:
    """Readable where lines are short enough for SMTP."""
    return "8bit" if max(map(len, text.encode().splitlines()), default=0) <= LONGEST_LINE else "base64"
