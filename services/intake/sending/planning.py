"""What to do with one message that is due, apart from the budget of its address.

Whatever was asked for is sent at least once, or ends with a reason that others can read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.intake.sending.kinds import Consents, Kind
from services.intake.sending.notification import Address, Failure, Notification

QUIET_CHANNELS: Final = frozenset({"sms"})
"""Channels that ring."""
NIGHT: Final = (time(21), time(9))
"""When they must not ring for something that can wait, in the organisation's zone."""


@dataclass(frozen=True)
class Circumstances:
    """What is known of a message's addressee and matter at the moment of sending."""

    channels: Sequence[str]
    """By which we can send, in order of preference."""
    zone: ZoneInfo
    addresses: Mapping[str, Address] = field(default_factory=dict)
    """Of the customer, by channel."""
    consents: Consents = field(default_factory=Consents)
    is_overtaken: bool = False
    """A newer message says more about the same matter, or this one was said a moment ago."""
    is_void: bool = False
    """What it asks was answered or called off."""
    is_placed: bool = True
    """Whether we know, or will not wait any longer to know, which ticket the message is about."""


@dataclass(frozen=True)
class Send:
    """Try it now."""

    channel: str
    address: str
    budget_key: str


@dataclass(frozen=True)
class Postpone:
    """Not before that moment of business time."""

    until: datetime


@dataclass(frozen=True)
class Hold:
    """Look again in a moment of real time: what decides it is on its way."""


Plan = Send | Postpone | Hold | Failure


def plan(notification: Notification, circumstances: Circumstances, now: datetime) -> Plan:
    """What to do with a message that is due at ``now``, if its address has budget for it."""
    kind = notification.rules
    if notification.useless_from is not None and notification.useless_from <= now:
        return Failure.EXPIRED
    if kind is None or notification.says_nothing:
        return Failure.UNDELIVERABLE
    if circumstances.is_void:
        return Failure.VOID
    if circumstances.is_overtaken:
        return Failure.SUPERSEDED
    if not circumstances.consents.allow(notification.purpose):
        return Failure.NO_CONSENT
    if kind.settles_for and now < (settled_at := notification.requested_at + kind.settles_for):
        return Postpone(settled_at)
    return _send(kind, circumstances, now)


def _send(kind: Kind, circumstances: Circumstances, now: datetime) -> Plan:
    channel = next((channel for channel in circumstances.channels if channel in circumstances.addresses), None)
    if channel is None:
        return Failure.NO_ADDRESS
    if not circumstances.is_placed:
        return Hold()
    if (morning := quiet_until(kind, channel, now, circumstances.zone)) is not None:
        return Postpone(morning)
    address = circumstances.addresses[channel]
    return Send(channel, address.written, budget_key(channel, address.value))


def quiet_until(kind: Kind, channel: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """When the night ends that this message must not disturb; None when it disturbs nobody."""
    local = now.astimezone(zone)
    evening, morning = NIGHT
    if not kind.is_solicitous or channel not in QUIET_CHANNELS or morning <= local.time() < evening:
        return None
    day = local.date() if local.time() < morning else local.date() + timedelta(days=1)
    return datetime.combine(day, morning, zone).astimezone(now.tzinfo)


def budget_key(channel: str, value: str) -> str:
    """What shares one budget. Mail to ``wang+shop@example.com`` ends in the box of ``wang@example.com``."""
    local, at, domain = value.rpartition("@")
    return f"{channel}:{local.partition('+')[0] or local}{at}{domain}"
