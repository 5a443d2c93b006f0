"""New versions of forms and of the rules of sending. What was published is never edited, and of two at once one is told to look again."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from services.feedback.store import forms as store
from services.feedback.store.forms import Published
from services.feedback.survey.forms import Form, FormType
from services.feedback.survey.publishing import require_publishable
from services.feedback.survey.rules import Rules
from shared.database import Transaction
from shared.errors import NotFound
from shared.http import VersionStale, demand_version


class UnknownForm(NotFound):
    """No form of this type, or not this version of it."""

    code: ClassVar[str] = "form_unknown"

    def __init__(self) -> None:
        super().__init__("there is no such form")


async def active_version(tx: Transaction, type_: FormType) -> int:
    """The version that new invitations ask; 0 when there is none yet."""
    active = await store.active(tx, type_)
    return active.form.version if active else 0


async def publish(tx: Transaction, form: Form, *, expected: int, by: str, at: datetime) -> Published:
    """Publish a form whose version follows ``expected``, the one that its author saw; new invitations ask it from now on.

    Raises:
        VersionStale: somebody else published since.
        Invalid: it is not fit to be published.
    """
    demand_version(expected, await active_version(tx, form.type))
    require_publishable(form)
    if not await store.publish(tx, form, at=at, by=by):
        raise VersionStale(form.version)
    return Published(form, is_active=True, published_at=at, published_by=by)


async def change_rules(tx: Transaction, rules: Rules, *, expected: int, usual: Rules, by: str, at: datetime) -> Rules:
    """Publish rules whose version follows ``expected``; they hold for whatever is sent from now on.

    Raises:
        VersionStale: somebody else published since.
    """
    demand_version(expected, (await store.rules(tx, usual)).version)
    if not await store.publish_rules(tx, rules, at=at, by=by):
        raise VersionStale(rules.version)
    return rules
