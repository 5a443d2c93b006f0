"""Messages to customers that wait, were delivered or failed. Claims are in real time, what happened is in business time.

A claim is a lease: `next_attempt_at` is moved to its end, so whatever a killed process held becomes due again by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.intake.sending import Failure, Notification
from shared.database import Transaction, from_json, to_json


@dataclass(frozen=True)
class Finished:
    """What became of a notification; ``failure`` None: it was delivered to ``address`` by ``channel``."""

    event_id: UUID
    channel: str | None
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
    """Keep what customers should know. The same event, or the same notification in another event, is one notification."""
    await tx.execute(
        """
        INSERT INTO notification (event_id, notification_id, customer_id, kind, locale, requested_at, ticket_number, text, link, data,
                                  expires_at, given_address, next_attempt_at)
        SELECT *, $13 FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[],
                                  $9::text[], $10::jsonb[], $11::timestamptz[], $12::text[])
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
        [to_json(dict(n.data)) for n in notifications],
        [n.expires_at for n in notifications],
        [n.given_address for n in notifications],
        due_at,
    )


async def request_again(tx: Transaction, failed: UUID, again: Notification, by: str, due_at: datetime) -> None:
    """Keep a message that goes out instead of one that failed; once."""
    await request(tx, [again], due_at)
    await tx.execute("UPDATE notification SET resend_of = $2, requested_by = $3 WHERE event_id = $1", again.event_id, failed, by)


COLUMNS: Final = """n.event_id, n.notification_id, n.customer_id, n.kind, n.locale, n.requested_at, n.ticket_number, n.text, n.link, n.data,
                  n.expires_at, n.given_address, n.created_at, n.attempts, n.first_attempt_at"""


def notification_of(fields: Mapping[str, Any]) -> Notification:
    """The value of a row of `COLUMNS`."""
    return Notification(**{**fields, "data": from_json(fields["data"])})


async def moment(tx: Transaction) -> datetime:
    """Real time by the database's clock. All who claim go by it: a process whose own clock is ahead must not find another one's claim over,
    and send the same message again."""
    moment: datetime = await tx.fetchval("SELECT clock_timestamp()")
    return moment


async def is_due(tx: Transaction) -> bool:
    """Whether anything is due that nobody has claimed."""
    # not clock_timestamp(), which no index can be asked about: all that waits would be looked at
    return bool(
        await tx.fetchval("SELECT EXISTS (SELECT FROM notification WHERE status = 'pending' AND next_attempt_at <= statement_timestamp())")
    )


async def claim_due(tx: Transaction, *, limit: int, now: datetime, until: datetime) -> list[Notification]:
    """Notifications that are due, ours until that moment; oldest first. If we die they become due again then."""
    rows = await tx.fetch(
        f"""
        UPDATE notification n SET next_attempt_at = $3
         WHERE event_id = ANY(ARRAY(SELECT event_id FROM notification WHERE status = 'pending' AND next_attempt_at <= $2
                                     ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED))
        RETURNING {COLUMNS}
        """,
        limit,
        now,
        until,
    )
    return sorted((notification_of(dict(row)) for row in rows), key=lambda notification: notification.requested_at)


async def lock(tx: Transaction, event_ids: Iterable[UUID]) -> None:
    """Wait for whoever writes to these, and keep others from it, in the one order in which everybody does (`surveys.hasten` as well)."""
    await tx.execute("SELECT FROM notification WHERE event_id = ANY($1::uuid[]) ORDER BY event_id FOR UPDATE", list(event_ids))


async def finish(tx: Transaction, finished: Iterable[Finished], at: datetime) -> set[UUID]:
    """Write down how notifications ended; those that nobody had written down before.

    The text and link of what was delivered, or can never be of use again, are not needed any more.
    """
    done = list(finished)
    rows = await tx.fetch(
        """
        UPDATE notification n
           SET status = CASE WHEN f.failure IS NULL THEN 'delivered' ELSE 'failed' END, failure = f.failure, channel = f.channel,
               address = f.address, finished_at = $5,
               text = CASE WHEN f.failure = ANY($6::text[]) THEN text END, link = CASE WHEN f.failure = ANY($6::text[]) THEN link END,
               data = CASE WHEN f.failure = ANY($6::text[]) THEN data ELSE data - 'opt_out_link' END
          FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) f(event_id, channel, address, failure)
         WHERE n.event_id = f.event_id AND n.status = 'pending'
        RETURNING n.event_id
        """,
        [f.event_id for f in done],
        [f.channel for f in done],
        [f.address for f in done],
        [None if f.failure is None else f.failure.value for f in done],
        at,
        [failure.value for failure in RESENDABLE],
    )
    return {row["event_id"] for row in rows}


RESENDABLE: Final = frozenset({Failure.NO_ADDRESS, Failure.NO_CONSENT, Failure.REFUSED, Failure.UNDELIVERABLE})
"""Failures that people can mend: a new address, a consent, a server that works again."""


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


async def forget_texts(tx: Transaction, before: datetime) -> int:
    """Forget the texts and links of messages that failed before that moment: nobody will send them again. How many there were."""
    tag = await tx.execute(
        """
        UPDATE notification SET text = NULL, link = NULL, data = data - 'opt_out_link'
         WHERE status = 'failed' AND (text IS NOT NULL OR link IS NOT NULL) AND finished_at < $1
        """,
        before,
    )
    return int(tag.rpartition(" ")[2])


@dataclass(frozen=True)
class Waiting:
    """How many messages of a kind wait, how many of them are due, and since when (real time) the oldest waits."""

    count: int
    due: int
    oldest: datetime


async def waiting(tx: Transaction, now: datetime) -> dict[str, Waiting]:
    """What waits, by kind."""
    rows = await tx.fetch(
        """
        SELECT kind, count(*) AS count, count(*) FILTER (WHERE next_attempt_at <= $1) AS due, min(created_at) AS oldest
          FROM notification WHERE status = 'pending' GROUP BY kind
        """,
        now,
    )
    return {row["kind"]: Waiting(row["count"], row["due"], row["oldest"]) for row in rows}
