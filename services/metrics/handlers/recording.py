"""Let events count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from services.metrics import projection
from services.metrics.kpi import DEFINITIONS
from services.metrics.projection import CellKey, Counts
from services.metrics.reduction import Entry
from services.metrics.store import facts, generations, log, rollups, states
from services.metrics.store.generations import Generation
from shared.database import Transaction

ROWS: Final = 3
"""Version of the form of facts and counts."""
CURRENT: Final[Mapping[str, int]] = {definition.id: definition.version for definition in DEFINITIONS.values()} | {"rows": ROWS}
"""By what this release counts. A generation that was built by anything else is shown, and not added to."""


async def record(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Log the entries and let them count, in every generation that lives. What the log holds already changes nothing."""
    new = await log.append(tx, entries)
    for generation in await generations.share(tx):
        if generation.definitions == CURRENT:
            await project(tx, generation, new)
        elif generation.is_active and generation.as_of is None:
            await generations.freeze(tx, generation.version, _positions_before(entries))


async def project(tx: Transaction, generation: Generation, entries: Sequence[Entry]) -> None:
    """Let logged entries count in one generation. Repeatable: facts are merged, and rows change only as facts do."""
    cells = await learn(tx, generation, entries)
    await rollups.add_cells(tx, generation.version, cells)
    await rollups.add(tx, generation.version, projection.spread(cells))


async def learn(tx: Transaction, generation: Generation, entries: Sequence[Entry]) -> Mapping[CellKey, Counts]:
    """Let entries count in facts and states; by how much that changes the cells, which the caller has to write."""
    told = projection.observed(entries)
    if not told:
        return {}
    if not generation.is_active:
        # the rebuild reads history while the consumer adds to it: one after the other, or both would start from the same facts
        await generations.own(tx, generation.version, {(entry.topic, entry.part) for entry in entries})
    known = await facts.load(tx, generation.version, {subject for subject, _ in told})
    change = projection.fold(known, told)
    await facts.save(tx, generation.version, known, change.facts)
    await states.replace(tx, generation.version, change.gone, change.come)
    return change.cells


def _positions_before(entries: Sequence[Entry]) -> dict[str, int]:
    """Where the logs of a batch stood before it."""
    positions: dict[str, int] = {}
    for entry in entries:
        name = f"{entry.topic}/{entry.part}"
        positions[name] = min(positions.get(name, entry.seq - 1), entry.seq - 1)
    return positions
