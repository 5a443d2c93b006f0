"""What figures are held against, as versions with the moment from which they hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.database import Transaction


@dataclass(frozen=True, slots=True)
class Target:
    """One version of what is aimed at; ``value`` in the unit of the figure."""

    kpi: str
    version: int
    value: float
    valid_from: datetime
    set_by: str
    set_at: datetime


class Targets:
    """All versions of some targets."""

    def __init__(self, versions: Sequence[Target]) -> None:
        by_kpi: dict[str, list[Target]] = defaultdict(list)
        for target in versions:
            by_kpi[target.kpi].append(target)
        self._by_kpi: Mapping[str, Sequence[Target]] = by_kpi

    def before(self, kpi: str, moment: datetime) -> float | None:
        """What was aimed at just before a moment; of versions that hold from the same moment, the newest."""
        held = [target for target in self._by_kpi.get(kpi, ()) if target.valid_from < moment]
        return max(held, key=lambda target: (target.valid_from, target.version)).value if held else None


async def versions(tx: Transaction, kpis: Sequence[str]) -> list[Target]:
    """All versions of the targets, sorted by figure and version."""
    rows = await tx.fetch(
        """
        SELECT kpi, version, value, valid_from, set_by, set_at FROM kpi_target WHERE kpi = ANY($1::text[]) ORDER BY kpi, version
        """,
        list(kpis),
    )
    return [Target(row["kpi"], row["version"], float(row["value"]), row["valid_from"], row["set_by"], row["set_at"]) for row in rows]


async def lock(tx: Transaction, kpi: str) -> int:
    """The newest version of a target, 0 without one; nobody adds another before the transaction ends."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('kpi_target/' || $1, 0))", kpi)
    newest: int = await tx.fetchval("SELECT coalesce(max(version), 0) FROM kpi_target WHERE kpi = $1", kpi)
    return newest


async def add(tx: Transaction, target: Target) -> None:
    """Write a version."""
    await tx.execute(
        "INSERT INTO kpi_target (kpi, version, value, valid_from, set_by, set_at) VALUES ($1, $2, $3, $4, $5, $6)",
        target.kpi,
        target.version,
        Decimal(repr(target.value)),
        target.valid_from,
        target.set_by,
        target.set_at,
    )
