"""Which tickets have to do with each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.tickets.store.customers import SAME_CUSTOMER
from services.tickets.workflow.status import OPEN, LinkKind
from shared.database import Transaction


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link as one of its two tickets sees it; ``is_ours``: it was noted on this one."""

    number: str
    kind: str
    is_ours: bool
    status: str
    type: str | None
    subject: str | None
    opened_at: datetime
    linked_at: datetime | None
    linked_by: str | None


async def exists(tx: Transaction, number: str, other: str, kind: LinkKind) -> bool:
    """Whether they are linked so; only `caused_by` has a direction."""
    found: bool = await tx.fetchval(
        """
        SELECT EXISTS (SELECT FROM link WHERE (number, other, kind) = ($1, $2, $3))
            OR ($3 <> 'caused_by' AND EXISTS (SELECT FROM link WHERE (number, other, kind) = ($2, $1, $3)))
        """,
        number,
        other,
        str(kind),
    )
    return found


async def add(tx: Transaction, number: str, other: str, kind: LinkKind, *, by: str, at: datetime) -> None:
    """Note a link that is not there yet."""
    await tx.execute(
        "INSERT INTO link (number, other, kind, linked_by, linked_at) VALUES ($1, $2, $3, $4, $5)", number, other, str(kind), by, at
    )


async def remove(tx: Transaction, number: str, other: str, kind: LinkKind) -> None:
    """Forget a link, whichever of the two it was noted on."""
    await tx.execute(
        """
        DELETE FROM link
         WHERE kind = $3 AND ((number, other) = ($1, $2) OR (kind <> 'caused_by' AND (number, other) = ($2, $1)))
        """,
        number,
        other,
        str(kind),
    )


async def of_ticket(tx: Transaction, number: str) -> list[LinkView]:
    """What the ticket has to do with others, seen from it: links of both sides, the series that it continues, merges."""
    rows = await tx.fetch(_LINKS, number)
    return [LinkView(**row) for row in rows]


_LINKS: Final = """
SELECT t.number, found.kind, found.is_ours, t.status, t.type, t.subject, t.opened_at, found.linked_at, found.linked_by
  FROM (SELECT other AS number, kind, true AS is_ours, linked_at, linked_by FROM link WHERE number = $1
         UNION ALL
        SELECT number, kind, false, linked_at, linked_by FROM link WHERE other = $1
         UNION ALL
        SELECT linked_to, 'continues', true, NULL, NULL FROM ticket WHERE number = $1 AND linked_to IS NOT NULL
         UNION ALL
        SELECT number, 'continues', false, NULL, NULL FROM ticket
         WHERE series = (SELECT series FROM ticket WHERE number = $1) AND linked_to = $1
         UNION ALL
        SELECT merged_into, 'merged', true, closed_at, NULL FROM ticket WHERE number = $1 AND merged_into IS NOT NULL
         UNION ALL
        SELECT number, 'merged', false, closed_at, NULL FROM ticket WHERE merged_into = $1) found
  JOIN ticket t ON t.number = found.number
 ORDER BY t.opened_at, t.number, found.kind
 LIMIT 500
"""


async def suggestions(tx: Transaction, number: str, *, limit: int) -> list[LinkView]:
    """Open tickets of the same customer that this one is not linked to, newest first."""
    rows = await tx.fetch(_SUGGESTIONS, number, [str(status) for status in OPEN], limit)
    return [LinkView(**row) for row in rows]


_SUGGESTIONS: Final = f"""
SELECT t.number, 'related' AS kind, true AS is_ours, t.status, t.type, t.subject, t.opened_at,
       NULL::timestamptz AS linked_at, NULL::text AS linked_by
  FROM ticket t
 WHERE t.customer_id IN ({SAME_CUSTOMER.format("(SELECT customer_id FROM ticket WHERE number = $1)")})
   AND t.status = ANY($2) AND t.number <> $1
   AND NOT EXISTS (SELECT FROM link l WHERE (l.number, l.other) IN (($1, t.number), (t.number, $1)))
 ORDER BY t.opened_at DESC, t.number DESC
 LIMIT $3
"""
