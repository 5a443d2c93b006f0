"""What intake tells of each request, as JSON written by hand: a general writer takes longer than all the decisions.

`announcement` says what the events are. What is written here is the same, byte for byte, and that is a law of the tests.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import orjson

from services.intake.acceptance import ProductNamed, cut_for_event
from services.intake.handlers.announcement import proofs_of
from services.intake.store.customers import NewCustomer
from services.intake.store.requests import Stored
from shared.events.envelope import Written
from shared.events.intake import CustomerRegistered, RequestReceived

_OPTIONS: Final = orjson.OPT_UTC_Z


def write_received(request: Stored, signing_key: bytes, trace: str | None = None) -> Written:
    """`request.received`, ready for the outbox."""
    sent = request.submission
    text, truncated = cut_for_event(sent.text)
    event = {
        "occurred_at": request.occurred_at,
        "request_id": str(request.request_id),
        "reference": request.reference,
        "customer_id": (customer_id := str(request.customer_id)),
        "channel": sent.channel,
        "external_id": sent.external_id,
        "type": sent.type,
        "locale": request.locale,
        "subject": sent.subject,
        "text": text,
        "truncated": truncated,
        "product": None if sent.product is None else _product(sent.product),
        "expected_resolution_at": sent.expected_resolution_at,
        "received_at": request.received_at,
        "occurred_at_clamped": request.occurred_at_clamped,
        "in_reply_to": request.in_reply_to,
        "external_id_reused": request.external_id_reused,
        "completeness": request.completeness,
        "missing_fields": request.missing_fields,
        "entered_by": request.entered_by,
        "conversation_id": sent.conversation_id,
        "proofs": proofs_of(request, signing_key),
    }
    return Written(RequestReceived, customer_id, request.occurred_at, orjson.dumps(event, option=_OPTIONS), trace)


def _product(product: ProductNamed) -> dict[str, Any]:
    return {
        "model": product.model,
        "serial_number": product.serial_number,
        "purchase_date": product.purchase_date,
        "order_number": product.order_number,
    }


def write_registered(customer: NewCustomer, trace: str | None = None) -> Written:
    """`customer.registered`, ready for the outbox."""
    at: datetime = customer.registered_at
    customer_id = str(customer.customer_id)
    event = {"occurred_at": at, "customer_id": customer_id, "name": customer.name, "locale": customer.locale, "tier": "standard"}
    return Written(CustomerRegistered, customer_id, at, orjson.dumps(event, option=_OPTIONS), trace)
