"""What customers can prove, and how often somebody tried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.database import Transaction

CLEANED: Final = 20
"""Old rows that each try takes away, so that the table stays as small as the tries of one lock."""


@dataclass(frozen=True, slots=True)
class Tries:
    """Tries for one reference that were not right, this one included, and when the last counted one was."""

    wrong: int
    last_at: datetime


async def count(tx: Transaction, reference: str, at: datetime, *, limit: int, lock: timedelta) -> Tries:
    """Count a try before it is judged; tries at the same moment wait for each other. Beyond the limit the time stands still."""
    row = await tx.fetchrow(
        """
        WITH old AS (
            SELECT reference FROM tracking_try WHERE last_at < $2::timestamptz - $4::interval AND reference <> $1
             ORDER BY last_at LIMIT $5 FOR UPDATE SKIP LOCKED
        ), cleaned AS (
            DELETE FROM tracking_try t USING old WHERE t.reference = old.reference
        )
        INSERT INTO tracking_try AS t (reference, wrong, last_at) VALUES ($1, 1, $2)
            ON CONFLICT (reference) DO UPDATE
           SET wrong = CASE WHEN t.last_at < $2::timestamptz - $4::interval THEN 1 ELSE least(t.wrong, $3) + 1 END,
               last_at = CASE WHEN t.last_at < $2::timestamptz - $4::interval OR t.wrong < $3 THEN $2 ELSE t.last_at END
        RETURNING wrong, last_at
        """,
        reference,
        at,
        limit,
        lock,
        CLEANED,
    )
    assert row is not None
    return Tries(row["wrong"], row["last_at"])


async def forgive(tx: Transaction, reference: str) -> None:
    """A right try: the wrong ones before it count no more."""
    await tx.execute("DELETE FROM tracking_try WHERE reference = $1", reference)


async def kept_proofs(tx: Transaction, reference: str) -> list[tuple[str, str]]:
    """(reference, digest) of everything that proves the customer of this reference: also what he gave with other messages on the matter."""
    rows = await tx.fetch(
        """
        WITH asked AS (
            SELECT number FROM ticket WHERE number = $1 UNION SELECT number FROM alias WHERE reference = $1
        ), matter AS (
            SELECT t.number FROM asked JOIN ticket a ON a.number = asked.number
              JOIN ticket t ON t.number = a.series OR (t.series = a.series AND t.linked_to IS NOT NULL)
        )
        SELECT p.reference, p.digest FROM matter JOIN proof p ON p.number = matter.number
        """,
        reference,
    )
    return [(row["reference"], row["digest"]) for row in rows]
