"""When automatic messages left for each address within the last day; the one place that may say whether another one may leave.

`lock` holds the addresses until COMMIT, so two senders never count the same room twice. A use stays when its message may have left, even if
nobody lived to write that down; it goes when it certainly did not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from services.intake.sending import Use
from shared.database import Transaction


async def lock(tx: Transaction, keys: Collection[str]) -> None:
    """Nobody else counts for these addresses until COMMIT; always in the same order."""
    await tx.execute(
        """
        SELECT pg_advisory_xact_lock(id) FROM
          (SELECT DISTINCT hashtextextended(key, 0) AS id FROM unnest($1::text[]) k(key) ORDER BY id) ordered
        """,
        list(keys),
    )


async def used(tx: Transaction, keys: Collection[str], since: datetime) -> Mapping[str, Sequence[datetime]]:
    """When automatic messages left, or may have left, for these addresses."""
    # OFFSET 0: each is looked up by its key; of a few thousand the planner would rather read all of the day
    rows = await tx.fetch(
        """
        SELECT u.key, u.at
          FROM unnest($1::text[]) k(key) CROSS JOIN LATERAL (SELECT key, at FROM budget_use WHERE key = k.key AND at > $2 OFFSET 0) u
        """,
        list(keys),
        since,
    )
    found: dict[str, list[datetime]] = defaultdict(list)
    for row in rows:
        found[row["key"]].append(row["at"])
    return found


async def reserve(tx: Transaction, uses: Sequence[Use], claimed_until: datetime, at: datetime) -> None:
    """Count these messages before they leave."""
    await tx.execute(
        """
        INSERT INTO budget_use (event_id, claimed_until, key, at)
        SELECT event_id, $3, key, $4 FROM unnest($1::uuid[], $2::text[]) u(event_id, key)
        """,
        [use.event_id for use in uses],
        [use.key for use in uses],
        claimed_until,
        at,
    )


async def settle(tx: Transaction, left: Collection[UUID], stayed: Collection[UUID], claimed_until: datetime, at: datetime) -> None:
    """Of the messages of one claim: those that left, or may have, count from now on; those that certainly did not are forgotten."""
    if left:
        moved = "UPDATE budget_use SET at = $3 WHERE claimed_until = $2 AND event_id = ANY($1::uuid[])"
        await tx.execute(moved, list(left), claimed_until, at)
    if stayed:
        await tx.execute("DELETE FROM budget_use WHERE claimed_until = $2 AND event_id = ANY($1::uuid[])", list(stayed), claimed_until)


async def forget(tx: Transaction, before: datetime) -> int:
    """Forget uses that no limit looks at any more; how many there were."""
    tag = await tx.execute("DELETE FROM budget_use WHERE at < $1", before)
    return int(tag.rpartition(" ")[2])
