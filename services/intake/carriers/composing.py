"""A letter becomes a mail. A fault in one template or text must not hold up everybody else's mail."""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from typing import TypeVar

from services.intake import mail
from services.intake.carriers.carrier import Letter, TryAgain
from services.intake.mail import Letterhead
from services.intake.sending import Notification
from shared import telemetry

log = telemetry.logger()

_Mail = TypeVar("_Mail")


def written(letter: Letter, letterhead: Letterhead) -> bytes | TryAgain:
    """The mail in bytes, for whoever takes 8 bits. What cannot be composed is tried again: a new release may mend it."""
    return _guarded(letter, letterhead, mail.written)


def composed(letter: Letter, letterhead: Letterhead) -> EmailMessage | TryAgain:
    """The same as a message, which can be brought into every form that a server may want."""
    return _guarded(letter, letterhead, _composed)


def _composed(notification: Notification, address: str, letterhead: Letterhead, wording: str | None) -> EmailMessage:
    message = mail.compose(notification, address, letterhead, wording)
    # some faults show only when the mail is written out
    message.as_bytes()
    return message


_Compose = Callable[[Notification, str, Letterhead, str | None], _Mail]


def _guarded(letter: Letter, letterhead: Letterhead, compose: _Compose[_Mail]) -> _Mail | TryAgain:
    try:
        return compose(letter.notification, letter.address, letterhead, letter.wording)
    except Exception as error:
        notification = letter.notification
        log.error("mail_not_composed", notification_id=notification.notification_id, kind=notification.kind, exc_info=error)
        return TryAgain("not_composed")
