"""The read copy of tickets: whose each one is, its status, and which references it answers to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from shared.database import Transaction


@dataclass(frozen=True)
class TicketCopy:
    """A ticket as far as intake needs it. ``merged_into`` is the one that goes on for it, where its event tells that."""

    number: str
    customer_id: UUID
    status: str
    version: int
    merged_into: str | None = None

    def after(self, older: TicketCopy | None) -> TicketCopy:
        """This one, with what was told before and still holds: what happens to a merged ticket leaves it merged."""
        if older is None or self.status != MERGED or self.merged_into is not None:
            return self
        return replace(self, merged_into=older.merged_into)


MERGED: Final = "merged"
GOES_ON: Final = """
    (WITH RECURSIVE way AS (
       SELECT number, status, merged_into, 1 AS step FROM ticket_copy WHERE number = {0}
        UNION ALL
       SELECT t.number, t.status, t.merged_into, way.step + 1 FROM way JOIN ticket_copy t ON t.number = way.merged_into
        WHERE way.step < 32)
     SELECT number, status FROM way ORDER BY step DESC LIMIT 1)
"""
"""The ticket that goes on for the one of a number: itself, unless it was merged. As far as it was told of."""


async def save(tx: Transaction, tickets: Sequence[TicketCopy]) -> None:
    """Keep the newest version of each; an older one changes nothing."""
    newest: dict[str, TicketCopy] = {}
    for ticket in sorted(tickets, key=lambda t: (t.number, t.version)):
        newest[ticket.number] = ticket.after(newest.get(ticket.number))
    await tx.execute(
        """
        INSERT INTO ticket_copy (number, customer_id, status, version, merged_into)
        SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::text[])
        ON CONFLICT (number) DO UPDATE
           SET customer_id = excluded.customer_id, status = excluded.status, version = excluded.version,
               merged_into = CASE excluded.status WHEN 'merged' THEN coalesce(excluded.merged_into, ticket_copy.merged_into) END
         WHERE ticket_copy.version < excluded.version
        """,
        list(newest),
        [ticket.customer_id for ticket in newest.values()],
        [ticket.status for ticket in newest.values()],
        [ticket.version for ticket in newest.values()],
        [ticket.merged_into for ticket in newest.values()],
    )


async def save_aliases(tx: Transaction, aliases: Iterable[tuple[str, str]]) -> None:
    """References of requests that joined a ticket, with the ticket's number."""
    last = dict(sorted(aliases))
    await tx.execute(
        """
        INSERT INTO ticket_alias (reference, number) SELECT * FROM unnest($1::text[], $2::text[])
        ON CONFLICT (reference) DO UPDATE SET number = excluded.number WHERE ticket_alias.number <> excluded.number
        """,
        list(last),
        list(last.values()),
    )
