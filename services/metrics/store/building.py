"""Counts of a generation that is being built: pieces of history write parts of cells, then days are made of the parts, each in one hand.

Parts are only added, so who reads one log need not wait for who reads another, nor for the consumer, which writes its cells as always.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.metrics import projection
from services.metrics.facts import Dimensions
from services.metrics.projection import DAY, DIMENSIONS, HOUR, QUARTER, SHIFT, TOTAL, CellKey, Counts
from services.metrics.store import rollups
from services.metrics.store.rollups import FlatKey
from shared.database import Transaction, from_json, to_json

PATIENCE: Final = 600.0
"""Seconds for a statement that looks at all cells, or at those of some days."""

_CELL: Final = ("bucket", *DIMENSIONS)
_SELECTED: Final = ", ".join((*_CELL, "counts"))
_WITHIN: Final = "projection_version = $1 AND bucket >= $2 AND bucket < $3"
_GRIDS: Final = [(TOTAL, QUARTER), (TOTAL, SHIFT), *((dimension, span) for dimension in (TOTAL, *DIMENSIONS) for span in (HOUR, DAY))]
"""The rollups that there are: told one by one, so that the rows of a day are found in the index, whatever else a generation holds."""


async def add_parts(tx: Transaction, version: int, cells: Mapping[CellKey, Counts]) -> None:
    """Note what a piece of history gives to cells."""
    await tx.driver.copy_records_to_table(
        "kpi_cell_part",
        records=[(version, bucket, *dimensions, to_json(counts)) for (bucket, dimensions), counts in cells.items()],
        columns=("projection_version", *_CELL, "counts"),
    )


async def days(tx: Transaction, version: int) -> list[tuple[int, int]]:
    """The days (their first buckets) in which a generation has cells or parts of them, and how many."""
    query = """
        SELECT bucket - (bucket % $2 + $2) % $2 AS day, count(*) AS cells
          FROM (SELECT bucket FROM kpi_cell WHERE projection_version = $1
                UNION ALL
                SELECT bucket FROM kpi_cell_part WHERE projection_version = $1) cell
         GROUP BY 1 ORDER BY 1
    """
    await tx.execute("SET LOCAL statement_timeout = 0")
    return [(row["day"], row["cells"]) for row in await tx.driver.fetch(query, version, DAY, timeout=PATIENCE)]


async def roll_up(tx: Transaction, version: int, first: int, until: int) -> None:
    """Add the parts of some days to their cells, and make the rollups of these days anew. Nobody adds to them before the transaction ends,
    and nobody else may make the same days."""
    await rollups.keep_others_out(tx, version)
    cells = await _gathered(tx, version, first, until)
    await _delete_rollups(tx, version, first, until)
    made = projection.spread({CellKey(key[0], Dimensions._make(key[1:])): counts for key, counts in cells.items()})
    await tx.driver.copy_records_to_table(
        "kpi_rollup",
        records=[(version, *key, *map(to_json, rollups.apart(counts))) for key, counts in made.items()],
        columns=("projection_version", *rollups.ROLLUP),
    )


async def _gathered(tx: Transaction, version: int, first: int, until: int) -> dict[FlatKey, Counts]:
    """All cells of the range, with their parts, which are parts no more."""
    rows = await tx.fetch(f"SELECT {_SELECTED} FROM kpi_cell WHERE {_WITHIN}", version, first, until)
    cells: dict[FlatKey, Counts] = {row[:7]: from_json(row[7]) for row in map(tuple, rows)}
    held = set(cells)
    parts = await tx.fetch(f"DELETE FROM kpi_cell_part WHERE {_WITHIN} RETURNING {_SELECTED}", version, first, until)
    told = set[FlatKey]()
    for row in map(tuple, parts):
        key, counts = row[:7], from_json(row[7])
        told.add(key)
        cell = cells.setdefault(key, counts)
        if cell is not counts:
            projection.add(cell, counts)
    await rollups.write_cells(tx, version, {key: to_json(projection.without_zeros(cells[key])) for key in sorted(told)}, held)
    return cells


async def _delete_rollups(tx: Transaction, version: int, first: int, until: int) -> None:
    await tx.execute(
        """
        DELETE FROM kpi_rollup r USING unnest($4::text[], $5::smallint[]) g(dimension, span)
         WHERE r.projection_version = $1 AND (r.dimension, r.span) = (g.dimension, g.span) AND r.bucket >= $2 AND r.bucket < $3
        """,
        version,
        first,
        until,
        *(list(values) for values in zip(*_GRIDS, strict=True)),
    )
