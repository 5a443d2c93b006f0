"""Two customer files become one person, or turn out not to be one after all.

Everybody of both families is locked, so that what is decided is what is written: first all that they are known by, then they themselves.
Who is being recognised meanwhile waits for one of these locks and then sees the survivor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar, Final
from uuid import UUID

from services.intake.identity import Identity
from services.intake.identity.file import File
from services.intake.identity.merging import Families, accounts_differ
from services.intake.store import customers, files, merges
from services.intake.store.files import Entry
from services.intake.store.merges import Done, Member, Suggestion
from shared import outbox
from shared.database import Transaction
from shared.errors import Conflict, Invalid, NotFound, Unavailable
from shared.events.envelope import Event
from shared.events.intake import Consents, CustomerGraded, CustomerMerged, CustomerUnmerged, CustomerUpdated
from shared.http import demand_version

SYSTEM: Final = "system"
PROVEN: Final = "proven_twice"
"""Why two files were merged by themselves: both customers have proven the same address."""


class NoSuchFile(NotFound):
    """Nobody registered a customer under this id, or he is not for this caller to know of."""

    code: ClassVar[str] = "customer_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such customer.")


class IntoUnknown(Invalid):
    """The customer into whom another is to be merged does not exist."""

    code: ClassVar[str] = "into_unknown"


class AccountsDiffer(Conflict):
    """Both customers have accounts in the app, and not the same; most likely they are two persons."""

    code: ClassVar[str] = "accounts_differ"


class NotMerged(Conflict):
    """The customer was not merged into another, so nothing can be undone."""

    code: ClassVar[str] = "not_merged"


class Moved(Unavailable):
    """One of the customers is being merged by somebody else; look again, then decide."""

    code: ClassVar[str] = "customer_moved"


async def merge(
    tx: Transaction,
    customer_id: UUID,
    into: UUID,
    *,
    version: int | None,
    by: str,
    reason: str,
    at: datetime,
    despite_accounts: bool = False,
) -> UUID:
    """``customer_id`` is the same person as ``into``, who answers for both from now on; the survivor. Repeating it changes nothing.

    Raises:
        NoSuchFile, IntoUnknown, Stale, Moved: see there.
        AccountsDiffer: unless ``despite_accounts``.
    """
    loser, winner = await _survivors(tx, customer_id, into)
    await lock_identities_of(tx, [loser, winner])
    members = await _locked(tx, {loser, winner})
    if version is not None:
        demand_version(version, members[loser].version)
    if loser == winner:
        return winner
    if not despite_accounts:
        await _demand_one_account(tx, loser, winner)
    families = merges.families_of(members.values()).merge(loser, winner)
    events = await _conclude(tx, members, families, Done("merged", loser, winner, by, reason, at))
    await merges.settle(tx, members, by=by, reason=reason, at=at)
    await outbox.append(tx, events)
    return winner


async def unmerge(tx: Transaction, customer_id: UUID, *, version: int, by: str, reason: str, at: datetime) -> UUID:
    """Undo the merge of this customer: he, and all who were merged into him, stand alone again. Returns whom he was merged into.

    Raises:
        NoSuchFile, NotMerged, Stale, Moved: see there.
    """
    found = await merges.survivors(tx, [customer_id])
    if customer_id not in found:
        raise NoSuchFile
    winner = found[customer_id]
    await lock_identities_of(tx, [winner])
    members = await _locked(tx, {winner})
    demand_version(version, members[winner].version)
    families = merges.families_of(members.values())
    if customer_id not in families.merged_into:
        raise NotMerged("The customer was not merged into another.")
    parent = families.merged_into[customer_id]
    events = await _conclude(tx, members, families.unmerge(customer_id), Done("unmerged", customer_id, parent, by, reason, at))
    await outbox.append(tx, events)
    return parent


async def _survivors(tx: Transaction, customer_id: UUID, into: UUID) -> tuple[UUID, UUID]:
    found = await merges.survivors(tx, [customer_id, into])
    if customer_id not in found:
        raise NoSuchFile
    if into not in found:
        raise IntoUnknown.field("/into", IntoUnknown.code, "no customer has this id")
    return found[customer_id], found[into]


async def lock_persons(tx: Transaction, customer_ids: Sequence[UUID], *further: Identity) -> None:
    """Lock these survivors, with all who were merged into them, and all that they are known by."""
    await lock_identities_of(tx, customer_ids, *further)
    await merges.lock_families(tx, customer_ids)


async def lock_identities_of(tx: Transaction, survivor_ids: Sequence[UUID], *further: Identity) -> None:
    """Lock all that these customers are known by."""
    held = await files.held_by(tx, survivor_ids)
    identities = {one.identity for found in held.values() for one in found} | set(further)
    if identities:
        await customers.lock_identities(tx, identities)


async def _locked(tx: Transaction, survivor_ids: set[UUID]) -> dict[UUID, Member]:
    members = {member.customer_id: member for member in await merges.lock_families(tx, survivor_ids)}
    if any(members[customer_id].survivor_id != customer_id for customer_id in survivor_ids):
        raise Moved("The customer is being merged by somebody else. Look again, then decide.")
    return members


async def _demand_one_account(tx: Transaction, loser: UUID, winner: UUID) -> None:
    held = await files.held_by(tx, [loser, winner])
    ours, theirs = ([one.identity for one in held.get(customer_id, ())] for customer_id in (loser, winner))
    if accounts_differ(ours, theirs):
        raise AccountsDiffer("Both have accounts in the app, and not the same. Merge them only if you are sure, and say so.")


async def _conclude(tx: Transaction, members: dict[UUID, Member], families: Families, done: Done) -> list[Event]:
    """Write what stands from now on, what was done and who did it; the events of it."""
    winner = families.survivor(done.into_customer_id)
    touched = sorted({done.customer_id, winner})
    versions = {customer_id: members[customer_id].version + 1 for customer_id in touched}
    before = await files.lines(tx, touched)
    await merges.save(tx, list(members.values()), families, versions)
    await merges.write_down(tx, done)
    after = await files.lines(tx, touched)
    told = {done.customer_id: {"into": str(done.into_customer_id)}, winner: {"customer_id": str(done.customer_id)}}
    graded = {one: {"tier": after[one].tier, "previous_tier": before[one].tier} for one in touched if after[one].tier != before[one].tier}
    data = {one: told[one] | graded.get(one, {}) | {"reason": done.reason} for one in touched}
    await files.note(tx, [(one, Entry(versions[one], done.kind, done.at, done.actor, data[one])) for one in touched])
    released = [announced(after[done.customer_id], done.at)] if done.kind == "unmerged" else []
    return [_event(done), *_gradings(before, after, done), *released, *_consents(before[winner], after[winner], done.at)]


def _event(done: Done) -> Event:
    if done.kind == "merged":
        return CustomerMerged(occurred_at=done.at, customer_id=done.customer_id, into_customer_id=done.into_customer_id, actor=done.actor)
    return CustomerUnmerged(occurred_at=done.at, customer_id=done.customer_id, from_customer_id=done.into_customer_id, actor=done.actor)


def _gradings(before: Mapping[UUID, File], after: Mapping[UUID, File], done: Done) -> Iterable[Event]:
    """The survivor may have got the tier of the other file; when they part, each has the tier that was said of it."""
    for customer_id, file in after.items():
        if file.tier != before[customer_id].tier:
            yield CustomerGraded(
                occurred_at=done.at,
                customer_id=customer_id,
                tier=file.tier,
                previous_tier=before[customer_id].tier,
                reason=done.kind,
                actor=done.actor,
            )


def _consents(before: File, after: File, at: datetime) -> Iterable[Event]:
    """The survivor's consents may have become stricter, or free again."""
    return [] if before.consents == after.consents else [announced(after, at)]


def announced(file: File, at: datetime) -> CustomerUpdated:
    """What the bus is told of a changed file."""
    consents = Consents(status=file.consents.status, survey=file.consents.survey, marketing=file.consents.marketing)
    return CustomerUpdated(
        occurred_at=at,
        customer_id=file.customer_id,
        version=file.version,
        name=file.name,
        locale=file.locale,
        tier=file.tier,
        consents=consents,
    )


# --- proven by both ------------------------------------------------------------------------------------------------------------------


async def twin_of(tx: Transaction, customer_id: UUID, identity: Identity) -> UUID | None:
    """The one other customer who has proven the same identity, if their accounts do not differ."""
    own = (await merges.survivors(tx, [customer_id])).get(customer_id)
    provers = [other for other, is_verified in (await files.holders(tx, identity)).items() if is_verified and other != own]
    if own is None or len(provers) != 1:
        return None
    held = await files.held_by(tx, [own, provers[0]])
    ours, theirs = ([one.identity for one in held.get(one_id, ())] for one_id in (own, provers[0]))
    return None if accounts_differ(ours, theirs) else provers[0]


async def merge_twins(tx: Transaction, file: File, twin: UUID, *, at: datetime) -> UUID:
    """Merge two customers who have proven the same; who was registered first survives."""
    other = await files.find(tx, twin)
    if other is None or other.customer_id == file.customer_id:
        return file.customer_id
    older, younger = sorted((file, other), key=lambda one: (one.registered_at, one.customer_id))
    return await merge(tx, younger.customer_id, older.customer_id, version=None, by=SYSTEM, reason=PROVEN, at=at)


# --- suggestions ---------------------------------------------------------------------------------------------------------------------


class NoSuchSuggestion(NotFound):
    """Nobody suggested this."""

    code: ClassVar[str] = "suggestion_not_found"


class DecidedAlready(Conflict):
    """Somebody has accepted or dismissed the suggestion before."""

    code: ClassVar[str] = "suggestion_decided"


async def accept(
    tx: Transaction, suggestion_id: UUID, into: UUID | None, *, by: str, reason: str, at: datetime, despite_accounts: bool
) -> UUID:
    """Merge two customers as suggested; the survivor: ``into``, or else who was registered first.

    Raises:
        NoSuchSuggestion, DecidedAlready, IntoUnknown, AccountsDiffer, Moved: see there.
    """
    seen = await merges.find_suggestion(tx, suggestion_id)
    if seen is not None:
        # before the suggestion: whoever merges the two by hand settles it afterwards
        await lock_persons(tx, seen.customers)
    suggestion = await _open(tx, suggestion_id)
    people = await files.lines(tx, suggestion.customers)
    older, younger = sorted(people.values(), key=lambda one: (one.registered_at, one.customer_id))
    if into not in (None, older.customer_id, younger.customer_id):
        raise IntoUnknown.field("/into", IntoUnknown.code, "is none of the two customers")
    winner, loser = (younger, older) if into == younger.customer_id else (older, younger)
    await merges.decide(tx, suggestion_id, "accepted", by=by, reason=reason, at=at)
    return await merge(
        tx, loser.customer_id, winner.customer_id, version=None, by=by, reason=reason, at=at, despite_accounts=despite_accounts
    )


async def dismiss(tx: Transaction, suggestion_id: UUID, *, by: str, reason: str, at: datetime) -> Suggestion:
    """The two are two persons.

    Raises:
        NoSuchSuggestion, DecidedAlready: see there.
    """
    suggestion = await _open(tx, suggestion_id)
    await merges.decide(tx, suggestion_id, "dismissed", by=by, reason=reason, at=at)
    return replace(suggestion, status="dismissed", decided_at=at, decided_by=by, reason=reason)


async def _open(tx: Transaction, suggestion_id: UUID) -> Suggestion:
    suggestion = await merges.find_suggestion(tx, suggestion_id, locked=True)
    if suggestion is None:
        raise NoSuchSuggestion("There is no such suggestion.")
    if suggestion.status != "open" or len(set(suggestion.customers)) < 2:
        raise DecidedAlready("Somebody has decided it already.", facts={"status": suggestion.status})
    return suggestion
