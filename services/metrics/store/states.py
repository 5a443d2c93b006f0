"""Rows that are no sums: spans of open tickets, complaints, aliases. What is gone is deleted before what has come is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, TypeVar

from services.metrics.projection import DIMENSIONS, Alias, Complaint, Span, State
from shared.database import Transaction

_DIMENSIONS: Final = ", ".join(DIMENSIONS)

S = TypeVar("S", Span, Complaint, Alias)


async def replace(tx: Transaction, version: int, gone: Collection[State], come: Collection[State]) -> None:
    """Take the ones away and write the others."""
    if not gone and not come:
        return
    await _delete_spans(tx, version, _sorted(gone, Span))
    await _insert_spans(tx, version, _sorted(come, Span))
    await _replace_complaints(tx, version, _sorted(gone, Complaint), _sorted(come, Complaint))
    await _replace_aliases(tx, version, _sorted(gone, Alias), _sorted(come, Alias))


def _sorted(states: Iterable[State], kind: type[S]) -> list[S]:
    return sorted(state for state in states if isinstance(state, kind))


async def _delete_spans(tx: Transaction, version: int, spans: list[Span]) -> None:
    if spans:
        await tx.execute(
            """
            DELETE FROM open_span s USING unnest($2::text[], $3::integer[]) u(ticket, run)
             WHERE (s.projection_version, s.ticket, s.run) = ($1, u.ticket, u.run)
            """,
            version,
            [span.ticket for span in spans],
            [span.run for span in spans],
        )


async def _insert_spans(tx: Transaction, version: int, spans: list[Span]) -> None:
    if spans:
        await tx.execute(
            f"""
            INSERT INTO open_span (projection_version, ticket, run, since, until, opened_at, {_DIMENSIONS})
            SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[],
                                     $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
            """,
            version,
            [span.ticket for span in spans],
            [span.run for span in spans],
            [span.since for span in spans],
            [span.until for span in spans],
            [span.opened_at for span in spans],
            *_by_dimension(spans),
        )


async def _replace_complaints(tx: Transaction, version: int, gone: list[Complaint], come: list[Complaint]) -> None:
    if gone:
        tickets = [complaint.ticket for complaint in gone]
        await tx.execute("DELETE FROM complaint WHERE projection_version = $1 AND ticket = ANY($2::text[])", version, tickets)
    if come:
        await tx.execute(
            f"""
            INSERT INTO complaint (projection_version, ticket, customer_id, topic, opened_at, ended_at, {_DIMENSIONS})
            SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
                                     $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
            """,
            version,
            [complaint.ticket for complaint in come],
            [complaint.customer for complaint in come],
            [complaint.topic for complaint in come],
            [complaint.opened_at for complaint in come],
            [complaint.ended_at for complaint in come],
            *_by_dimension(come),
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
