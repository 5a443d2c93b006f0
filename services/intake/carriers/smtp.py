"""Mails through a mail server."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parseaddr
from typing import ClassVar, Final
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from services.intake.carriers.carrier import Carried, Delivered, Letter, NotTried, TryAgain
from services.intake.carriers.composing import Composed, compose
from services.intake.carriers.pace import Pace
from services.intake.mail import Letterhead
from services.intake.sending import Failure
from services.intake.settings import STARTTLS
from shared import clock

_DEFAULT_PORTS: Final = {"smtp": 25, "smtps": 465}
_PERMANENT: Final = 500
"""SMTP replies from here on say: do not try this again."""
_BOX_FULL: Final = 552
"""Permanent by its number, and yet it passes: RFC 5321, 4.5.3.1.10 has it treated as 452."""
_CLOSING: Final = 421
"""The host itself is busy or going away."""


class Smtp:
    """A mail server; one connection per batch, at the pace that the host bears."""

    channel: ClassVar[str] = "email"
    name: ClassVar[str] = "smtp"

    def __init__(self, url: str, letterhead: Letterhead, *, timeout: float, pace: Pace) -> None:
        self._url = urlsplit(url)
        self._letterhead = letterhead
        self._sender = parseaddr(letterhead.sender)[1]
        self._timeout = timeout
        self._pace = pace

    async def carry(self, letters: Sequence[Letter], *, until: float) -> list[Carried]:
        """Hand the mails over one after the other; when the host is in trouble, the rest waits for its turn."""
        if self._pace.rest:
            return [NotTried(self._pace.rest) for _ in letters]
        client = self._client()
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            self._pace.is_in_trouble()
            return [TryAgain(type(error).__name__), *(NotTried(self._pace.rest) for _ in letters[1:])]
        try:
            return [await self._next(client, letter, until) for letter in letters]
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

    async def _next(self, client: aiosmtplib.SMTP, letter: Letter, until: float) -> Carried:
        await self._pace.turn()
        if self._pace.rest or clock.monotonic() >= until:
            return NotTried(self._pace.rest)
        return await self._hand_over(client, letter)

    async def _hand_over(self, client: aiosmtplib.SMTP, letter: Letter) -> Carried:
        mail = compose(letter, self._letterhead)
        if isinstance(mail, TryAgain):
            return mail
        try:
            await self._send(client, mail, letter.address)
        except aiosmtplib.SMTPNotSupported:
            return Failure.UNDELIVERABLE
        except aiosmtplib.SMTPRecipientsRefused as error:
            return self._refused(min(refused.code for refused in error.recipients))
        except aiosmtplib.SMTPSenderRefused as error:
            # our own address or quota: a fault of the operator's, not of this mail
            self._pace.is_in_trouble()
            return TryAgain(str(error.code))
        except aiosmtplib.SMTPResponseException as error:
            return self._refused(error.code)
        except (aiosmtplib.SMTPException, OSError) as error:
            self._pace.is_in_trouble()
            return TryAgain(type(error).__name__, may_have_left=True)
        self._pace.is_well()
        return Delivered()

    async def _send(self, client: aiosmtplib.SMTP, mail: Composed, address: str) -> None:
        """As it is already written out, unless the server, or an address that is not ASCII, wants another form."""
        if address.isascii() and self._sender.isascii() and client.supports_extension("8bitmime"):
            await client.sendmail(self._sender, [address], mail.content, mail_options=["BODY=8BITMIME"])
        else:
            await client.send_message(mail.message, sender=self._sender, recipients=[address])

    def _refused(self, code: int) -> Carried:
        if code == _CLOSING:
            self._pace.is_in_trouble()
        else:
            self._pace.is_well()
        return Failure.REFUSED if code >= _PERMANENT and code != _BOX_FULL else TryAgain(str(code))
