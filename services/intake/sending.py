"""When a message to a customer is sent, when it is tried again, and when it is given up.

A message that nobody ordered (a survey invitation) is *automatic*: at most 3 an hour and 10 a day to one address. An answer of our staff is
not. Whatever was asked for is sent at least once, or ends with a reason that others can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

KINDS: Final = frozenset({"survey_invitation", "ticket_reply"})
AUTOMATIC: Final = frozenset({"survey_invitation"})

LIMITS: Final = ((3, timedelta(hours=1)), (10, timedelta(days=1)))
"""Automatic messages to one address within a time."""
REMEMBERED: Final = max(span for _, span in LIMITS)

FIRST_DELAY: Final = timedelta(seconds=30)
LONGEST_DELAY: Final = timedelta(hours=1)
GIVE_UP_AFTER: Final = timedelta(hours=24)
"""Since the first attempt."""


class Failure(StrEnum):
    """Why a message will not be delivered."""

    NO_ADDRESS = "no_address"
    REFUSED = "refused"
    UNDELIVERABLE = "undeliverable"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Notification:
    """What a customer should know, as it was asked for on the bus."""

    event_id: UUID
    notification_id: UUID
    customer_id: UUID
    kind: str
    locale: str
    requested_at: datetime
    ticket_number: str | None = None
    text: str | None = None
    link: str | None = None
    expires_at: datetime | None = None
    attempts: int = 0
    first_attempt_at: datetime | None = None

    @property
    def is_automatic(self) -> bool:
        """Nobody in particular wrote it."""
        return self.kind in AUTOMATIC


@dataclass(frozen=True)
class Send:
    """Try it now."""

    address: str


@dataclass(frozen=True)
class Postpone:
    """Not before that moment of business time."""

    until: datetime


Plan = Send | Postpone | Failure


def plan(notification: Notification, address: str | None, sent: Sequence[datetime], now: datetime) -> Plan:
    """What to do with a message that is due. ``sent``: when automatic messages went to this address within `REMEMBERED`."""
    if notification.expires_at is not None and notification.expires_at <= now:
        return Failure.EXPIRED
    if notification.kind not in KINDS:
        return Failure.UNDELIVERABLE
    if address is None:
        return Failure.NO_ADDRESS
    if notification.is_automatic and (free_at := next_free(sent, now)) > now:
        return Postpone(free_at)
    return Send(address)


def next_free(sent: Sequence[datetime], now: datetime) -> datetime:
    """The first moment from ``now`` on at which one more automatic message keeps all limits."""
    free_at = now
    for count, span in LIMITS:
        recent = sorted(at for at in sent if at > now - span)
        if len(recent) >= count:
            free_at = max(free_at, recent[-count] + span)
    return free_at


def retry_at(attempts: int, first_attempt_at: datetime, now: datetime) -> datetime | None:
    """When to try again after the ``attempts``-th attempt failed; None is never."""
    delay = min(FIRST_DELAY * 2 ** min(attempts - 1, 20), LONGEST_DELAY)
    return now + delay if now + delay - first_attempt_at <= GIVE_UP_AFTER else None
