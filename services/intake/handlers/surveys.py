"""Surveys end, and customers want no more of them, while their messages still wait here: those do not leave then.

Feedback decides whom it asks at the moment at which it asks; so what somebody wishes counts here for what was asked for before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid5

from services.intake.handlers.notifications import LEASE
from services.intake.sending import KINDS
from services.intake.store import surveys as store
from services.intake.store.surveys import Wish
from shared.database import Transaction
from shared.events.envelope import Event
from shared.events.feedback import SurveyAnswered, SurveyCancelled, SurveyOptedOut

ABOUT_SURVEYS: Final = tuple(kind.name for kind in KINDS.values() if kind.is_about_survey)
KEPT: Final = timedelta(days=400)
"""How long void messages are remembered: no invitation lives longer than a year."""
FILE: Final = "consent"
"""Who tells of a wish that he read in the customer file, which is ours and is looked at before each message."""


async def learn(tx: Transaction, events: Sequence[Event], *, due_at: datetime) -> None:
    """Take in what feedback tells of surveys. ``due_at`` (real time): when messages that are void now are to be looked at.

    An anonymous answer names no invitation, so a reminder that waits at that moment leaves.
    """
    over = [event for event in events if isinstance(event, SurveyAnswered | SurveyCancelled)]
    void = {uuid5(event.invitation_id, kind): event.occurred_at for event in over for kind in ABOUT_SURVEYS}
    said = sorted((e for e in events if isinstance(e, SurveyOptedOut) and e.by != FILE), key=lambda event: event.occurred_at)
    wishes = {event.customer_id: Wish(event.opted_out, event.occurred_at) for event in said}
    if void:
        await store.remember_void(tx, void)
    if wishes:
        await store.remember_wishes(tx, wishes)
    if void or wishes:
        await store.hasten(tx, void, [id for id, wish in wishes.items() if wish.opted_out], due_at + 2 * LEASE, due_at)
