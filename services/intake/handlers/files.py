"""Customer files are changed by people: each change names the version that was seen, is in the audit trail, and is told on the bus.

Locks are taken in the order of the house: identities, customers, outbox heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

from services.intake.handlers import merging
from services.intake.handlers.merging import NoSuchFile
from services.intake.identity import Arrival, Directory, Evidence, Identity
from services.intake.identity.file import Change, File, Patch, change
from services.intake.identity.who import recognise
from services.intake.store import customers, files, merges
from services.intake.store.customers import Link, NewCustomer
from services.intake.store.files import Entry, Held
from shared import outbox
from shared.database import Transaction
from shared.errors import Conflict, Invalid, NotFound
from shared.events.envelope import Event
from shared.events.intake import CustomerGraded, CustomerRegistered
from shared.http import demand_version


class NoSuchIdentity(NotFound):
    """The customer is not known by this."""

    code: ClassVar[str] = "identity_not_found"

    def __init__(self) -> None:
        super().__init__("The customer's file holds no such identity.")


class IdentityTaken(Conflict):
    """Another customer has this account; an account is one customer's only."""

    code: ClassVar[str] = "identity_taken"

    def __init__(self, customer_id: UUID) -> None:
        super().__init__("Another customer has it. Merge the two if they are one person.", facts={"customer_id": str(customer_id)})


class KnownAlready(Conflict):
    """These identities are a known customer's."""

    code: ClassVar[str] = "customer_known"

    def __init__(self, customer_id: UUID) -> None:
        super().__init__("A known customer has these identities.", facts={"customer_id": str(customer_id)})


@dataclass(frozen=True)
class Registration:
    """A customer whom somebody enters."""

    name: str | None
    locale: str
    identities: tuple[Identity, ...]
    patch: Patch


async def register(tx: Transaction, entered: Registration, *, by: str, at: datetime) -> UUID:
    """Register a customer by hand; the id that he got.

    Raises:
        KnownAlready: what he shows recognises somebody.
    """
    identities = [replace(identity, evidence=Evidence.ENTERED) for identity in entered.identities]
    if identities:
        await customers.lock_identities(tx, identities)
    known = await customers.known_of(tx, identities, ())
    new = NewCustomer(uuid4(), entered.name, entered.locale, at)
    if (recognised := recognise(Arrival(tuple(identities), new.customer_id).shown, known.directory)) is not None:
        raise KnownAlready(recognised)
    await customers.register(tx, [new])
    await _link_new(tx, new.customer_id, identities, known.directory, at)
    registered = CustomerRegistered(occurred_at=at, customer_id=new.customer_id, name=new.name, locale=new.locale)
    changed = await _changed(tx, await _locked(tx, new.customer_id), entered.patch, by=by, at=at)
    await outbox.append(tx, [registered, *_events(changed, by, at)])
    return new.customer_id


async def _link_new(tx: Transaction, customer_id: UUID, identities: Sequence[Identity], directory: Directory, at: datetime) -> None:
    """A person says that the customer is new: what he shares with others is his all the same, but an account is one customer's only."""
    if not identities:
        return
    taken = [identity for identity in identities if directory.holders.get(identity)]
    kept = [identity.contact() if identity in taken and not identity.is_weak else identity for identity in identities]
    await customers.link(tx, [Link(customer_id, identity) for identity in kept], at)
    await customers.mark_shared(tx, taken)
    suspects = {other for identity in taken if identity.matches for other in directory.holders[identity]}
    if suspects:
        await customers.suggest_merges(tx, [(customer_id, other) for other in suspects], at)


async def update(tx: Transaction, customer_id: UUID, patch: Patch, *, version: int, by: str, at: datetime) -> File:
    """Change a file.

    Raises:
        NoSuchFile, Stale: see there.
        Invalid: a primary address that is not in the file.
    """
    file = await _seen(tx, customer_id, version)
    await _check_primary(tx, file, patch)
    changed = await _changed(tx, file, patch, by=by, at=at)
    await outbox.append(tx, _events(changed, by, at))
    return changed.after


async def _changed(tx: Transaction, file: File, patch: Patch, *, by: str, at: datetime) -> Change:
    changed = change(file, patch)
    if not changed.is_none:
        await files.save(tx, changed.after, patch.consents, is_graded=changed.is_graded)
        await files.note(tx, [(file.customer_id, Entry(changed.after.version, "updated", at, by, changed.data()))])
    return changed


async def _check_primary(tx: Transaction, file: File, patch: Patch) -> None:
    wanted = {name: patch.fields[f"primary_{name}"] for name in ("email", "phone") if patch.fields.get(f"primary_{name}")}
    if not wanted:
        return
    everything = (await files.held_by(tx, [file.customer_id])).get(file.customer_id, ())
    held = {(one.identity.kind, one.identity.value) for one in everything}
    for name, value in wanted.items():
        if (name, value) not in held:
            raise Invalid.field(f"/primary_{name}", "not_in_file", "The file holds no such address. Add it first.")


def _events(changed: Change, by: str, at: datetime) -> list[Event]:
    file, events = changed.after, list[Event]()
    if changed.is_graded:
        reason = file.tier_reason or "manual"
        graded = CustomerGraded(
            occurred_at=at, customer_id=file.customer_id, tier=file.tier, previous_tier=changed.before.tier, reason=reason, actor=by
        )
        events.append(graded)
    if changed.is_announced:
        events.append(merging.announced(file, at))
    return events


# --- identities ----------------------------------------------------------------------------------------------------------------------


async def add_identity(tx: Transaction, customer_id: UUID, identity: Identity, *, version: int, by: str, at: datetime) -> File:
    """Staff say that the customer has this too.

    Raises:
        NoSuchFile, Stale, IdentityTaken: see there.
    """
    await customers.lock_identities(tx, [identity])
    file = await _seen(tx, customer_id, version)
    others = [other for other in await files.holders(tx, identity) if other != file.customer_id]
    if others and not identity.is_weak:
        raise IdentityTaken(others[0])
    held = (await files.held_by(tx, [file.customer_id])).get(file.customer_id, [])
    if any(one.identity == identity and (one.identity.matches or not identity.matches) for one in held):
        return file
    entered = replace(identity, evidence=Evidence.ENTERED)
    await customers.link(tx, [Link(file.customer_id, entered)], at)
    await customers.mark_shared(tx, [identity, *(one.identity for one in held)])
    if others and identity.matches:
        await customers.suggest_merges(tx, [(file.customer_id, other) for other in others], at)
    return await _bump(tx, file, "identity_added", {"scheme": identity.kind}, by=by, at=at)


async def remove_identity(tx: Transaction, customer_id: UUID, identity_id: str, *, version: int, by: str, at: datetime) -> File:
    """The customer does not have it any more, or never had.

    Raises:
        NoSuchFile, NoSuchIdentity, Stale: see there.
    """
    identity = (await _held(tx, customer_id, identity_id)).identity
    await customers.lock_identities(tx, [identity])
    file = await _seen(tx, customer_id, version)
    await files.unlink(tx, file.customer_id, identity)
    primary = {"email": file.primary_email, "phone": file.primary_phone}
    if primary.get(identity.scheme) == identity.value:
        cleared = change(file, Patch({f"primary_{identity.scheme}": None})).after
        await files.save(tx, cleared, {})
        await files.note(tx, [(file.customer_id, Entry(cleared.version, "identity_removed", at, by, {"scheme": identity.kind}))])
        return cleared
    return await _bump(tx, file, "identity_removed", {"scheme": identity.kind}, by=by, at=at)


async def verify_identity(
    tx: Transaction, customer_id: UUID, identity_id: str, method: str, *, version: int, by: str, at: datetime
) -> File:
    """The customer has proven that it is his. If one other customer has proven the same, the two are merged, unless their accounts differ.

    Raises:
        NoSuchFile, NoSuchIdentity, Stale: see there.
    """
    identity = (await _held(tx, customer_id, identity_id)).identity
    twin = await merging.twin_of(tx, customer_id, identity)
    if twin is None:
        await customers.lock_identities(tx, [identity])
    else:
        await merging.lock_persons(tx, [*(await merges.survivors(tx, [customer_id])).values(), twin], identity)
    file = await _seen(tx, customer_id, version)
    await files.verify(tx, file.customer_id, identity, by=by, at=at)
    file = await _bump(tx, file, "identity_verified", {"scheme": identity.kind, "method": method}, by=by, at=at)
    if twin is not None:
        await merging.merge_twins(tx, file, twin, at=at)
        file = await _locked(tx, customer_id)
    return file


async def _held(tx: Transaction, customer_id: UUID, identity_id: str) -> Held:
    file = await files.find(tx, customer_id)
    if file is None:
        raise NoSuchFile
    held: Sequence[Held] = (await files.held_by(tx, [file.customer_id])).get(file.customer_id, ())
    for one in held:
        if one.identity_id(file.customer_id) == identity_id:
            return one
    raise NoSuchIdentity


async def _bump(tx: Transaction, file: File, kind: str, data: dict[str, Any], *, by: str, at: datetime) -> File:
    """A change that is no field of the file counts all the same."""
    after = replace(file, version=file.version + 1)
    await files.save(tx, after, {})
    await files.note(tx, [(file.customer_id, Entry(after.version, kind, at, by, data))])
    return after


async def _seen(tx: Transaction, customer_id: UUID, version: int) -> File:
    file = await _locked(tx, customer_id)
    demand_version(version, file.version)
    return file


async def _locked(tx: Transaction, customer_id: UUID) -> File:
    file = await files.lock(tx, customer_id)
    if file is None:
        raise NoSuchFile
    return file
