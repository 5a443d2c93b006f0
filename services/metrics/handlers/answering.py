"""Read figures: of a range or of its slots, as a whole or by groups."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.metrics.buckets import first_bucket_from, microseconds
from services.metrics.kpi import DEFINITIONS, Clock, Definition, Figure, Kind, Source, figure
from services.metrics.periods import Period
from services.metrics.store import backlog, complaints, generations, log, rollups, targets
from services.metrics.store.generations import Generation
from services.metrics.store.log import AsOf
from services.metrics.store.rollups import WHOLE, Cut, Sum
from shared.database import Transaction

DAY_US: Final = 24 * 3600 * 1_000_000
AT_AN_INSTANT: Final = frozenset({Source.BACKLOG, Source.AGES})


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know, and when he asks."""

    definitions: Sequence[Definition]
    period: Period
    slots: Sequence[datetime]
    """Where slots begin; the first is the period's start."""
    now: datetime
    cut: Cut = WHOLE
    clock: Clock = Clock.BUSINESS
    repeat_window_days: int = 30

    @property
    def ends(self) -> list[datetime]:
        """Where slots end."""
        return [*self.slots[1:], self.period.end]

    @property
    def instants(self) -> list[datetime | None]:
        """For what is so at an instant: the end of each slot, but not later than now; None where a slot has not begun."""
        return [min(end, self.now) if start <= self.now else None for start, end in zip(self.slots, self.ends, strict=True)]


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure with what it was read for: group and slot of time."""

    definition: Definition
    definition_version: int
    group: tuple[str, ...]
    start: datetime
    end: datetime
    figure: Figure
    target: float | None
    is_provisional: bool
    clock: Clock | None
    window_days: int | None
    at: datetime | None


Counts = rollups.Found


async def answer(tx: Transaction, question: Question) -> tuple[AsOf, list[Reading]]:
    """Each figure in each slot: one reading, or one for each group that occurred."""
    generation = await generations.active(tx)
    aims = targets.Targets(await targets.versions(tx, [definition.id for definition in question.definitions]))
    counts = await _counted(tx, generation, question)
    readings = [
        _reading(question, definition, slot, group, counts, generation, aims)
        for definition in question.definitions
        for slot in range(len(question.slots))
        for group in _groups(question, definition, slot, counts)
    ]
    return await log.as_of(tx, generation.as_of), readings


# ------------------------------------------------------------------ counts


async def _counted(tx: Transaction, generation: Generation, question: Question) -> Counts:
    version, cut, slots = generation.version, question.cut, question.slots
    wanted = {definition.source for definition in question.definitions if definition.id in generation.definitions}
    counts: Counts = {}
    if Source.SUMS in wanted:
        ids = sorted({definition.counts_of or definition.id for definition in question.definitions if definition.source is Source.SUMS})
        begin = [first_bucket_from(slot) for slot in slots]
        counts = await rollups.sums(tx, version, ids, cut, question.period.buckets, begin)
    for row in await _looked_up(tx, version, question, wanted):
        counts.setdefault((row.kpi, row.slot, row.group), {})[row.measure] = row.n
    return counts


async def _looked_up(tx: Transaction, version: int, question: Question, wanted: Collection[Source]) -> list[Sum]:
    """What is no sum of quarter hours."""
    cut, found = question.cut, list[Sum]()
    instants = [microseconds(at) for at in question.instants if at is not None]
    if Source.BACKLOG in wanted and instants:
        found += await backlog.counts(tx, version, cut, instants)
    if Source.AGES in wanted and instants:
        found += await backlog.ages(tx, version, cut, instants)
    if Source.COMPLAINTS in wanted:
        begins, end, now = map(microseconds, question.slots), microseconds(question.period.end), microseconds(question.now)
        found += await complaints.sums(tx, version, question.repeat_window_days * DAY_US, cut, list(begins), end, now)
    return found


def _groups(question: Question, definition: Definition, slot: int, counts: Counts) -> Iterator[tuple[str, ...]]:
    """The groups to tell about: the whole, or each that occurred."""
    if not question.cut.by:
        yield ()
        return
    told = definition.counts_of or definition.id
    yield from sorted(group for kpi, counted, group in counts if (kpi, counted) == (told, slot))


# ------------------------------------------------------------------ readings


def _reading(
    question: Question,
    definition: Definition,
    slot: int,
    group: tuple[str, ...],
    counts: Counts,
    generation: Generation,
    aims: targets.Targets,
) -> Reading:
    end, at = question.ends[slot], question.instants[slot]
    found = counts.get((definition.counts_of or definition.id, slot, group), {})
    target = aims.before(definition.id, end)
    window = question.repeat_window_days if definition.source is Source.COMPLAINTS else definition.window_days
    is_told = definition.id in generation.definitions and (at is not None or definition.source not in AT_AN_INSTANT)
    settled_at = end + timedelta(days=window or 0)
    return Reading(
        definition=definition,
        definition_version=generation.definitions.get(definition.id, definition.version),
        group=group,
        start=question.slots[slot],
        end=end,
        figure=figure(definition, found, target, question.clock) if is_told else UNTOLD,
        target=target,
        is_provisional=settled_at > question.now or found.get("unsettled", 0) > 0 or not is_told,
        clock=_clock(question, definition),
        window_days=window,
        at=at if definition.source in AT_AN_INSTANT else None,
    )


UNTOLD: Final = Figure(value=None, numerator=0, denominator=None, n=0)
"""Of an instant that has not come, or of a figure that the rows in use do not hold yet."""


def _clock(question: Question, definition: Definition) -> Clock | None:
    match definition.kind:
        case Kind.DURATION:
            return question.clock
        case Kind.AGE:
            return Clock.CALENDAR
    return None


def all_definitions() -> list[Definition]:
    """In the order in which they are told."""
    return list(DEFINITIONS.values())
