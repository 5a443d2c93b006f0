"""Rows that are no sums: spans of open tickets, complaints, aliases. Deleted by key or written over."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, TypeVar

from services.metrics.projection import DIMENSIONS, Alias, Complaint, Span, State
from shared.database import Transaction

_DIMENSIONS: Final = ", ".join(DIMENSIONS)
_UPDATED: Final = ", ".join(f"u.{dimension}" for dimension in DIMENSIONS)

S = TypeVar("S", Span, Complaint, Alias)


async def replace(tx: Transaction, version: int, gone: Collection[State], come: Collection[State]) -> None:
    """Take the ones away and write the others; one that only ends or changes hands is written over. ``gone`` must be what is there."""
    if not gone and not come:
        return
    await _replace_spans(tx, version, _sorted(gone, Span), _sorted(come, Span))
    await _replace_aliases(tx, version, _sorted(gone, Alias), _sorted(come, Alias))
    await _replace_complaints(tx, version, _sorted(gone, Complaint), _sorted(come, Complaint))


def _sorted(states: Iterable[State], kind: type[S]) -> list[S]:
    return sorted(state for state in states if isinstance(state, kind))


# ------------------------------------------------------------------ spans


async def _replace_spans(tx: Transaction, version: int, gone: list[Span], come: list[Span]) -> None:
    """What is new is copied, which takes half the time: nobody else writes rows of these tickets."""
    held, stay = ({(span.ticket, span.run) for span in spans} for spans in (gone, come))
    await _delete_spans(tx, version, [span for span in gone if (span.ticket, span.run) not in stay])
    await _update_spans(tx, version, [span for span in come if (span.ticket, span.run) in held])
    new = [(version, *span[:5], *span.dimensions) for span in come if (span.ticket, span.run) not in held]
    if new:
        await tx.driver.copy_records_to_table("open_span", records=new, columns=_SPAN)


_SPAN: Final = ("projection_version", "ticket", "run", "since", "until", "opened_at", *DIMENSIONS)


async def _delete_spans(tx: Transaction, version: int, spans: list[Span]) -> None:
    if spans:
        await tx.execute(
            """
            DELETE FROM open_span
             WHERE projection_version = $1 AND ticket = ANY($2::text[])
               AND (ticket, run) IN (SELECT * FROM unnest($2::text[], $3::integer[]))
            """,
            version,
            [span.ticket for span in spans],
            [span.run for span in spans],
        )


async def _update_spans(tx: Transaction, version: int, spans: list[Span]) -> None:
    if spans:
        await tx.execute(
            f"""
            UPDATE open_span s SET (since, until, opened_at, {_DIMENSIONS}) = (u.since, u.until, u.opened_at, {_UPDATED})
              FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[],
                          $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
                   u(ticket, run, since, until, opened_at, {_DIMENSIONS})
             WHERE (s.projection_version, s.ticket, s.run) = ($1, u.ticket, u.run)
            """,
            version,
            *([span[place] for span in spans] for place in range(5)),
            *_by_dimension(spans),
        )


# ------------------------------------------------------------------ complaints


async def _replace_complaints(tx: Transaction, version: int, gone: list[Complaint], come: list[Complaint]) -> None:
    """Besides, note which are the only one of their file on their topic, in one hand at a time: others may write another one of them."""
    if not gone and not come:
        return
    before, after = ({(each.ticket, each.customer, each.topic) for each in complaints} for complaints in (gone, come))
    await _own_files(tx, version, {customer for _, customer, _ in before | after})
    held, stay = ({complaint.ticket for complaint in complaints} for complaints in (gone, come))
    await _delete_complaints(tx, version, sorted(held - stay))
    await _update_complaints(tx, version, [complaint for complaint in come if complaint.ticket in held])
    new = [(version, *complaint[:5], *complaint.dimensions) for complaint in come if complaint.ticket not in held]
    if new:
        await tx.driver.copy_records_to_table("complaint", records=new, columns=_COMPLAINT)
    await _mark_shared(tx, version, {(customer, topic) for _, customer, topic in before ^ after})


_COMPLAINT: Final = ("projection_version", "ticket", "customer_id", "topic", "opened_at", "ended_at", *DIMENSIONS)


async def _own_files(tx: Transaction, version: int, customers: Collection[str]) -> None:
    """Nobody else writes complaints of these files before the transaction ends. The locks are few, whatever a batch brings: a server has
    room for some thousands."""
    await tx.execute(
        f"""
        SELECT pg_advisory_xact_lock({_FILES_LOCK}, number)
          FROM (SELECT DISTINCT hashtext($1::text || '/' || customer) & {LOCKS_OF_FILES - 1} AS number FROM unnest($2::text[]) u(customer)
                 ORDER BY number OFFSET 0) sorted
        """,
        str(version),
        list(customers),
    )


_FILES_LOCK: Final = 0x6B706963 + 1
"""Class of advisory locks of who writes complaints of some customer files."""
LOCKS_OF_FILES: Final = 256
"""A power of two."""


async def _mark_shared(tx: Transaction, version: int, pairs: Collection[tuple[str, str]]) -> None:
    """Of these files and topics, turn the mark of each complaint that says what is not so any more."""
    if pairs:
        await tx.execute(
            """
            UPDATE complaint SET is_shared = NOT is_shared
             WHERE projection_version = $1 AND ticket = ANY(ARRAY(
               SELECT unnest(CASE WHEN complaints > 1 THEN unmarked ELSE marked END)
                 FROM unnest($2::text[], $3::text[]) u(customer_id, topic)
                CROSS JOIN LATERAL (
                  SELECT count(*) AS complaints, array_agg(ticket) FILTER (WHERE is_shared) AS marked,
                         array_agg(ticket) FILTER (WHERE NOT is_shared) AS unmarked
                    FROM complaint c WHERE (c.projection_version, c.customer_id, c.topic) = ($1, u.customer_id, u.topic)) found))
            """,
            version,
            [customer for customer, _ in pairs],
            [topic for _, topic in pairs],
        )


async def _delete_complaints(tx: Transaction, version: int, tickets: list[str]) -> None:
    if tickets:
        await tx.execute("DELETE FROM complaint WHERE projection_version = $1 AND ticket = ANY($2::text[])", version, tickets)


async def _update_complaints(tx: Transaction, version: int, complaints: list[Complaint]) -> None:
    if complaints:
        await tx.execute(
            f"""
            UPDATE complaint c
               SET (customer_id, topic, opened_at, ended_at, {_DIMENSIONS}) = (u.customer_id, u.topic, u.opened_at, u.ended_at, {_UPDATED})
              FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
                          $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
                   u(ticket, customer_id, topic, opened_at, ended_at, {_DIMENSIONS})
             WHERE (c.projection_version, c.ticket) = ($1, u.ticket)
            """,
            version,
            *([complaint[place] for complaint in complaints] for place in range(5)),
            *_by_dimension(complaints),
        )


# ------------------------------------------------------------------ aliases


async def _replace_aliases(tx: Transaction, version: int, gone: list[Alias], come: list[Alias]) -> None:
    if gone:
        files = [alias.customer for alias in gone]
        await tx.execute("DELETE FROM customer_alias WHERE projection_version = $1 AND customer_id = ANY($2::text[])", version, files)
    if come:
        await tx.execute(
            """
            INSERT INTO customer_alias (projection_version, customer_id, into_customer_id)
            SELECT $1, * FROM unnest($2::text[], $3::text[])
            """,
            version,
            [alias.customer for alias in come],
            [alias.into for alias in come],
        )


def _by_dimension(rows: Collection[Span] | Collection[Complaint]) -> list[list[str]]:
    return [list(values) for values in zip(*(row.dimensions for row in rows), strict=True)]
