"""The read copy of tickets: whose each one is, its status, and which references it answers to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.database import Transaction


@dataclass(frozen=True)
class TicketCopy:
    """A ticket as far as intake needs it."""

    number: str
    customer_id: UUID
    status: str
    version: int


async def save(tx: Transaction, tickets: Sequence[TicketCopy]) -> None:
    """Keep the newest version of each; an older one changes nothing."""
    newest: Mapping[str, TicketCopy] = {ticket.number: ticket for ticket in sorted(tickets, key=lambda t: (t.number, t.version))}
    await tx.execute(
        """
        INSERT INTO ticket_copy (number, customer_id, status, version)
        SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[])
        ON CONFLICT (number) DO UPDATE SET customer_id = excluded.customer_id, status = excluded.status, version = excluded.version
         WHERE ticket_copy.version < excluded.version
        """,
        list(newest),
        [ticket.customer_id for ticket in newest.values()],
        [ticket.status for ticket in newest.values()],
        [ticket.version for ticket in newest.values()],
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
