"""Who is calling, and what every route about requests shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

import orjson

from services.intake.acceptance import Caller
from services.intake.batcher import Batcher
from services.intake.handlers.reception import Incoming, Outcome
from services.intake.language import prompts
from services.intake.settings import IntakeSettings
from services.intake.store.requests import Receipt
from shared.auth import Kind, Principal
from shared.errors import Forbidden

REQUESTS: Final = "/v1/requests"

Desk = Batcher[Incoming, Outcome]


class NoCustomer(Forbidden):
    """The key is a customer's and does not name one."""

    code = "key_without_customer"


def caller_of(principal: Principal) -> Caller:
    """Who hands in a request.

    Raises:
        NoCustomer: a customer's key whose principal is no customer id.
    """
    if principal.kind is not Kind.CUSTOMER:
        return Caller(principal.id, kind=principal.kind.value)
    try:
        return Caller(principal.id, UUID(principal.id))
    except ValueError:
        raise NoCustomer("This key is a customer's, but its principal is no customer id.") from None


def writer_of_answers(settings: IntakeSettings) -> Callable[[Receipt], bytes]:
    """What turns a receipt into the body of the answer."""

    def write(receipt: Receipt) -> bytes:
        return orjson.dumps(
            {
                "request_id": str(receipt.request_id),
                "reference": receipt.reference,
                "received_at": receipt.received_at,
                "completeness": receipt.completeness,
                "missing_fields": receipt.missing_fields,
                "prompts": prompts(receipt.missing_fields, receipt.locale),
                "links": links_of(settings, receipt.reference),
            },
            option=orjson.OPT_UTC_Z,
        )

    return write


def links_of(settings: IntakeSettings, reference: str) -> dict[str, str]:
    """Where a request and its customer's view are found."""
    return {
        "self": f"{settings.intake_public_url}{REQUESTS}/{reference}",
        "track": f"{settings.tickets_public_url}/v1/track/{reference}",
    }
