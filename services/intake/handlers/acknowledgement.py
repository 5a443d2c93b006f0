"""A request that is accepted is acknowledged in the same transaction: whoever got 202 gets his number by mail as well, crash or no crash.

Which ticket the request opens or joins is not known yet; whether the receipt is sent after all is decided when it is due
(`handlers/notifications.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from services.intake.acceptance import Accepted
from services.intake.identity import Scheme
from services.intake.sending import Notification, is_acknowledged
from services.intake.store import circumstances, notifications
from services.intake.store.requests import Stored
from shared.database import Transaction

KIND: Final = "acknowledgement"
FIRST_LOOK: Final = timedelta(seconds=2)
"""After its request; by then tickets has usually told which ticket it opened or joined."""


@dataclass(frozen=True)
class Receipts:
    """By which channels receipts can be sent, and the real time."""

    channels: Sequence[str]
    real_now: datetime


async def acknowledge(tx: Transaction, requests: Sequence[tuple[Stored, Accepted]], receipts: Receipts) -> None:
    """Write the receipts of a batch of stored requests, for those that get one."""
    given = {stored.request_id: _address(accepted) for stored, accepted in requests}
    in_file = await _reachable(tx, [stored for stored, _ in requests if given[stored.request_id] is None], receipts.channels)
    due = [
        _receipt(stored, given[stored.request_id])
        for stored, accepted in requests
        if is_acknowledged(
            stored.submission.channel,
            accepted.caller.entered_by,
            leaves_address=given[stored.request_id] is not None,
            is_reachable=given[stored.request_id] is not None or stored.customer_id in in_file,
        )
    ]
    if due:
        await notifications.request(tx, due, receipts.real_now + FIRST_LOOK)


def _address(accepted: Accepted) -> str | None:
    """The e-mail address that the request itself names."""
    return next((identity.address for identity in accepted.identities if identity.scheme is Scheme.EMAIL), None)


async def _reachable(tx: Transaction, requests: Sequence[Stored], channels: Sequence[str]) -> set[UUID]:
    """The customers of these requests whose files hold an address that we can write to."""
    if not requests:
        return set()
    found: Mapping[UUID, circumstances.Addressee] = await circumstances.addressees(tx, {stored.customer_id for stored in requests})
    return {customer_id for customer_id, addressee in found.items() if not addressee.addresses.keys().isdisjoint(channels)}


def _receipt(stored: Stored, address: str | None) -> Notification:
    return Notification(
        event_id=stored.request_id,
        notification_id=uuid5(stored.request_id, KIND),
        customer_id=stored.customer_id,
        kind=KIND,
        locale=stored.locale,
        requested_at=stored.received_at,
        ticket_number=stored.reference,
        data={} if stored.in_reply_to is None else {"in_reply_to": stored.in_reply_to},
        given_address=address,
    )
