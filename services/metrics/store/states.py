"""Rows that are no sums: spans of open tickets, complaints, aliases. Deleted by key or written over, in sorted order."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, TypeVar

from services.metrics.projection import DIMENSIONS, Alias, Complaint, Span, State
from shared.database import Transaction

_DIMENSIONS: Final = ", ".join(DIMENSIONS)
_EXCLUDED: Final = ", ".join(f"excluded.{dimension}" for dimension in DIMENSIONS)

S = TypeVar("S", Span, Complaint, Alias)


async def replace(tx: Transaction, version: int, gone: Collection[State], come: Collection[State]) -> None:
    """Take the ones away and write the others; one that only ends or changes hands is written over."""
    if not gone and not come:
        return
    spans, complaints = _sorted(come, Span), _sorted(come, Complaint)
    stay = {(span.ticket, span.run) for span in spans}
    await _delete_spans(tx, version, [span for span in _sorted(gone, Span) if (span.ticket, span.run) not in stay])
    await _write_spans(tx, version, spans)
    written = {complaint.ticket for complaint in complaints}
    await _delete_complaints(tx, version, [each.ticket for each in _sorted(gone, Complaint) if each.ticket not in written])
    await _write_complaints(tx, version, complaints)
    await _replace_aliases(tx, version, _sorted(gone, Alias), _sorted(come, Alias))


def _sorted(states: Iterable[State], kind: type[S]) -> list[S]:
    return sorted(state for state in states if isinstance(state, kind))


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


async def _write_spans(tx: Transaction, version: int, spans: list[Span]) -> None:
    if spans:
        await tx.execute(
            f"""
            INSERT INTO open_span (projection_version, ticket, run, since, until, opened_at, {_DIMENSIONS})
            SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[],
                                     $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
            ON CONFLICT (projection_version, ticket, run)
            DO UPDATE SET (since, until, opened_at, {_DIMENSIONS}) = (excluded.since, excluded.until, excluded.opened_at, {_EXCLUDED})
            """,
            version,
            [span.ticket for span in spans],
            [span.run for span in spans],
            [span.since for span in spans],
            [span.until for span in spans],
            [span.opened_at for span in spans],
            *_by_dimension(spans),
        )


async def _delete_complaints(tx: Transaction, version: int, tickets: list[str]) -> None:
    if tickets:
        await tx.execute("DELETE FROM complaint WHERE projection_version = $1 AND ticket = ANY($2::text[])", version, tickets)


async def _write_complaints(tx: Transaction, version: int, complaints: list[Complaint]) -> None:
    if complaints:
        await tx.execute(
            f"""
            INSERT INTO complaint (projection_version, ticket, customer_id, topic, opened_at, ended_at, {_DIMENSIONS})
            SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
                                     $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
            ON CONFLICT (projection_version, ticket)
            DO UPDATE SET (customer_id, topic, opened_at, ended_at, {_DIMENSIONS})
                        = (excluded.customer_id, excluded.topic, excluded.opened_at, excluded.ended_at, {_EXCLUDED})
            """,
            version,
            [complaint.ticket for complaint in complaints],
            [complaint.customer for complaint in complaints],
            [complaint.topic for complaint in complaints],
            [complaint.opened_at for complaint in complaints],
            [complaint.ended_at for complaint in complaints],
            *_by_dimension(complaints),
        )


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
