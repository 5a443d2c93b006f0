"""How complete a request is (R037, R038), and what to ask for.

Nothing is turned away for being incomplete: the score and the missing fields go back to the caller and on to the ticket, so that the
person who works on it asks once for everything. Each type of request asks only for what its work needs (R043: minimal forms).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shared.events.codes import RequestType

CONTACT: Final = "customer.phone"
"""Stands for any way to reach the customer: a phone number, or else an e-mail address, or else his account."""

_ALWAYS: Final = ("text", "customer.name", CONTACT)
_UNIT: Final = ("product.model", "product.serial_number", "product.purchase_date")
_ORDER: Final = ("product.order_number", "product.model")
_WISH: Final = ("expected_resolution_at",)

ASKED: Final[Mapping[str | None, tuple[str, ...]]] = MappingProxyType(
    {
        None: (*_ALWAYS, "type"),
        RequestType.ENQUIRY: _ALWAYS,
        RequestType.SUGGESTION: _ALWAYS,
        RequestType.PRAISE: _ALWAYS,
        RequestType.COMPLAINT: (*_ALWAYS, "product.model", *_WISH),
        RequestType.RETURN: (*_ALWAYS, *_ORDER, "product.purchase_date"),
        RequestType.EXCHANGE: (*_ALWAYS, *_ORDER, "product.purchase_date"),
        RequestType.REFUND: (*_ALWAYS, *_ORDER),
        RequestType.REPAIR: (*_ALWAYS, *_UNIT, *_WISH),
        RequestType.INSTALLATION: (*_ALWAYS, *_ORDER, *_WISH),
        RequestType.TECHNICAL_SUPPORT: (*_ALWAYS, *_UNIT),
    }
)
"""Fields that a complete record of each type holds, in the order in which to ask for them. A type that is not here asks as None does."""


@dataclass(frozen=True)
class Completeness:
    """``score`` is the share of the asked fields that are there, 0 to 1, two decimals; ``missing`` are the others, as paths in the body."""

    score: float
    missing: tuple[str, ...]


def assess(request_type: str | None, present: Set[str]) -> Completeness:
    """Judge a request of which the fields ``present`` (paths such as ``product.model``) are filled in."""
    asked = ASKED.get(request_type, ASKED[None])
    missing = tuple(field for field in asked if field not in present)
    return Completeness(round(1 - len(missing) / len(asked), 2), missing)
