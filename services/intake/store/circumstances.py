"""What decides whether messages that are due are sent: where their customers can be reached, what they allow, and what was said before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from services.intake.sending import MATTER, Address, Consents, Notification
from shared.database import Transaction

CHANNELS: Final[Mapping[str, str]] = {"email": "email", "phone": "sms"}
"""The channel that reaches each kind of identity."""


@dataclass
class Addressee:
    """A customer as far as messages to him go."""

    consents: Consents = field(default_factory=Consents)
    addresses: dict[str, Address] = field(default_factory=dict)


async def addressees(tx: Transaction, customer_ids: Collection[UUID]) -> Mapping[UUID, Addressee]:
    """How to reach each customer, by channel: the address that he prefers, else the one that he gave last.

    A merged file is its survivor's. Customers whom nobody registered are left out.
    """
    # OFFSET 0: each is looked up by its key, also in tables that nobody has analysed yet
    rows = await tx.fetch(
        """
        SELECT DISTINCT ON (o.customer_id, i.scheme) o.customer_id, c.consent_status AS status, c.consent_survey AS survey,
               c.consent_marketing AS marketing, i.scheme, i.value, i.address
          FROM unnest($1::uuid[]) asked(customer_id)
               CROSS JOIN LATERAL (SELECT * FROM customer WHERE customer_id = asked.customer_id OFFSET 0) o
               CROSS JOIN LATERAL (SELECT * FROM customer WHERE customer_id = o.survivor_id OFFSET 0) c
               LEFT JOIN LATERAL (SELECT * FROM customer_identity WHERE customer_id = c.customer_id OFFSET 0) i
                      ON i.scheme = ANY($2::text[])
         ORDER BY o.customer_id, i.scheme,
                  coalesce(i.value = CASE i.scheme WHEN 'email' THEN c.primary_email ELSE c.primary_phone END, false) DESC,
                  i.linked_at DESC, i.value
        """,
        list(customer_ids),
        list(CHANNELS),
    )
    found: dict[UUID, Addressee] = defaultdict(Addressee)
    for row in rows:
        addressee = found[row["customer_id"]]
        addressee.consents = Consents(row["status"], row["survey"], row["marketing"])
        if row["scheme"] is not None:
            addressee.addresses[CHANNELS[row["scheme"]]] = Address(row["value"], row["address"])
    return found


async def overtaken(tx: Transaction, statuses: Sequence[Notification]) -> set[UUID]:
    """Those status messages whose ticket has a newer one, delivered or not: the customer must not read the old one after it.

    That a ticket is resolved is also said by the invitation to its survey, if that goes out; the latter is a guess as long as it waits.
    """
    rows = await tx.fetch(
        """
        SELECT s.event_id FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[]) s(event_id, ticket_number, requested_at, told)
         WHERE EXISTS (SELECT FROM notification n
                        WHERE n.ticket_number = s.ticket_number AND n.kind = 'ticket_status'
                          AND (n.requested_at, n.event_id) > (s.requested_at, s.event_id))
            OR s.told = 'resolved' AND EXISTS (
               SELECT FROM notification n JOIN customer o USING (customer_id) JOIN customer c ON c.customer_id = o.survivor_id
                WHERE n.ticket_number = s.ticket_number AND n.kind = 'survey_invitation' AND n.requested_at >= s.requested_at
                  AND (n.status = 'delivered' OR n.status = 'pending'
                       AND NOT EXISTS (SELECT FROM void_notification v WHERE v.notification_id = n.notification_id)
                       AND CASE n.data ->> 'purpose' WHEN 'service' THEN c.consent_status ELSE c.consent_survey END))
        """,
        [n.event_id for n in statuses],
        [n.ticket_number for n in statuses],
        [n.requested_at for n in statuses],
        [n.data.get("status", "") for n in statuses],
    )
    return {row["event_id"] for row in rows}


@dataclass(frozen=True)
class Placed:
    """Receipts whose request has found its ticket, and those that say nothing new: the ticket had one within the hour, or was dismissed."""

    known: set[UUID]
    needless: set[UUID]


async def place(tx: Transaction, receipts: Sequence[Notification]) -> Placed:
    """Where the requests of these receipts ended: each opened a ticket or joined one (an alias)."""
    # OFFSET 0, here as well: a join would read all receipts for each
    rows = await tx.fetch(
        """
        SELECT r.event_id, a.number IS NOT NULL OR t.number IS NOT NULL AS is_known, q.dismissed_at IS NOT NULL OR EXISTS (
                 SELECT FROM (SELECT m.number UNION ALL SELECT reference FROM ticket_alias WHERE number = m.number OFFSET 0) s(reference)
                        CROSS JOIN LATERAL (
                          SELECT FROM notification n
                           WHERE n.ticket_number = s.reference AND n.kind = 'acknowledgement' AND n.status IN ('pending', 'delivered')
                             AND (n.requested_at, n.event_id) < (r.requested_at, r.event_id)
                             AND n.requested_at > r.requested_at - $5::interval OFFSET 0) n) AS is_needless
          FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) r(event_id, reference, in_reply_to, requested_at)
               LEFT JOIN LATERAL (SELECT number FROM ticket_alias WHERE reference = r.reference OFFSET 0) a ON true
               LEFT JOIN LATERAL (SELECT number FROM ticket_copy WHERE number = r.reference OFFSET 0) t ON true
               LEFT JOIN LATERAL (SELECT number FROM ticket_alias WHERE reference = r.in_reply_to OFFSET 0) b ON t.number IS NULL
               LEFT JOIN LATERAL (SELECT dismissed_at FROM request WHERE request_id = r.event_id OFFSET 0) q ON true
               CROSS JOIN LATERAL (SELECT coalesce(a.number, b.number, r.in_reply_to, r.reference) AS number) m
        """,
        [n.event_id for n in receipts],
        [n.ticket_number for n in receipts],
        [n.data.get("in_reply_to") for n in receipts],
        [n.requested_at for n in receipts],
        MATTER,
    )
    return Placed({row["event_id"] for row in rows if row["is_known"]}, {row["event_id"] for row in rows if row["is_needless"]})
