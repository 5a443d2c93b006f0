"""What the environment tells intake."""

from __future__ import annotations

from email.utils import parseaddr
from typing import ClassVar, Final
from urllib.parse import parse_qs, urlsplit

import phonenumbers
from pydantic import Field, SecretStr, field_validator

from shared.settings import ServiceSettings

STARTTLS: Final = {"required": True, "optional": None, "no": False}
"""Whether a connection to the mail server must, may or shall not be encrypted after its beginning."""


class IntakeSettings(ServiceSettings):
    """Settings of intake alone."""

    service: ClassVar[str] = "intake"

    phone_region: str = "CN"
    """Where a phone number without country code was dialled (ISO 3166)."""
    smtp_url: SecretStr | None = None
    """``smtp://[user:password@]host[:port][?starttls=required|optional|no]`` or ``smtps://...``. None: mails become files in the home."""
    mail_from: str = "Aftercare <no-reply@aftercare.example>"
    """Sender of notifications; its domain is that of the Message-IDs."""
    smtp_timeout: float = Field(default=10.0, gt=0, le=60)
    """Seconds that the mail server may take for one step."""
    smtp_rate: float = Field(default=20.0, ge=0.1, le=1000)
    """Mails that one process hands to the mail server in a second, at most."""
    organisation: str = Field(default="", max_length=100)
    """Name at the head and foot of messages to customers; empty: the name in ``mail_from``."""
    acknowledge: bool = True
    """Whether customers get a receipt with the service number of each request."""

    @field_validator("phone_region")
    @classmethod
    def _known_region(cls, region: str) -> str:
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError("must be a country code of two capital letters, such as CN")
        return region

    @field_validator("smtp_url")
    @classmethod
    def _smtp_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            parts = urlsplit(url.get_secret_value())
            if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
                raise ValueError("must start with smtp:// or smtps:// and name a host")
            if not set(parse_qs(parts.query).get("starttls", ())) <= set(STARTTLS):
                raise ValueError("starttls is required, optional or no")
        return url

    @field_validator("mail_from")
    @classmethod
    def _one_address(cls, sender: str) -> str:
        if "@" not in parseaddr(sender)[1]:
            raise ValueError("must be one address, such as Service <service@example.com>")
        return sender
