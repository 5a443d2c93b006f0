"""Two customers are found to be one person, and sometimes found not to be after all.

Files are never thrown together: each merged one keeps what was linked in it (its *origin*) and names the one that it was merged into.
Whoever stands at the end of that chain, the *survivor*, answers for all of them, and their identities recognise him. So undoing a merge
is cutting one link of the chain, in whatever order merges are undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from uuid import UUID

from services.intake.identity.schemes import Identity, Scheme


@dataclass(frozen=True)
class Families:
    """Which customer was merged into which; those who were not are left out."""

    merged_into: Mapping[UUID, UUID] = field(default_factory=lambda: MappingProxyType({}))

    def survivor(self, customer_id: UUID) -> UUID:
        """Who answers for the customer."""
        while customer_id in self.merged_into:
            customer_id = self.merged_into[customer_id]
        return customer_id

    def merge(self, customer_id: UUID, into: UUID) -> Families:
        """Both are one person from now on, and the survivor of ``into`` answers; nothing changes when they were already."""
        loser, winner = self.survivor(customer_id), self.survivor(into)
        return self if loser == winner else Families(MappingProxyType({**self.merged_into, loser: winner}))

    def unmerge(self, customer_id: UUID) -> Families:
        """The customer, and all that were merged into him, stand alone again; nothing changes when he was not merged."""
        rest = {loser: winner for loser, winner in self.merged_into.items() if loser != customer_id}
        return Families(MappingProxyType(rest))


def accounts_differ(one: Iterable[Identity], other: Iterable[Identity]) -> bool:
    """Whether both have accounts in the app, and not the same: then they are two persons until a person says otherwise."""
    ours, theirs = ({identity for identity in has if identity.scheme is Scheme.APP_USER} for has in (one, other))
    return bool(ours and theirs and not ours & theirs)
