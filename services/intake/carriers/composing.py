"""A letter becomes a mail. A fault in one template or text must not hold up everybody else's mail."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage

from services.intake import mail
from services.intake.carriers.carrier import Letter, TryAgain
from services.intake.mail import Letterhead
from shared import telemetry

log = telemetry.logger()


@dataclass(frozen=True)
class Composed:
    """A mail, and how it is written out."""

    message: EmailMessage
    content: bytes


def compose(letter: Letter, letterhead: Letterhead) -> Composed | TryAgain:
    """The mail. What cannot be composed is tried again: a new release may mend it."""
    try:
        message = mail.compose(letter.notification, letter.address, letterhead, letter.wording)
        # some faults show only when the mail is written out
        return Composed(message, message.as_bytes())
    except Exception as error:
        notification = letter.notification
        log.error("mail_not_composed", notification_id=notification.notification_id, kind=notification.kind, exc_info=error)
        return TryAgain("not_composed")
