"""What the doors of metrics do: record what happened, and answer with figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.metrics import projection
from services.metrics.buckets import first_bucket_from
from services.metrics.kpi import Definition, Figure, figure
from services.metrics.periods import Period
from services.metrics.projection import TOTAL
from services.metrics.reduction import Entry
from services.metrics.store import facts, generations, log, rollups
from services.metrics.store.generations import Generation
from services.metrics.store.log import AsOf
from shared.database import Transaction

REOPEN_WINDOW = timedelta(microseconds=projection.REOPEN_WINDOW_US)


# ------------------------------------------------------------------ recording


async def record(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Log the entries and let them count, in every generation that lives. What the log holds already changes nothing."""
    new = await log.append(tx, entries)
    for generation in await generations.share(tx):
        await project(tx, generation, new)


async def project(tx: Transaction, generation: Generation, entries: Sequence[Entry]) -> None:
    """Let logged entries count in one generation. Repeatable: facts are merged, and rollups change only as facts do."""
    told = projection.observed(entries)
    if not told:
        return
    if not generation.is_active:
        # the rebuild reads history while the consumer adds to it: one after the other, or both would start from the same facts
        await generations.own(tx, generation.version)
    known = await facts.load(tx, generation.version, {subject for subject, _ in told})
    changed, deltas = projection.fold(known, told)
    await facts.save(tx, generation.version, known, changed)
    await rollups.add(tx, generation.version, deltas)


# ------------------------------------------------------------------ answering


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure with what it was read for: group and slot of time."""

    definition: Definition
    definition_version: int
    value_of_dimension: str | None
    start: datetime
    end: datetime
    figure: Figure
    target: float | None
    is_provisional: bool


async def figures(
    tx: Transaction, definitions: Sequence[Definition], period: Period, dimension: str | None, now: datetime
) -> tuple[AsOf, list[Reading]]:
    """Each key figure over the whole period: one reading, or one for each value of the dimension that occurred."""
    return await _read(tx, definitions, period, dimension, [period.start], now)


async def series(
    tx: Transaction, definition: Definition, period: Period, slots: Sequence[datetime], now: datetime
) -> tuple[AsOf, list[Reading]]:
    """One key figure in consecutive slots; a slot in which nothing happened has a reading of nothing."""
    return await _read(tx, [definition], period, None, slots, now)


async def _read(
    tx: Transaction, definitions: Sequence[Definition], period: Period, dimension: str | None, slots: Sequence[datetime], now: datetime
) -> tuple[AsOf, list[Reading]]:
    generation = await generations.active(tx)
    targets = await rollups.targets(tx, period.end)
    ids = [definition.id for definition in definitions]
    sums = await rollups.sums(tx, generation.version, ids, dimension or TOTAL, period.buckets, [first_bucket_from(slot) for slot in slots])
    counts: dict[tuple[str, int, str], dict[str, int]] = defaultdict(dict)
    for row in sums:
        counts[row.kpi, row.slot, row.value][row.measure] = row.n
    ends = [*slots[1:], period.end]
    readings = [
        Reading(
            definition=definition,
            definition_version=generation.definitions.get(definition.id, definition.version),
            value_of_dimension=value,
            start=start,
            end=end,
            figure=figure(definition, counts.get((definition.id, slot, value or ""), {}), targets.get(definition.id)),
            target=targets.get(definition.id),
            is_provisional=definition.has_window and end + REOPEN_WINDOW > now,
        )
        for definition in definitions
        for slot, (start, end) in enumerate(zip(slots, ends, strict=True))
        for value in _values(definition, slot, dimension, counts)
    ]
    return await log.as_of(tx), readings


def _values(
    definition: Definition, slot: int, dimension: str | None, counts: Mapping[tuple[str, int, str], object]
) -> list[str] | list[None]:
    """The groups to tell about: the whole, or each value that occurred."""
    if dimension is None:
        return [None]
    return sorted(value for kpi, counted, value in counts if (kpi, counted) == (definition.id, slot))
