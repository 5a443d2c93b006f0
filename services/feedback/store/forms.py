"""Forms and rules of sending: rows that are written once, and of which one version holds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from services.feedback.schemas.forms import FormBody
from services.feedback.schemas.rules import RulesBody
from services.feedback.survey.forms import Form, FormType
from services.feedback.survey.rules import Rules
from shared.database import Transaction


@dataclass(frozen=True, slots=True)
class Published:
    """A version of a form, and who published it when."""

    form: Form
    is_active: bool
    published_at: datetime
    published_by: str


async def by_code(tx: Transaction, code: str) -> Form:
    """The form that an invitation names."""
    type_, _, version = code.partition(".")
    found = await version_of(tx, FormType(type_), int(version))
    if found is None:
        raise LookupError(f"an invitation names the form {code}, which does not exist")
    return found.form


async def active_codes(tx: Transaction) -> dict[FormType, str]:
    """The code of the version that new invitations ask, per type."""
    rows = await tx.fetch("SELECT type, version FROM form WHERE is_active")
    return {FormType(row["type"]): f"{row['type']}.{row['version']}" for row in rows}


async def active(tx: Transaction, type_: FormType) -> Published | None:
    """The version of this type that new invitations ask."""
    row = await tx.fetchrow("SELECT * FROM form WHERE type = $1 AND is_active", type_.value)
    return None if row is None else _published(row)


async def version_of(tx: Transaction, type_: FormType, version: int) -> Published | None:
    """One version."""
    row = await tx.fetchrow("SELECT * FROM form WHERE type = $1 AND version = $2", type_.value, version)
    return None if row is None else _published(row)


async def all_versions(tx: Transaction, types: Collection[FormType]) -> list[Published]:
    """Every version of these types, the newest first."""
    rows = await tx.fetch("SELECT * FROM form WHERE type = ANY($1) ORDER BY type, version DESC", [type_.value for type_ in types])
    return [_published(row) for row in rows]


async def publish(tx: Transaction, form: Form, *, at: datetime, by: str) -> bool:
    """Write a new version, which holds from now on; False when somebody else wrote that version first."""
    # waits for whoever publishes at the same moment; the insert then finds his version
    await tx.execute("UPDATE form SET is_active = false WHERE type = $1 AND is_active", form.type.value)
    tag = await tx.execute(
        """INSERT INTO form (type, version, is_active, definition, published_at, published_by)
           VALUES ($1, $2, true, $3::jsonb, $4, $5) ON CONFLICT DO NOTHING""",
        form.type.value,
        form.version,
        FormBody.of(form).model_dump_json(by_alias=True),
        at,
        by,
    )
    return tag.endswith(" 1")


async def rules(tx: Transaction, usual: Rules) -> Rules:
    """The rules of sending that hold: the newest version, without any the usual ones."""
    row = await tx.fetchrow("SELECT version, definition FROM sending_rules ORDER BY version DESC LIMIT 1")
    return usual if row is None else RulesBody.model_validate_json(row["definition"]).rules(row["version"])


async def publish_rules(tx: Transaction, rules_: Rules, *, at: datetime, by: str) -> bool:
    """Write a new version, which holds from now on; False when somebody else wrote that version first."""
    tag = await tx.execute(
        """INSERT INTO sending_rules (version, definition, published_at, published_by) VALUES ($1, $2::jsonb, $3, $4)
           ON CONFLICT DO NOTHING""",
        rules_.version,
        RulesBody.of(rules_).model_dump_json(),
        at,
        by,
    )
    return tag.endswith(" 1")


def _published(row: Record) -> Published:
    form = FormBody.model_validate_json(row["definition"]).form(FormType(row["type"]), row["version"])
    return Published(form, row["is_active"], row["published_at"], row["published_by"])
