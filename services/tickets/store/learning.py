"""What a further message tells about the matter and the ticket did not know yet: filled in, never written over."""

from __future__ import annotations

from collections.abc import Mapping

from services.tickets import search
from services.tickets.store.saving import Particulars, searched
from shared.database import Transaction, column


async def complete(tx: Transaction, learned: Mapping[str, Particulars]) -> None:
    """Add what is known now to tickets that this transaction has locked or opened; by number, sorted."""
    numbers = sorted(learned)
    if not numbers:
        return
    found = [learned[number] for number in numbers]
    await tx.execute(
        """
        UPDATE ticket t
           SET subject = coalesce(t.subject, u.subject), product_named = coalesce(t.product_named, u.product_named),
               serial_number = coalesce(t.serial_number, u.serial_number), order_number = coalesce(t.order_number, u.order_number),
               purchase_date = coalesce(t.purchase_date, u.purchase_date),
               expected_resolution_at = coalesce(t.expected_resolution_at, u.expected_resolution_at), words = t.words || u.words
          FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::tsvector[])
               u(number, subject, product_named, serial_number, order_number, purchase_date, expected_resolution_at, words)
         WHERE t.number = u.number
        """,
        numbers,
        *(column(found, name) for name in ("subject", "product_named", "serial_number", "order_number", "purchase_date")),
        column(found, "expected_resolution_at"),
        [" ".join(search.words(searched(each))) for each in found],
    )
