"""How a ticket begins: its number, its priority before anybody has looked, its promises."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from services.tickets.sla import Case, Priority, ServiceLevels
from services.tickets.workflow.changes import Change, Opened
from services.tickets.workflow.commands import CUSTOMER, SYSTEM
from services.tickets.workflow.ticket import Ticket
from shared.events.codes import RequestType

FIRST_LINKED: Final = 2
"""Ordinal of the first linked ticket; the ticket that began the series is number 1 of it and carries no suffix."""

_MODEL: Final = re.compile(r"(?!.*\d{7})[A-Z0-9][A-Z0-9 ._/+-]{0,39}", re.ASCII)


class Request(NamedTuple):
    """A customer's request, without its words."""

    request_id: UUID
    reference: str
    customer_id: UUID
    channel: str
    locale: str
    tier: str
    type: str | None
    product_model: str | None
    digest: str
    entered_by: str = "customer"
    """Who wrote it down: customer, bot, agent or system."""


def linked_number(series: str, ordinal: int) -> str:
    """Number of the ``ordinal``-th ticket on the same matter: the customer still recognises his service number."""
    return f"{series}-{ordinal}"


def model_code(named: str | None) -> str | None:
    """What the customer calls his product, if it reads like a model's code.

    Facts are kept for ever, and people write anything into a field: a name, a telephone number. Those stay in the ticket's particulars.
    """
    code = " ".join(unicodedata.normalize("NFKC", named or "").upper().split())
    return code if _MODEL.fullmatch(code) else None


def first_priority(request_type: str | None) -> Priority:
    """Priority until a person has triaged: a complaint is already the second contact about something that went wrong, so it waits less."""
    return Priority.HIGH if request_type == RequestType.COMPLAINT else Priority.NORMAL


@dataclass(frozen=True, slots=True)
class Place:
    """Whose a ticket is from its first moment: an agent's, or a team's while nobody of it can take it. ``code`` tells how it was found."""

    team: str | None = None
    agent: str | None = None
    code: str | None = None


NOBODY: Final = Place()


def open_request(
    request: Request, at: datetime, policy: ServiceLevels, *, after: Ticket | None = None, number: str | None = None, place: Place = NOBODY
) -> Change:
    """A request becomes a ticket, or, ``after`` an older one whose window is over, a linked ticket with its own ``number``."""
    priority = first_priority(request.type)
    kind = request.type or (after.type if after else None)
    fact = Opened(
        number=number or request.reference,
        series=after.series if after else request.reference,
        customer_id=request.customer_id,
        channel=request.channel,
        locale=request.locale,
        tier=request.tier,
        type=kind,
        priority=priority,
        product_model=request.product_model or (after.product_model if after else None),
        promise=policy.promise(Case(kind, priority, request.tier, place.team), at),
        request_id=request.request_id,
        digest=request.digest,
        linked_to=after.number if after else None,
        reference=request.reference if number else None,
        team=place.team,
        assignee=place.agent,
        assignment=place.code,
        entered_by=request.entered_by,
    )
    return Change(1, at, CUSTOMER.id, fact)


def open_after_low_answer(older: Ticket, number: str, at: datetime, policy: ServiceLevels, *, place: Place = NOBODY) -> Change:
    """A low answer after the window opens a linked ticket on the same matter; it is looked at like a complaint."""
    fact = Opened(
        number=number,
        series=older.series,
        customer_id=older.customer_id,
        channel=older.channel,
        locale=older.locale,
        tier=older.tier,
        type=older.type,
        priority=Priority.HIGH,
        product_model=older.product_model,
        promise=policy.promise(Case(older.type, Priority.HIGH, older.tier, place.team), at),
        request_id=None,
        digest=None,
        linked_to=older.number,
        category=older.category,
        root_topic=older.root_topic,
        team=place.team,
        assignee=place.agent,
        assignment=place.code,
    )
    return Change(1, at, SYSTEM.id, fact)
