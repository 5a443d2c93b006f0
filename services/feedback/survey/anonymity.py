"""What makes an anonymous answer anonymous: no key that leads back, no moment finer than a day, no figure of a group too small.

The invitation says only that it was used, and on which day. Which of the day's responses is its own is kept nowhere. Whoever reads gets
sums over a whole month that has ended; a cell of fewer than five is hidden, and so many more with it that subtraction does not help.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from services.feedback.survey.answers import Answers
from shared.events.codes import Locale
from shared.events.tickets import Dimensions

SMALLEST_CELL: Final = 5
"""Answers that a figure must be made of to be shown."""


@dataclass(frozen=True, slots=True)
class AnonymousResponse:
    """One answer without a way back. ``id`` is random and occurs nowhere else."""

    id: UUID
    form: str
    answered_on: date
    channel: str
    type: str | None
    tier: str | None
    locale: Locale
    answers: Answers

    @classmethod
    def of(cls, answers: Answers, *, form: str, dimensions: Dimensions, locale: Locale, day: date, id_: UUID) -> AnonymousResponse:
        """The answer with the coarse segments of its ticket, and nothing else of it."""
        return cls(id_, form, day, dimensions.channel, dimensions.type, dimensions.tier, locale, answers)


def midnight(at: datetime, zone: ZoneInfo) -> datetime:
    """The beginning of the day of ``at`` in the organisation's zone: all that is kept of a moment."""
    return datetime.combine(at.astimezone(zone).date(), time(), tzinfo=zone)


def month_span(month: str) -> tuple[date, date]:
    """The first day of a month ``yyyy-mm`` and the first one after it.

    Raises:
        ValueError: no such month.
    """
    first = date.fromisoformat(f"{month}-01")
    return first, date(first.year + first.month // 12, first.month % 12 + 1, 1)


def hidden(counts: Sequence[int]) -> list[bool]:
    """Which of these cells are not shown.

    Those under five, and then the smallest further ones until what is hidden together holds at least five: with the total and all other
    cells known, nothing about fewer than five can be reckoned. Empty cells say nothing about anybody and are shown.
    """
    small = [place for place, count in enumerate(counts) if 0 < count < SMALLEST_CELL]
    others = sorted((place for place, count in enumerate(counts) if count >= SMALLEST_CELL), key=lambda place: (counts[place], place))
    while small and sum(counts[place] for place in small) < SMALLEST_CELL and others:
        small.append(others.pop(0))
    return [place in small for place in range(len(counts))]
