"""Messages to customers that wait, were delivered or failed. Claims are in real time, what happened is in business time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.intake.sending import AUTOMATIC, Failure, Notification
from shared.database import Transaction


@dataclass(frozen=True)
class Finished:
    """What became of a notification; ``failure`` None: it was delivered to ``address``."""

    event_id: UUID
    address: str | None
    failure: Failure | None


@dataclass(frozen=True)
class Again:
    """A notification that is tried again; ``attempts`` includes the last one."""

    event_id: UUID
    attempts: int
    first_attempt_at: datetime | None
    at: datetime


async def request(tx: Transaction, notifications: Sequence[Notification], due_at: datetime) -> None:
    """Keep what customers should know. The same event twice is one notification."""
    await tx.execute(
        """
        INSERT INTO notification (event_id, notification_id, customer_id, kind, locale, requested_at, ticket_number, text, link,
                                  expires_at, next_attempt_at)
        SELECT *, $11 FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[],
                                  $9::text[], $10::timestamptz[])
        ON CONFLICT DO NOTHING
        """,
        [n.event_id for n in notifications],
        [n.notification_id for n in notifications],
        [n.customer_id for n in notifications],
        [n.kind for n in notifications],
        [n.locale for n in notifications],
        [n.requested_at for n in notifications],
        [n.ticket_number for n in notifications],
        [n.text for n in notifications],
        [n.link for n in notifications],
        [n.expires_at for n in notifications],
        due_at,
    )


async def claim_due(tx: Transaction, *, limit: int, now: datetime, until: datetime) -> list[Notification]:
    """Notifications that are due, ours until that moment; oldest first. If we die they become due again then."""
    rows = await tx.fetch(
        """
        UPDATE notification n SET next_attempt_at = $3
          FROM (SELECT event_id FROM notification WHERE status = 'pending' AND next_attempt_at <= $2
                 ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
         WHERE n.event_id = due.event_id
        RETURNING n.event_id, notification_id, customer_id, kind, locale, requested_at, ticket_number, text, link, expires_at, attempts,
                  first_attempt_at
        """,
        limit,
        now,
        until,
    )
    return sorted((Notification(**row) for row in rows), key=lambda notification: notification.requested_at)


async def sent_to(tx: Transaction, addresses: Collection[str], since: datetime) -> Mapping[str, list[datetime]]:
    """When automatic messages went to these addresses."""
    rows = await tx.fetch(
        """
        SELECT address, finished_at FROM notification
         WHERE status = 'delivered' AND address = ANY($1::text[]) AND finished_at > $2 AND kind = ANY($3::text[])
        """,
        list(addresses),
        since,
        list(AUTOMATIC),
    )
    sent: dict[str, list[datetime]] = defaultdict(list)
    for row in rows:
        sent[row["address"]].append(row["finished_at"])
    return sent


async def finish(tx: Transaction, finished: Iterable[Finished], at: datetime) -> set[UUID]:
    """Write down how notifications ended; those that nobody had written down before. Their texts and links are not needed any more."""
    done = list(finished)
    rows = await tx.fetch(
        """
        UPDATE notification n
           SET status = CASE WHEN f.failure IS NULL THEN 'delivered' ELSE 'failed' END, failure = f.failure, address = f.address,
               finished_at = $4, text = NULL, link = NULL
          FROM unnest($1::uuid[], $2::text[], $3::text[]) f(event_id, address, failure)
         WHERE n.event_id = f.event_id AND n.status = 'pending'
        RETURNING n.event_id
        """,
        [f.event_id for f in done],
        [f.address for f in done],
        [None if f.failure is None else f.failure.value for f in done],
        at,
    )
    return {row["event_id"] for row in rows}


async def try_again(tx: Transaction, again: Sequence[Again], claimed_until: datetime) -> None:
    """Make claimed notifications due later; not if somebody else has claimed them since."""
    await tx.execute(
        """
        UPDATE notification n SET attempts = a.attempts, first_attempt_at = a.first_attempt_at, next_attempt_at = a.at
          FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::timestamptz[]) a(event_id, attempts, first_attempt_at, at)
         WHERE n.event_id = a.event_id AND n.status = 'pending' AND n.next_attempt_at = $5
        """,
        [a.event_id for a in again],
        [a.attempts for a in again],
        [a.first_attempt_at for a in again],
        [a.at for a in again],
        claimed_until,
    )
