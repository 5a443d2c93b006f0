"""Who carries a message out of the house, one carrier per channel.

Mail is the channel that exists: by a mail server, or on a machine without one as a folder of files. A carrier of text or chat messages is
one more class with the same two words, `channel` and `carry`, and a line in `carriers_of`; whatever decides, counts, retries and reports
goes by the channel's name and need not change.

A carrier may be asked twice for the same message, after a crash between carrying it and writing that down: the file then overwrites itself,
the server gets the same Message-ID again.
"""

from __future__ import annotations

from email.utils import parseaddr
from functools import partial

from services.intake.carriers.carrier import Carried, Carrier, Delivered, Letter, NotTried, TryAgain
from services.intake.carriers.maildir import Maildir
from services.intake.carriers.pace import Pace
from services.intake.carriers.smtp import Smtp
from services.intake.mail import Letterhead
from services.intake.settings import IntakeSettings
from shared.events.proof import tracking_link

__all__ = ["Carried", "Carrier", "Delivered", "Letter", "Maildir", "NotTried", "Pace", "Smtp", "TryAgain", "carriers_of", "letterhead_of"]


def carriers_of(settings: IntakeSettings) -> list[Carrier]:
    """The carriers that the settings name, the channel that is taken first in front."""
    return [_mail_carrier(settings)]


def letterhead_of(settings: IntakeSettings) -> Letterhead:
    """How the organisation's messages look."""
    return Letterhead(
        sender=settings.mail_from,
        organisation=settings.organisation or parseaddr(settings.mail_from)[0] or "Aftercare",
        zone=settings.timezone,
        track=partial(tracking_link, settings.signing_key.get_secret_value().encode(), settings.tickets_public_url),
    )


def _mail_carrier(settings: IntakeSettings) -> Carrier:
    letterhead = letterhead_of(settings)
    if settings.smtp_url is None:
        return Maildir(settings.home / "mail", letterhead)
    pace = Pace(settings.smtp_rate)
    return Smtp(settings.smtp_url.get_secret_value(), letterhead, timeout=settings.smtp_timeout, pace=pace)
