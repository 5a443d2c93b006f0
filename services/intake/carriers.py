"""Who carries a mail out of the house: a mail server, or on a machine without one a folder of files (maildir).

Both may be asked twice for the same mail, after a crash between carrying it and writing that down: the file then overwrites itself, the
server gets the same Message-ID again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import aiosmtplib

from services.intake.sending import Failure
from services.intake.settings import STARTTLS, IntakeSettings

_DEFAULT_PORTS: Final = {"smtp": 25, "smtps": 465}
_PERMANENT: Final = 500
"""SMTP replies from here on say: do not try this again."""


@dataclass(frozen=True)
class Mail:
    """A mail on its way; ``event_id`` names it."""

    event_id: UUID
    address: str
    message: EmailMessage


class Delivered:
    """It left the house."""


@dataclass(frozen=True)
class TryAgain:
    """Not now, for this reason (a class of errors, or the server's code)."""

    reason: str


Carried = Delivered | TryAgain | Failure


class Carrier(Protocol):
    """Takes mails out of the house; one answer per mail, in order."""

    name: str

    async def carry(self, mails: Sequence[Mail]) -> list[Carried]:
        """Never raises for what a mail or a server does."""
        ...


def carrier_of(settings: IntakeSettings) -> Carrier:
    """The mail server of the settings, or else the folder `mail` in the home."""
    if settings.smtp_url is None:
        return Maildir(settings.home / "mail")
    return Smtp(settings.smtp_url.get_secret_value(), sender=parseaddr(settings.mail_from)[1], timeout=settings.smtp_timeout)


class Maildir:
    """One file per mail in ``new/``, as mail programs read it (https://cr.yp.to/proto/maildir.html)."""

    name = "maildir"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def carry(self, mails: Sequence[Mail]) -> list[Carried]:
        """Write the files, in a thread."""
        return await asyncio.to_thread(lambda: [self._write(mail) for mail in mails])

    def _write(self, mail: Mail) -> Carried:
        try:
            for name in ("tmp", "new", "cur"):
                (self._folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            name = f"{mail.event_id.hex}.aftercare"
            with (self._folder / "tmp" / name).open("wb") as file:
                file.write(mail.message.as_bytes())
                file.flush()
                os.fsync(file.fileno())
            (self._folder / "tmp" / name).replace(self._folder / "new" / name)
        except OSError as error:
            return TryAgain(type(error).__name__)
        return Delivered()


class Smtp:
    """A mail server; one connection per batch."""

    name = "smtp"

    def __init__(self, url: str, *, sender: str, timeout: float) -> None:
        self._url = urlsplit(url)
        self._sender = sender
        self._timeout = timeout

    async def carry(self, mails: Sequence[Mail]) -> list[Carried]:
        """Hand the mails over one after the other; when the connection breaks, the rest is tried again later."""
        client = self._client()
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            return [TryAgain(type(error).__name__) for _ in mails]
        try:
            return [await self._hand_over(client, mail) for mail in mails]
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        parts = self._url
        starttls = parse_qs(parts.query).get("starttls", ["optional"])[-1]
        return aiosmtplib.SMTP(
            hostname=parts.hostname,
            port=parts.port or _DEFAULT_PORTS[parts.scheme],
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            use_tls=parts.scheme == "smtps",
            start_tls=False if parts.scheme == "smtps" else STARTTLS[starttls],
            timeout=self._timeout,
        )

    async def _hand_over(self, client: aiosmtplib.SMTP, mail: Mail) -> Carried:
        try:
            await client.send_message(mail.message, sender=self._sender, recipients=[mail.address])
        except aiosmtplib.SMTPNotSupported:
            return Failure.UNDELIVERABLE
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [refused.code for refused in error.recipients]
            return Failure.REFUSED if min(codes) >= _PERMANENT else TryAgain(str(min(codes)))
        except aiosmtplib.SMTPSenderRefused as error:
            # our own address or quota: a fault of the operator's, not of this mail
            return TryAgain(str(error.code))
        except aiosmtplib.SMTPResponseException as error:
            return Failure.REFUSED if error.code >= _PERMANENT else TryAgain(str(error.code))
        except (aiosmtplib.SMTPException, OSError) as error:
            return TryAgain(type(error).__name__)
        return Delivered()
