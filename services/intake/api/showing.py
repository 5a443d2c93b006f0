"""Customer files as they are shown."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from services.intake.handlers.merging import NoSuchFile
from services.intake.identity import Scheme
from services.intake.identity.file import File
from services.intake.identity.masking import masked
from services.intake.store import contacts, files, following
from services.intake.store.files import Held
from shared import clock
from shared.database import Transaction

_LINE = ("customer_id", "version", "name", "locale", "tier", "registered_at")


def file_id(text: str) -> UUID:
    """The id of a customer in an address; what cannot be one is nobody's.

    Raises:
        NoSuchFile: see there.
    """
    try:
        return UUID(text)
    except ValueError:
        raise NoSuchFile from None


async def shown(tx: Transaction, customer_id: UUID, *, unmasked: bool) -> dict[str, Any]:
    """The file that answers for a customer.

    Raises:
        NoSuchFile: nobody was registered under this id.
    """
    file = await files.find(tx, customer_id)
    if file is None:
        raise NoSuchFile
    family = await files.family(tx, file.customer_id)
    held = (await files.held_by(tx, [file.customer_id])).get(file.customer_id, [])
    return line(file) | {
        "merged_into": None if file.customer_id == customer_id else file.customer_id,
        "merged": [member for member in family if member != file.customer_id],
        "tier_reason": file.tier_reason,
        "groups": file.groups(clock.now()),
        "consents": asdict(file.consents),
        "identities": [_identity(file, one, unmasked) for one in held],
        "products": _distinct(await following.products_of(tx, file.customer_id)),
        "tickets": [asdict(ticket) for ticket in await contacts.tickets(tx, family)],
    }


def line(file: File) -> dict[str, Any]:
    """A customer in a list."""
    return {name: getattr(file, name) for name in _LINE}


def _identity(file: File, held: Held, unmasked: bool) -> dict[str, Any]:
    identity = held.identity
    primary = {Scheme.EMAIL: file.primary_email, Scheme.PHONE: file.primary_phone}.get(identity.scheme)
    return {
        "identity_id": held.identity_id(file.customer_id),
        "scheme": identity.scheme.value,
        "scope": identity.scope or None,
        "value": (identity.address or identity.value) if unmasked else masked(identity),
        "recognises": identity.matches and not held.is_shared,
        "shared": held.is_shared,
        "primary": primary == identity.value,
        "evidence": identity.evidence.value,
        "stands_in": identity.stands_in,
        "verified_at": held.verified_at,
        "linked_at": held.linked_at,
    }


def _distinct(products: list[dict[str, str | None]]) -> list[dict[str, str | None]]:
    return list({tuple(sorted(product.items(), key=lambda item: item[0])): product for product in products}.values())
