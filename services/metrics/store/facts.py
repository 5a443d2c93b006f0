"""Facts as rows: one document per subject and generation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.metrics.facts import Facts, Subject, decode, encode
from shared.database import Transaction


async def load(tx: Transaction, version: int, subjects: Iterable[Subject]) -> dict[Subject, Facts]:
    """What is known about the subjects, locked."""
    wanted = sorted(subjects)
    rows = await tx.fetch(
        """
        SELECT kind, id, facts FROM fact
         WHERE projection_version = $1 AND (kind, id) IN (SELECT * FROM unnest($2::text[], $3::text[]))
         ORDER BY kind, id FOR UPDATE
        """,
        version,
        [subject.kind for subject in wanted],
        [subject.id for subject in wanted],
    )
    return {Subject(row["kind"], row["id"]): decode(row["kind"], row["facts"]) for row in rows}


async def save(tx: Transaction, version: int, known: Mapping[Subject, Facts], changed: Mapping[Subject, Facts]) -> None:
    """Write what changed. A subject that was not known must be new: where somebody else has just written it, this fails."""
    new = sorted(changed.keys() - known.keys())
    if new:
        records = [(version, subject.kind, subject.id, encode(changed[subject])) for subject in new]
        await tx.driver.copy_records_to_table("fact", records=records, columns=("projection_version", "kind", "id", "facts"))
    old = [subject for subject in changed if subject in known]
    if old:
        await tx.execute(
            """
            UPDATE fact f SET facts = u.facts FROM unnest($2::text[], $3::text[], $4::text[]) u(kind, id, facts)
             WHERE (f.projection_version, f.kind, f.id) = ($1, u.kind, u.id)
            """,
            version,
            [subject.kind for subject in old],
            [subject.id for subject in old],
            [encode(changed[subject]) for subject in old],
        )
