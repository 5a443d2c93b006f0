"""How many automatic messages one address bears: at most 3 an hour and 10 a day, whoever's customer file it stands in.

Who waits for the same address goes in the order of kinds, then of time. What was used is told by the caller, under a lock per address
(`store/budget.py`), so the limits hold however many send at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.intake.sending.kinds import KINDS
from services.intake.sending.notification import Notification
from services.intake.sending.planning import Plan, Postpone, Send

LIMITS: Final = ((3, timedelta(hours=1)), (10, timedelta(days=1)))
"""Automatic messages to one address within a time."""
REMEMBERED: Final = max(span for _, span in LIMITS)


@dataclass(frozen=True)
class Use:
    """One automatic message that is about to leave for an address; it counts from now on."""

    event_id: UUID
    key: str


def next_free(sent: Sequence[datetime], now: datetime) -> datetime:
    """The first moment from ``now`` on at which one more automatic message keeps all limits."""
    free_at = now
    for count, span in LIMITS:
        recent = sorted(at for at in sent if at > now - span)
        if len(recent) >= count:
            free_at = max(free_at, recent[-count] + span)
    return free_at


def allot(
    drafts: Iterable[tuple[Notification, Plan]], used: Mapping[str, Sequence[datetime]], now: datetime
) -> tuple[list[tuple[Notification, Plan]], list[Use]]:
    """Let those through that their address still bears and postpone the others; what was let through counts for those behind it.

    ``used``: when automatic messages left for each key within `REMEMBERED`.
    """
    times = {key: list(moments) for key, moments in used.items()}
    plans: list[tuple[Notification, Plan]] = []
    uses: list[Use] = []
    for notification, draft in sorted(drafts, key=lambda pair: _turn(pair[0])):
        if not isinstance(draft, Send) or not notification.is_automatic:
            plans.append((notification, draft))
            continue
        sent = times.setdefault(draft.budget_key, [])
        if (free_at := next_free(sent, now)) > now:
            plans.append((notification, Postpone(_sooner(free_at, notification.useless_from))))
        else:
            sent.append(now)
            uses.append(Use(notification.event_id, draft.budget_key))
            plans.append((notification, draft))
    return plans, uses


def _turn(notification: Notification) -> tuple[int, datetime, UUID]:
    kind = notification.rules
    return (len(KINDS) if kind is None else kind.rank, notification.requested_at, notification.event_id)


def _sooner(free_at: datetime, useless_from: datetime | None) -> datetime:
    """Whoever waits in vain is told when it is in vain, not later."""
    return free_at if useless_from is None else min(free_at, useless_from)
