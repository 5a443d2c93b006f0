"""What is known of surveys: which of their messages are void, and which customers want none. Business time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.database import Transaction


@dataclass(frozen=True)
class Wish:
    """Whether a customer wants no surveys, and since when."""

    opted_out: bool
    at: datetime


async def remember_void(tx: Transaction, moments: Mapping[UUID, datetime]) -> None:
    """These notifications are not to be sent any more, whether they were asked for yet or not; since when."""
    ids = sorted(moments)
    await tx.execute(
        "INSERT INTO void_notification (notification_id, at) SELECT * FROM unnest($1::uuid[], $2::timestamptz[]) ON CONFLICT DO NOTHING",
        ids,
        [moments[id] for id in ids],
    )


async def remember_wishes(tx: Transaction, wishes: Mapping[UUID, Wish]) -> None:
    """The last word of each customer; an older one than the known changes nothing."""
    ids = sorted(wishes)
    await tx.execute(
        """
        INSERT INTO survey_wish (customer_id, opted_out, at) SELECT * FROM unnest($1::uuid[], $2::boolean[], $3::timestamptz[])
        ON CONFLICT (customer_id) DO UPDATE SET opted_out = excluded.opted_out, at = excluded.at WHERE survey_wish.at <= excluded.at
        """,
        ids,
        [wishes[id].opted_out for id in ids],
        [wishes[id].at for id in ids],
    )


async def hasten(
    tx: Transaction, notification_ids: Collection[UUID], customer_ids: Collection[UUID], after: datetime, at: datetime
) -> None:
    """Have messages of these names, and surveys of these customers, looked at now that would wait beyond ``after`` (real time).

    No claim reaches so far, so no message is taken from whoever is sending it. Who writes down at this moment that one of them has to
    wait is waited for, or waits for us and then looks once more (`look_again`): so none is left to wait for hours.
    """
    await tx.execute(
        """
        WITH waiting AS MATERIALIZED (
          SELECT event_id, next_attempt_at FROM notification
           WHERE status = 'pending'
             AND (notification_id = ANY($1::uuid[]) OR customer_id = ANY($2::uuid[]) AND starts_with(kind, 'survey_'))
           ORDER BY event_id FOR UPDATE)
        UPDATE notification n SET next_attempt_at = $4 FROM waiting w WHERE n.event_id = w.event_id AND w.next_attempt_at > $3
        """,
        list(notification_ids),
        list(customer_ids),
        after,
        at,
    )


async def look_again(tx: Transaction, event_ids: Collection[UUID], after: datetime, at: datetime) -> None:
    """Of these messages, which this transaction has just put off beyond ``after``, have those looked at that became useless meanwhile."""
    found = await useless(tx, event_ids)
    if found.void or found.unwanted:
        await tx.execute(
            "UPDATE notification SET next_attempt_at = $3 WHERE event_id = ANY($1::uuid[]) AND status = 'pending' AND next_attempt_at > $2",
            sorted(found.void | found.unwanted),
            after,
            at,
        )


@dataclass(frozen=True)
class Useless:
    """Messages about surveys that should not leave, by event id."""

    void: frozenset[UUID] = frozenset()
    unwanted: frozenset[UUID] = frozenset()
    """Asked for before their customer said that he wants no surveys."""


async def useless(tx: Transaction, event_ids: Collection[UUID]) -> Useless:
    """Which of these messages about surveys should not leave. One that is sent once more is judged by the first one of its kind."""
    rows = await tx.fetch(_USELESS, list(event_ids))
    void = frozenset(row["asked"] for row in rows if row["is_void"])
    return Useless(void, frozenset(row["asked"] for row in rows if row["is_unwanted"]))


_USELESS: Final = """
WITH RECURSIVE chain AS (
  SELECT event_id AS asked, notification_id, customer_id, requested_at, resend_of FROM notification WHERE event_id = ANY($1::uuid[])
   UNION ALL
  SELECT c.asked, n.notification_id, n.customer_id, n.requested_at, n.resend_of
    FROM chain c JOIN notification n ON n.event_id = c.resend_of)
SELECT c.asked, bool_or(v.notification_id IS NOT NULL) AS is_void,
       bool_or(EXISTS (
         SELECT FROM customer o
                JOIN customer f ON f.customer_id = o.survivor_id OR f.survivor_id = o.survivor_id AND f.merged_into IS NOT NULL
                JOIN survey_wish w ON w.customer_id = f.customer_id
          WHERE o.customer_id = c.customer_id AND w.opted_out AND w.at >= c.requested_at)) AS is_unwanted
  FROM chain c LEFT JOIN void_notification v USING (notification_id)
 GROUP BY c.asked
"""


async def forget(tx: Transaction, before: datetime) -> int:
    """Forget void messages of so long ago that they would have expired; how many there were. Wishes are one row for each customer."""
    tag = await tx.execute("DELETE FROM void_notification WHERE at < $1", before)
    return int(tag.rpartition(" ")[2])
