"""The organisation's own wording of messages, by kind and language; each version is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.database import Transaction

Sheet = tuple[str, str]
"""(kind, locale)."""

_LOCK = UUID("2b7de2a4-4b0d-4d2e-9a53-6c1f0f6f7a10").int >> 65
"""Advisory lock of whoever changes a wording."""


@dataclass(frozen=True)
class Template:
    """A version of the wording of a kind in a language; ``wording`` None: that of the release."""

    kind: str
    locale: str
    version: int
    wording: str | None
    changed_at: datetime | None = None
    changed_by: str | None = None


async def own_wordings(tx: Transaction) -> Mapping[Sheet, str]:
    """Where the organisation has words of its own."""
    rows = await tx.fetch(
        """
        SELECT * FROM (SELECT DISTINCT ON (kind, locale) kind, locale, wording FROM notification_template
                        ORDER BY kind, locale, version DESC) newest WHERE wording IS NOT NULL
        """
    )
    return {(row["kind"], row["locale"]): row["wording"] for row in rows}


async def newest(tx: Transaction) -> Mapping[Sheet, Template]:
    """The present version of each wording that was ever changed."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT ON (kind, locale) kind, locale, version, wording, changed_at, changed_by FROM notification_template
         ORDER BY kind, locale, version DESC
        """
    )
    return {(row["kind"], row["locale"]): Template(**row) for row in rows}


async def find(tx: Transaction, kind: str, locale: str) -> Template:
    """The present version of a wording; 0 if it was never changed."""
    versions = await history(tx, kind, locale, before=None, limit=1)
    return versions[0] if versions else Template(kind, locale, 0, None)


async def history(tx: Transaction, kind: str, locale: str, *, before: int | None, limit: int) -> list[Template]:
    """The versions of a wording, the latest first, below ``before``."""
    rows = await tx.fetch(
        """
        SELECT kind, locale, version, wording, changed_at, changed_by FROM notification_template
         WHERE kind = $1 AND locale = $2 AND version < $3 ORDER BY version DESC LIMIT $4
        """,
        kind,
        locale,
        2**31 - 1 if before is None else before,
        limit,
    )
    return [Template(**row) for row in rows]


async def lock(tx: Transaction) -> None:
    """Nobody else changes a wording until COMMIT."""
    await tx.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)


async def add(tx: Transaction, template: Template) -> None:
    """A new version."""
    await tx.execute(
        "INSERT INTO notification_template (kind, locale, version, wording, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5, $6)",
        template.kind,
        template.locale,
        template.version,
        template.wording,
        template.changed_at,
        template.changed_by,
    )
