"""Same thing? Whether a message of a customer belongs to a ticket that is there. The first rule that holds decides:

1. it is a reply (`in_reply_to`) to a message or ticket of the same customer;
2. it comes in a conversation of the channel that a ticket came from;
3. it is of the same type and names the same serial or order number as an open ticket of the customer;
4. it comes on chat, social media, SMS or phone, names no product, and the last message on an open ticket of the customer, which came the
   same way, is at most a day old;
5. it says thanks and nothing else, and the customer has a ticket: thanks never open one.

Else it is something new. The first two are answers, so that a solution may turn out not to hold; the next two only look at open tickets.
Texts that are alike decide nothing: joining two matters by mistake cannot be undone, joining two tickets later costs a click.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from shared.events.codes import Channel

SAME_TALK: Final = timedelta(hours=24)
"""How long after the last message a talk without a product is still the same one."""

TALKS: Final = frozenset(
    {
        Channel.PHONE, Channel.SMS, Channel.CHAT, Channel.BOT, Channel.WECHAT, Channel.WECOM, Channel.WEIBO, Channel.WHATSAPP,
        Channel.MESSENGER, Channel.INSTAGRAM, Channel.LINE, Channel.TELEGRAM, Channel.X,
    }
)  # fmt: skip
"""Channels on which people talk, rather than write letters."""


class Reason(StrEnum):
    """Why a message is a ticket's."""

    IN_REPLY_TO = "in_reply_to"
    MERGED = "merged"
    """A reply to a ticket that was merged: it goes to the one that goes on."""
    CONVERSATION = "conversation"
    PRODUCT = "product"
    CHANNEL = "channel"
    THANKS = "thanks"


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a message says of where it belongs. ``persons``: all ids of its customer. Numbers are keys (`key`)."""

    persons: frozenset[UUID]
    channel: str
    at: datetime
    type: str | None
    serial: str | None
    order: str | None
    names_product: bool
    only_thanks: bool
    reply_to: str | None = None
    """Ticket that goes on for the one that it answers."""
    reply_was_merged: bool = False
    """The one that it answers was merged."""
    conversation: str | None = None
    """Newest ticket of its conversation."""


@dataclass(frozen=True, slots=True)
class Case:
    """A ticket, as far as messages may belong to it."""

    number: str
    customer_id: UUID
    is_open: bool
    type: str | None
    serial: str | None
    order: str | None
    opened_at: datetime
    last_channel: str | None
    """How the customer's last message came."""
    last_at: datetime
    """The last message of either side."""


@dataclass(frozen=True, slots=True)
class Match:
    """The ticket, and why."""

    number: str
    reason: Reason

    @property
    def is_answer(self) -> bool:
        """Whether the message answers something, rather than being about the same thing."""
        return self.reason in (Reason.IN_REPLY_TO, Reason.MERGED, Reason.CONVERSATION)


def key(number: str | None) -> str | None:
    """A serial or order number as it is compared: people write it with or without spaces, dashes and capitals. None without a sign."""
    text = unicodedata.normalize("NFKC", number or "").upper()
    return "".join(character for character in text if character.isalnum()) or None


def match(arrival: Arrival, cases: Collection[Case]) -> Match | None:
    """Where the message belongs; None: it is something new."""
    own = [case for case in cases if case.customer_id in arrival.persons]
    numbers = {case.number for case in own}
    if arrival.reply_to in numbers:
        return Match(str(arrival.reply_to), Reason.MERGED if arrival.reply_was_merged else Reason.IN_REPLY_TO)
    if arrival.conversation in numbers:
        return Match(str(arrival.conversation), Reason.CONVERSATION)
    open_ones = [case for case in own if case.is_open]
    if found := _newest(case for case in open_ones if _same_product(arrival, case)):
        return Match(found.number, Reason.PRODUCT)
    if found := _last_talk(case for case in open_ones if _same_talk(arrival, case)):
        return Match(found.number, Reason.CHANNEL)
    if arrival.only_thanks and arrival.type is None and (found := _last_talk(own)):
        return Match(found.number, Reason.THANKS)
    return None


def _same_product(arrival: Arrival, case: Case) -> bool:
    if arrival.type != case.type:
        return False
    return (arrival.serial is not None and arrival.serial == case.serial) or (arrival.order is not None and arrival.order == case.order)


def _same_talk(arrival: Arrival, case: Case) -> bool:
    if arrival.channel not in TALKS or arrival.names_product or case.last_channel != arrival.channel:
        return False
    return arrival.at - case.last_at <= SAME_TALK


def _newest(cases: Iterable[Case]) -> Case | None:
    return max(cases, key=lambda case: (case.opened_at, case.number), default=None)


def _last_talk(cases: Iterable[Case]) -> Case | None:
    return max(cases, key=lambda case: (case.last_at, case.number), default=None)
