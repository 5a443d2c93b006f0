"""From values back to the database: each table is written once per transaction, whatever the number of tickets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final, NamedTuple

from services.tickets import search
from services.tickets.store import clocks
from services.tickets.store.facts import to_row
from services.tickets.workflow.changes import NAMES, Change
from services.tickets.workflow.docket import Docket
from services.tickets.workflow.ticket import Ticket, deadlines, next_due
from shared import timers
from shared.database import Transaction, column
from shared.timers import Timer


class Collision(Exception):
    """A row that this transaction had locked is not what it was: a bug."""


class Particulars(NamedTuple):
    """What only people read about a ticket."""

    subject: str | None = None
    product_named: str | None = None
    """The product in the customer's words."""
    serial_number: str | None = None
    order_number: str | None = None
    purchase_date: str | None = None
    expected_resolution_at: datetime | None = None

    def then(self, later: Particulars) -> Particulars:
        """What is known after a later message: what was known before stays."""
        return Particulars._make(known or told for known, told in zip(self, later, strict=True))


async def save(tx: Transaction, docket: Docket, particulars: Mapping[str, Particulars]) -> None:
    """Write everything that happened to the tickets of the docket. ``particulars`` are those of fresh tickets, by number."""
    if not docket.history:
        return
    changed, fresh = docket.changed(), docket.fresh()
    if changed:
        await _update(tx, changed)
        await clocks.save_changed(tx, changed)
    if fresh:
        await _insert(tx, fresh, [particulars.get(ticket.number, _NOTHING) for ticket in fresh])
        await clocks.save_fresh(tx, fresh)
    await _insert_history(tx, docket.history)
    await _move_timers(tx, changed)
    await _set_first_timers(tx, fresh)


_NOTHING: Final = Particulars()


async def _insert(tx: Transaction, fresh: Sequence[Ticket], particulars: Sequence[Particulars]) -> None:
    rows = [
        (*_of_ticket(ticket), *each, " ".join(search.words(searched(each))), next_due(ticket))
        for ticket, each in zip(fresh, particulars, strict=True)
    ]
    await tx.copy("ticket", (*_TICKET, *_PARTICULARS, "words", "next_due_at"), rows)


# what a ticket of the same transaction cannot have yet (a resolution, a wait) is what the columns are without being named
_TICKET: Final = (
    "number", "series", "version", "status", "customer_id", "channel", "locale", "tier", "type", "step", "priority", "category",
    "root_topic", "product_model", "batch", "team", "assignee", "opened_at", "changed_at", "episode", "linked_to", "entered_by",
    "closed_at",
)  # fmt: skip
_PARTICULARS: Final = Particulars._fields
_of_ticket: Final = attrgetter(*_TICKET)


def searched(each: Particulars) -> str:
    """What a ticket is found by: what it is about, and the numbers that people read off things and papers."""
    return " ".join(filter(None, (each.subject, each.serial_number, each.order_number, each.product_named)))


async def _update(tx: Transaction, changed: Sequence[tuple[Ticket, Ticket]]) -> None:
    now = [after for _, after in changed]
    done = await tx.execute(
        """
          WITH u AS (
               SELECT *
                 FROM unnest($1::text[], $2::int[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                             $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::int[], $15::text[], $16::timestamptz[],
                             $17::timestamptz[], $18::timestamptz[], $19::timestamptz[], $20::timestamptz[], $21::timestamptz[],
                             $22::text[], $23::timestamptz[], $24::text[], $25::timestamptz[], $26::smallint[], $27::timestamptz[])
                      u(number, was, version, status, type, step, priority, category, root_topic, batch, team, assignee, changed_at,
                        episode, resolution_code, first_resolved_at, resolved_at, closed_at, started_at, waiting_since, reminded_at,
                        merged_into, next_due_at, tier, contacted_at, escalation, was_changed_at)),
               placed AS (DELETE FROM told USING u WHERE (told.at, told.number) = (u.was_changed_at, u.number))
        UPDATE ticket t
           SET version = u.version, status = u.status, type = u.type, step = u.step, priority = u.priority, category = u.category,
               root_topic = u.root_topic, batch = u.batch, team = u.team, assignee = u.assignee, changed_at = u.changed_at,
               told_at = NULL, episode = u.episode, resolution_code = u.resolution_code, first_resolved_at = u.first_resolved_at,
               resolved_at = u.resolved_at, closed_at = u.closed_at, started_at = u.started_at, waiting_since = u.waiting_since,
               reminded_at = u.reminded_at, merged_into = u.merged_into, next_due_at = u.next_due_at,
               tier = u.tier, contacted_at = u.contacted_at, escalation = u.escalation
          FROM u
         WHERE t.number = u.number AND t.version = u.was
        """,
        column(now, "number"),
        [before.version for before, _ in changed],
        *(column(now, name) for name in ("version", "status", "type", "step", "priority", "category", "root_topic", "batch", "team")),
        *(column(now, name) for name in ("assignee", "changed_at", "episode", "resolution_code", "first_resolved_at")),
        *(column(now, name) for name in ("resolved_at", "closed_at", "started_at", "waiting_since", "reminded_at", "merged_into")),
        [next_due(ticket) for ticket in now],
        *(column(now, name) for name in ("tier", "contacted_at", "escalation")),
        [before.changed_at for before, _ in changed],
    )
    if done != f"UPDATE {len(changed)}":
        raise Collision(f"{len(changed)} tickets were locked, {done}")


async def _insert_history(tx: Transaction, history: Sequence[tuple[str, Change]]) -> None:
    rows = [(number, change.version, NAMES[type(change.fact)], change.at, change.actor, to_row(change.fact)) for number, change in history]
    await tx.copy("history", ("number", "version", "type", "at", "actor", "data"), rows)


async def _set_first_timers(tx: Transaction, fresh: Sequence[Ticket]) -> None:
    await timers.arm_first(
        tx, [Timer(kind, ticket.number, ticket.version, due) for ticket in fresh for kind, due in deadlines(ticket).items()]
    )


async def _move_timers(tx: Transaction, changed: Sequence[tuple[Ticket, Ticket]]) -> None:
    """Make the timers what the tickets' deadlines are. The version is the generation: who read a timer before it moved does not fire it."""
    armed: list[Timer] = []
    cancelled: list[tuple[str, str]] = []
    for before, after in changed:
        old, new = deadlines(before), deadlines(after)
        armed += [Timer(kind, after.number, after.version, due) for kind, due in new.items() if old.get(kind) != due]
        cancelled += [(kind, after.number) for kind in old if kind not in new]
    await timers.cancel(tx, cancelled)
    await timers.arm(tx, armed)
