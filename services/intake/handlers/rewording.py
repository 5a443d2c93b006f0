"""The organisation says things in its own words: a new version of a wording, checked before any customer reads it."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from services.intake.mail import faults
from services.intake.store import templates as store
from services.intake.store.templates import Template
from shared import http
from shared.database import Transaction
from shared.errors import FieldError, Invalid


class WordingRefused(Invalid):
    """The wording shows what messages cannot say, or does not say what they are for."""

    code: ClassVar[str] = "wording_refused"


async def reword(tx: Transaction, template: Template, *, seen: int, by: str, at: datetime) -> Template:
    """The new version, which follows the one that the caller saw; without words of its own it goes back to those of the release.

    Raises:
        WordingRefused: names every fault.
        VersionStale: somebody else changed it.
    """
    wrong = [] if template.wording is None else faults(template.kind, template.wording)
    if wrong:
        errors = [FieldError("/wording", WordingRefused.code, fault) for fault in wrong]
        raise WordingRefused("The wording cannot be sent as it is.", errors=errors)
    await store.lock(tx)
    present = await store.find(tx, template.kind, template.locale)
    http.demand_version(seen, present.version)
    changed = Template(template.kind, template.locale, present.version + 1, template.wording, at, by)
    await store.add(tx, changed)
    return changed
