"""The customer file: what the organisation keeps of a customer, and what a change of it changes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

NEW_FOR: Final = timedelta(days=90)
"""How long a customer counts as a new one."""


class Tier(StrEnum):
    """The customer's level."""

    STANDARD = "standard"
    SILVER = "silver"
    GOLD = "gold"
    VIP = "vip"


BY_HEIGHT: Final = tuple(Tier)
"""Lowest first. Of files that are one person the highest counts: nobody loses what he was promised by being recognised."""
HIGH_VALUE: Final = frozenset({Tier.GOLD, Tier.VIP})


@dataclass(frozen=True)
class Consents:
    """What the customer allows. Answers to his own request need none."""

    status: bool = True
    survey: bool = True
    marketing: bool = False


@dataclass(frozen=True)
class File:
    """A customer's own file; ``version`` counts its changes."""

    customer_id: UUID
    version: int
    name: str | None
    locale: str
    tier: str
    tier_reason: str | None
    consents: Consents
    primary_email: str | None
    primary_phone: str | None
    registered_at: datetime

    def groups(self, at: datetime) -> dict[str, str]:
        """The groups that he is counted in (R113)."""
        return {
            "tenure": "new" if at - self.registered_at < NEW_FOR else "old",
            "value": "high" if self.tier in HIGH_VALUE else "ordinary",
        }


@dataclass(frozen=True)
class Patch:
    """What is to be changed: the fields of `File` that are named in ``fields``, and the consents that are named in ``consents``."""

    fields: dict[str, Any] = field(default_factory=dict)
    consents: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """A file before and after. ``fields`` are the names of what is different; a patch that changes nothing leaves the version."""

    before: File
    after: File
    fields: tuple[str, ...]

    @property
    def is_graded(self) -> bool:
        """Whether the tier is another."""
        return "tier" in self.fields

    @property
    def is_announced(self) -> bool:
        """Whether others need to hear of more than the tier."""
        return not {"name", "locale", "consents"}.isdisjoint(self.fields)

    @property
    def is_none(self) -> bool:
        """Whether nothing is different."""
        return not self.fields

    def data(self) -> dict[str, Any]:
        """What the audit trail says: names of fields and codes, no value of a personal field."""
        graded = {"tier": self.after.tier, "previous_tier": self.before.tier, "reason": self.after.tier_reason} if self.is_graded else {}
        return {"fields": list(self.fields), **graded}


def change(file: File, patch: Patch) -> Change:
    """The file after the patch."""
    consents = replace(file.consents, **patch.consents)
    wanted = {**patch.fields, "consents": consents}
    if wanted.get("tier", file.tier) == file.tier:
        wanted.pop("tier_reason", None)
    different = tuple(sorted(name for name, value in wanted.items() if getattr(file, name) != value))
    if not different:
        return Change(file, file, ())
    return Change(file, replace(file, **wanted, version=file.version + 1), tuple(name for name in different if name != "tier_reason"))
