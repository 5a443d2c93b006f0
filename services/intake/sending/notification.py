"""A message to a customer: what he should know, not how it reaches him."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from services.intake.sending.kinds import Kind, kind_of

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Failure(StrEnum):
    """Why a message will not be delivered."""

    NO_ADDRESS = "no_address"
    NO_CONSENT = "no_consent"
    REFUSED = "refused"
    UNDELIVERABLE = "undeliverable"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    """A newer message about the same matter makes it needless."""
    VOID = "void"
    """What it asks was answered or called off before it left."""


@dataclass(frozen=True)
class Address:
    """``value`` is what is compared, ``written`` what is written to."""

    value: str
    written: str


def masked(address: str) -> str:
    """An address as staff see it in lists: enough to recognise it, too little to use it."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}" if at else f"***{address[-4:]}"


@dataclass(frozen=True)
class Notification:
    """What a customer should know. ``event_id`` names it for ever: Message-ID and file name derive from it.

    ``requested_at`` and ``expires_at`` are business time, ``created_at`` and ``first_attempt_at`` real time.
    """

    event_id: UUID
    notification_id: UUID
    customer_id: UUID
    kind: str
    locale: str
    requested_at: datetime
    ticket_number: str | None = None
    text: str | None = None
    link: str | None = None
    data: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    expires_at: datetime | None = None
    given_address: str | None = None
    """The address that the request itself named; it goes before those of the customer file."""
    created_at: datetime | None = None
    attempts: int = 0
    first_attempt_at: datetime | None = None

    @property
    def rules(self) -> Kind | None:
        """What its kind demands; None for a kind that nobody here knows."""
        return kind_of(self.kind)

    @property
    def purpose(self) -> str | None:
        """The consent that it needs. Whether a complaint is solved belongs to the service, whoever wants no surveys."""
        if self.data.get("purpose") == "service":
            return "status"
        return None if self.rules is None else self.rules.purpose

    @property
    def is_automatic(self) -> bool:
        """Nobody in particular wrote it."""
        return self.rules is not None and self.rules.is_automatic

    @property
    def says_nothing(self) -> bool:
        """What it is for is missing."""
        return self.rules is None or (self.rules.needs is not None and not getattr(self, self.rules.needs))

    @property
    def useless_from(self) -> datetime | None:
        """No use in delivering it from then on; None: it never loses its use."""
        if self.expires_at is not None or self.rules is None or self.rules.useful_for is None:
            return self.expires_at
        return self.requested_at + self.rules.useful_for
