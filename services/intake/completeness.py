"""How complete a request is (R037, R038), and what to ask for.

Nothing is turned away for being incomplete: the score and the missing fields go back to the caller and on to the ticket, so that the
person who works on it asks once for everything. Each type of request asks only for what its work needs (R043: minimal forms).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from shared.events.codes import RequestType

CONTACT: Final = "customer.phone"
"""Stands for any way to reach the customer: a phone number, or else an e-mail address, or else his account."""

NAME: Final = "customer.name"

_ALWAYS: Final = ("text", NAME, CONTACT)
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
    return _assess(request_type, frozenset(present))


@lru_cache(maxsize=4096)
def _assess(request_type: str | None, present: frozenset[str]) -> Completeness:
    asked = ASKED.get(request_type, ASKED[None])
    missing = tuple(field for field in asked if field not in present)
    return Completeness(round(1 - len(missing) / len(asked), 2), missing)


# --- later: what is known by now, and what may be suggested ---------------------------------------------------------------------------

PRODUCT: Final = ("model", "serial_number", "purchase_date", "order_number")


@dataclass(frozen=True)
class Recorded:
    """The fields of a stored request that are asked for. ``missing`` is what was missing when it came."""

    type: str | None
    has_wish: bool
    product: Mapping[str, str | None]
    contact: Mapping[str, object]
    missing: tuple[str, ...]


def known_by_now(record: Recorded, added: Sequence[Recorded]) -> frozenset[str]:
    """The fields that the request, or what was added to it since, fills in."""
    every = (record, *added)
    known = {field for field in _ALWAYS if field not in record.missing}
    known |= {f"product.{name}" for name in PRODUCT if any(one.product.get(name) for one in every)}
    known |= {"expected_resolution_at"} if any(one.has_wish for one in every) else set()
    known |= {NAME} if any(one.contact.get("name") for one in added) else set()
    known |= {CONTACT} if any(one.contact.get("phone") or one.contact.get("email") for one in added) else set()
    return frozenset(known | ({"type"} if type_by_now(record, added) else set()))


def type_by_now(record: Recorded, added: Sequence[Recorded]) -> str | None:
    """The type that was said last."""
    return next((one.type for one in reversed((record, *added)) if one.type is not None), None)


def product_by_now(record: Recorded, added: Sequence[Recorded]) -> dict[str, str | None]:
    """What was said of the product, the latest of each field."""
    return {name: value for one in (record, *added) for name, value in one.product.items() if value}


def suggestions(named: Mapping[str, str | None], owned: Sequence[Mapping[str, str | None]]) -> dict[str, str]:
    """What a customer's earlier requests say of the product that he names too little of; fields as paths.

    Only if they know of one product that fits: with two, a guess would put the wrong serial number into the record.
    """
    fitting = [one for one in owned if all(not named.get(name) or not one.get(name) or named[name] == one[name] for name in PRODUCT)]
    found = {name: {value for one in fitting if (value := one.get(name))} for name in PRODUCT}
    if len(found["serial_number"]) > 1 or len(found["model"]) != 1:
        return {}
    return {f"product.{name}": value for name, values in found.items() if not named.get(name) and len(values) == 1 for value in values}
