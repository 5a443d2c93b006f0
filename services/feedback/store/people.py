"""The persons behind customer ids: which files are one, who wants no surveys, who was asked when.

Files that were merged are one person. Rows keep the customer id that they were written with; who belongs together is looked up when it
matters, so that an undone merge needs no repair.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.feedback.survey.forms import FormType
from services.feedback.survey.selection import Standing
from shared.database import Transaction
from shared.events.codes import Locale

OptOutBy = Literal["customer", "staff"]


@dataclass(frozen=True, slots=True)
class OptOut:
    """Since when a person wants no surveys, and who wrote it down."""

    at: datetime
    by: OptOutBy
    actor: str | None


async def is_known(tx: Transaction, customer_id: UUID) -> bool:
    """Whether anything was ever told of this customer."""
    query = "SELECT EXISTS (SELECT 1 FROM customer WHERE id = $1) OR EXISTS (SELECT 1 FROM invitation WHERE customer_id = $1)"
    return bool(await tx.fetchval(query, customer_id))


async def locales(tx: Transaction, customer_ids: Collection[UUID]) -> dict[UUID, Locale]:
    """The languages of the customers that are known here."""
    rows = await tx.fetch("SELECT id, locale FROM customer WHERE id = ANY($1)", list(customer_ids))
    return {row["id"]: Locale(row["locale"]) for row in rows}


async def save_locales(tx: Transaction, told: Mapping[UUID, Locale]) -> None:
    """Remember the languages of customers; the last one told holds."""
    if told:
        ids = sorted(told)
        await tx.execute(
            """INSERT INTO customer (id, locale) SELECT * FROM unnest($1::uuid[], $2::text[])
               ON CONFLICT (id) DO UPDATE SET locale = excluded.locale WHERE customer.locale <> excluded.locale""",
            ids,
            [told[id_].value for id_ in ids],
        )


async def save_consents(tx: Transaction, told: Mapping[UUID, bool]) -> list[UUID]:
    """Remember who allows surveys in his customer file; those for whom that changed. The customers are known already."""
    if not told:
        return []
    ids = sorted(told)
    rows = await tx.fetch(
        """UPDATE customer c SET consents = t.consents FROM unnest($1::uuid[], $2::bool[]) t(id, consents)
            WHERE c.id = t.id AND c.consents <> t.consents RETURNING c.id""",
        ids,
        [told[id_] for id_ in ids],
    )
    return sorted(row["id"] for row in rows)


async def save_merges(tx: Transaction, merges: Mapping[UUID, UUID | None]) -> None:
    """Remember which file goes on for another one; None: it stands alone again."""
    if merges:
        ids = sorted(merges)
        await tx.execute("DELETE FROM customer_alias WHERE customer_id = ANY($1)", ids)
        joined = [(id_, into) for id_ in ids if (into := merges[id_]) is not None]
        await tx.execute(
            "INSERT INTO customer_alias (customer_id, into_customer_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])",
            [id_ for id_, _ in joined],
            [into for _, into in joined],
        )


async def persons(tx: Transaction, customer_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The person behind each of these ids: the file into which all merges lead, itself without any."""
    rows = await tx.fetch(
        """WITH RECURSIVE up(customer_id, at) AS (
             SELECT id, id FROM unnest($1::uuid[]) id
              UNION SELECT up.customer_id, a.into_customer_id FROM up JOIN customer_alias a ON a.customer_id = up.at)
           SELECT customer_id, at FROM up WHERE NOT EXISTS (SELECT 1 FROM customer_alias a WHERE a.customer_id = up.at)""",
        list(customer_ids),
    )
    # files merged in a circle have no end: then each stands for itself
    return {id_: id_ for id_ in customer_ids} | {row["customer_id"]: row["at"] for row in rows}


async def lock(tx: Transaction, persons_: Collection[UUID]) -> None:
    """Hold these persons until the end of the transaction, so that two surveys at the same time see each other."""
    keys = sorted(int.from_bytes(person.bytes[:8], signed=True) for person in set(persons_))
    await tx.execute("SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) WITH ORDINALITY k(key, place) ORDER BY place", keys)


async def standings(tx: Transaction, persons_: Collection[UUID], *, without: Collection[UUID] = ()) -> dict[UUID, Standing]:
    """What counts of each person when he is about to be asked; ``without`` these invitations, which are about to be cancelled."""
    rows = await tx.fetch(
        """WITH RECURSIVE file(person, customer_id) AS (
             SELECT id, id FROM unnest($1::uuid[]) id
              UNION SELECT file.person, a.customer_id FROM file JOIN customer_alias a ON a.into_customer_id = file.customer_id),
           asked AS (
             SELECT file.person, split_part(i.form, '.', 1) AS type, max(i.invited_at) AS at
               FROM file JOIN invitation i USING (customer_id)
              WHERE i.invited_at IS NOT NULL AND i.cancelled_at IS NULL AND i.purpose = 'survey' AND i.id <> ALL($2::uuid[])
              GROUP BY 1, 2)
           SELECT file.person,
                  bool_and(coalesce(c.consents, true)) AS consents,
                  bool_or(o.customer_id IS NOT NULL) AS opted_out,
                  (SELECT array_agg(asked.type ORDER BY type) FROM asked WHERE asked.person = file.person) AS types,
                  (SELECT array_agg(asked.at ORDER BY type) FROM asked WHERE asked.person = file.person) AS moments
             FROM file LEFT JOIN customer c ON c.id = file.customer_id LEFT JOIN opt_out o ON o.customer_id = file.customer_id
            GROUP BY file.person""",
        list(set(persons_)),
        list(without),
    )
    return {
        row["person"]: Standing(
            consents=row["consents"],
            opted_out=row["opted_out"],
            asked=dict(zip(map(FormType, row["types"] or ()), row["moments"] or (), strict=True)),
        )
        for row in rows
    }


async def opt_out_of(tx: Transaction, person: UUID) -> OptOut | None:
    """Since when this person wants no surveys; None when he did not say so."""
    row = await tx.fetchrow(
        f"""{_FILES} SELECT o.opted_out_at, o.by, o.actor FROM file JOIN opt_out o USING (customer_id)
             ORDER BY o.opted_out_at LIMIT 1""",
        person,
    )
    return None if row is None else OptOut(row["opted_out_at"], row["by"], row["actor"])


async def opt_out(tx: Transaction, customer_id: UUID, wish: OptOut) -> bool:
    """Write down that he wants no surveys; False when that was known of this file."""
    tag = await tx.execute(
        "INSERT INTO opt_out (customer_id, opted_out_at, by, actor) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        customer_id,
        wish.at,
        wish.by,
        wish.actor,
    )
    return tag.endswith(" 1")


async def opt_in(tx: Transaction, person: UUID) -> bool:
    """Forget that this person wanted no surveys, under all his files; False when there was nothing to forget."""
    tag = await tx.execute(f"{_FILES} DELETE FROM opt_out o USING file WHERE o.customer_id = file.customer_id", person)
    return not tag.endswith(" 0")


async def save_aliases(tx: Transaction, aliases: Mapping[str, str]) -> None:
    """Remember which service numbers answer as which ticket; what is once known stays."""
    if aliases:
        await tx.execute(
            """INSERT INTO ticket_alias (reference, ticket_number) SELECT * FROM unnest($1::text[], $2::text[])
               ON CONFLICT (reference) DO NOTHING""",
            sorted(aliases),
            [aliases[reference] for reference in sorted(aliases)],
        )


_FILES = """WITH RECURSIVE file(customer_id) AS (
              SELECT $1::uuid UNION SELECT a.customer_id FROM file JOIN customer_alias a ON a.into_customer_id = file.customer_id)"""
"""All files of one person."""
