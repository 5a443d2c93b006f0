"""Somebody has looked at a request and found that it is none: written down once, and told, so that its ticket ends with it."""

from __future__ import annotations

from typing import ClassVar

from services.intake.store import following as store
from services.intake.store.following import Dismissal
from shared import outbox
from shared.database import Transaction
from shared.errors import Conflict, NotFound
from shared.events.intake import RequestDismissed


class NoRequest(NotFound):
    """No request has this reference, or it is another customer's."""

    code: ClassVar[str] = "request_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such request.")


class DismissedAlready(Conflict):
    """Somebody else dismissed the request before, for another reason."""

    code: ClassVar[str] = "dismissed_already"


async def dismiss(tx: Transaction, reference: str, wanted: Dismissal) -> Dismissal:
    """Dismiss a request; what stands then. Repeating it changes nothing and tells nothing.

    Raises:
        NoRequest, DismissedAlready: see there.
    """
    found = await store.lock(tx, reference)
    if found is None:
        raise NoRequest
    request_id, customer_id, before = found
    if before is None:
        await store.dismiss(tx, request_id, wanted)
        told = RequestDismissed(
            occurred_at=wanted.at,
            request_id=request_id,
            reference=reference,
            customer_id=customer_id,
            reason=wanted.reason_code,
            actor=wanted.by,
        )
        await outbox.append(tx, [told])
    elif before.reason_code != wanted.reason_code:
        raise DismissedAlready("Somebody has dismissed it for another reason.", facts={"reason_code": before.reason_code})
    return before or wanted
