"""Counts as documents: added to by writers, summed for answers. Rollups by one dimension at most, cells by all of them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from services.metrics import projection
from services.metrics.facts import Dimensions
from services.metrics.kpi import DEFINITIONS, Kind
from services.metrics.projection import DAY, DIMENSIONS, HOUR, QUARTER, SHIFT, TOTAL, CellKey, Counts, RowKey
from shared.database import Transaction, from_json, to_json

_CELL: Final = ", ".join(DIMENSIONS)
_OF_CELL: Final = ", ".join(f"c.{name}" for name in DIMENSIONS)
_OF_OTHER: Final = ", ".join(f"u.{name}" for name in DIMENSIONS)
_LOCK: Final = 0x6B706963
"""Advisory lock of whoever adds to the counts of a generation: a sum is read and written again, one writer after the other."""


LONG: Final = frozenset(definition.id for definition in DEFINITIONS.values() if definition.kind is Kind.DURATION)
"""Figures with hundreds of measures. Rollups hold them in a document of their own: whoever asks for the others need not read them."""


async def add(tx: Transaction, version: int, deltas: Mapping[RowKey, Counts]) -> None:
    """Add to each rollup row; the keys must be sorted. Of the two documents of a row, those are read and written that change."""
    if not deltas:
        return
    await _lock(tx, version)
    told = {key: _apart(counts) for key, counts in deltas.items()}
    held = await tx.fetch(
        """
        SELECT dimension, value, span, bucket, counts, CASE WHEN is_long THEN durations END AS durations FROM kpi_rollup
          JOIN unnest($2::text[], $3::text[], $4::smallint[], $5::integer[], $6::boolean[]) wanted(dimension, value, span, bucket, is_long)
         USING (dimension, value, span, bucket) WHERE projection_version = $1
        """,
        version,
        *(list(values) for values in zip(*deltas, strict=True)),
        [bool(long) for _, long in told.values()],
    )
    before = {row[:4]: row[4:] for row in map(tuple, held)}
    documents = {
        key: tuple(_document(document, more) for document, more in zip(before.get(key, (None, None)), parts, strict=True))
        for key, parts in told.items()
    }
    update = """
        UPDATE kpi_rollup r SET (counts, durations) = (coalesce(u.counts, r.counts), coalesce(u.durations, r.durations))
          FROM unnest($2::text[], $3::text[], $4::smallint[], $5::integer[], $6::json[], $7::json[])
               u(dimension, value, span, bucket, counts, durations)
         WHERE projection_version = $1 AND (r.dimension, r.value, r.span, r.bucket) = (u.dimension, u.value, u.span, u.bucket)
    """
    await _write(tx, version, "kpi_rollup", _ROLLUP, update, documents, before.keys())


_ROLLUP: Final = (*RowKey._fields, "counts", "durations")


async def add_cells(tx: Transaction, version: int, deltas: Mapping[CellKey, Counts]) -> None:
    """Add to each cell; sorted as well."""
    if not deltas:
        return
    await _lock(tx, version)
    flat = {(bucket, *dimensions): counts for (bucket, dimensions), counts in deltas.items()}
    arrays = "$2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]"
    held = await tx.fetch(
        f"""
        SELECT bucket, {_CELL}, counts FROM kpi_cell JOIN unnest({arrays}) wanted(bucket, {_CELL}) USING (bucket, {_CELL})
         WHERE projection_version = $1
        """,
        version,
        *(list(values) for values in zip(*flat, strict=True)),
    )
    before = {row[:7]: row[7] for row in map(tuple, held)}
    documents = {key: (_document(before.get(key), counts),) for key, counts in flat.items()}
    update = f"""
        UPDATE kpi_cell c SET counts = u.counts FROM unnest({arrays}, $9::json[]) u(bucket, {_CELL}, counts)
         WHERE projection_version = $1 AND (c.bucket, {_OF_CELL}) = (u.bucket, {_OF_OTHER})
    """
    await _write(tx, version, "kpi_cell", ("bucket", *DIMENSIONS, "counts"), update, documents, before.keys())


async def _write(
    tx: Transaction,
    version: int,
    table: str,
    columns: Sequence[str],
    update: str,
    documents: Mapping[Any, tuple[str | None, ...]],
    held: Collection[object],
) -> None:
    """Update the rows that are there, copy the others: nobody else adds rows meanwhile. None: a document that stays as it is."""
    old = [(*key, *told) for key, told in documents.items() if key in held]
    if old:
        await tx.execute(update, version, *(list(values) for values in zip(*old, strict=True)))
    new = [(version, *key, *(document or "{}" for document in told)) for key, told in documents.items() if key not in held]
    if new:
        await tx.driver.copy_records_to_table(table, records=new, columns=("projection_version", *columns))


async def days(tx: Transaction, version: int) -> list[tuple[int, int]]:
    """The days (their first buckets) in which a generation has cells, and how many cells."""
    query = """
        SELECT bucket - (bucket % $2 + $2) % $2 AS day, count(*) AS cells FROM kpi_cell WHERE projection_version = $1 GROUP BY 1 ORDER BY 1
    """
    await tx.execute("SET LOCAL statement_timeout = 0")
    return [(row["day"], row["cells"]) for row in await tx.driver.fetch(query, version, DAY, timeout=600)]


async def roll_up(tx: Transaction, version: int, first: int, until: int) -> None:
    """Make the rollups of some days anew from their cells. Nobody adds to either before the transaction ends."""
    await _lock(tx, version)
    range_ = "projection_version = $1 AND bucket >= $2 AND bucket < $3"
    await tx.execute(f"DELETE FROM kpi_rollup WHERE {range_}", version, first, until)
    rows = await tx.fetch(f"SELECT bucket, {_CELL}, counts FROM kpi_cell WHERE {range_}", version, first, until)
    cells = {CellKey(row[0], Dimensions._make(row[1:7])): from_json(row[7]) for row in rows}
    made = projection.spread(cells)
    await tx.driver.copy_records_to_table(
        "kpi_rollup",
        records=[(version, *key, *map(to_json, _apart(counts))) for key, counts in made.items()],
        columns=("projection_version", *_ROLLUP),
    )


async def _lock(tx: Transaction, version: int) -> None:
    await tx.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCK, version)


def _document(held: str | None, more: Counts) -> str | None:
    """What a document holds, if there is one, and more; a measure that went back to 0 is gone. None: there is nothing to add."""
    if not more:
        return None
    if held is None:
        return to_json(more)
    total = from_json(held)
    projection.add(total, more)
    return to_json(projection.without_zeros(total))


def _apart(counts: Counts) -> tuple[Counts, Counts]:
    """What goes into the first document of a rollup row, and what into the one of durations."""
    if LONG.isdisjoint(counts):
        return counts, {}
    long = {kpi: measures for kpi, measures in counts.items() if kpi in LONG}
    return {kpi: measures for kpi, measures in counts.items() if kpi not in LONG}, long


# ------------------------------------------------------------------ answers


class Sum(NamedTuple):
    """One measure of one figure, summed over a slot of time for one group."""

    kpi: str
    slot: int
    group: tuple[str, ...]
    """A value for each dimension asked for."""
    measure: str
    n: int


@dataclass(frozen=True, slots=True)
class Cut:
    """How an answer is cut: by which dimensions, and what is left in."""

    by: tuple[str, ...] = ()
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_of_one_dimension(self) -> bool:
        """Whether the rollups hold it."""
        return not self.only and len(self.by) <= 1


WHOLE: Final = Cut()


class Piece(NamedTuple):
    """Rows of one span, from a bucket until before another, that are part of a slot."""

    slot: int
    span: int
    first: int
    until: int


def pieces_of(slots: Sequence[int], end: int, between: tuple[int, ...] = ()) -> list[Piece]:
    """The longest spans that fit, and shorter ones at the edges; of days and hours, and those ``between``. ``slots`` are the buckets at
    which slots begin, ascending."""
    pieces: list[Piece] = []
    for slot, (first, until) in _edges(slots, end):
        _fill(pieces, slot, first, until, (DAY, *between, HOUR, QUARTER))
    return pieces


def _fill(pieces: list[Piece], slot: int, first: int, until: int, spans: tuple[int, ...]) -> None:
    span, shorter = spans[0], spans[1:]
    begin, end = -(-first // span) * span, until // span * span
    edges = [(first, until)]
    if begin < end:
        pieces.append(Piece(slot, span, begin, end))
        edges = [(first, begin), (end, until)]
    for low, high in edges:
        if low < high and shorter:
            _fill(pieces, slot, low, high, shorter)


Found = dict[tuple[str, int, tuple[str, ...]], dict[str, int]]
"""Measures by figure, slot and group."""


async def sums(tx: Transaction, version: int, kpis: Sequence[str], cut: Cut, buckets: range, slots: Sequence[int]) -> Found:
    """Counts within the buckets, summed by slot; ``slots`` are the buckets at which slots begin, ascending, the first = 0th slot."""
    found: Found = {}
    if not cut.is_of_one_dimension:
        await _of_cells(tx, found, version, kpis, cut, [Piece(slot, QUARTER, *edges) for slot, edges in _edges(slots, buckets.stop)])
    elif not cut.by:
        await _of_rollups(tx, found, version, kpis, TOTAL, pieces_of(slots, buckets.stop, (SHIFT,)))
    else:
        # quarter hours by one dimension are read from the cells: seldom needed, and at the edges alone
        pieces = pieces_of(slots, buckets.stop)
        await _of_rollups(tx, found, version, kpis, cut.by[0], [piece for piece in pieces if piece.span > QUARTER])
        await _of_cells(tx, found, version, kpis, cut, [piece for piece in pieces if piece.span == QUARTER])
    return {key: told for key, measures in found.items() if (told := {measure: n for measure, n in measures.items() if n})}


def _edges(slots: Sequence[int], end: int) -> Iterable[tuple[int, tuple[int, int]]]:
    """Each slot with the bucket at which it begins and the one before which it ends."""
    return enumerate(zip(slots, [*slots[1:], end], strict=True))


async def _of_rollups(tx: Transaction, found: Found, version: int, kpis: Sequence[str], dimension: str, pieces: Sequence[Piece]) -> None:
    place = "r.projection_version = $1 AND r.dimension = $6 AND r.span = p.span AND r.bucket >= p.first AND r.bucket < p.until"
    group = "ARRAY[]::text[]" if dimension == TOTAL else "ARRAY[r.value]"
    for column, wanted in (("counts", LONG.isdisjoint), ("durations", LONG.issuperset)):
        of_column = [kpi for kpi in kpis if wanted((kpi,))]
        await _add_up(tx, found, version, of_column, f"kpi_rollup r ON {place}", group, column, "true", pieces, [dimension])


async def _of_cells(tx: Transaction, found: Found, version: int, kpis: Sequence[str], cut: Cut, pieces: Sequence[Piece]) -> None:
    condition, asked = condition_of(cut, first_parameter=6)
    source = "kpi_cell r ON r.projection_version = $1 AND r.bucket >= p.first AND r.bucket < p.until"
    await _add_up(tx, found, version, kpis, source, group_of(cut), "counts", condition, pieces, asked)


async def _add_up(
    tx: Transaction,
    found: Found,
    version: int,
    kpis: Sequence[str],
    source: str,
    group: str,
    column: str,
    condition: str,
    pieces: Sequence[Piece],
    asked: Sequence[object],
) -> None:
    """The documents are read here and not by the database: that takes a fifth of the time."""
    if not pieces or not kpis:
        return
    rows = await tx.fetch(
        f"""
        SELECT p.slot, {group} AS values, r.{column}
          FROM unnest($2::integer[], $3::smallint[], $4::integer[], $5::integer[]) p(slot, span, first, until)
          JOIN {source}
         WHERE {condition}
        """,
        version,
        *(list(values) for values in zip(*pieces, strict=True)),
        *asked,
    )
    for slot, values, document in rows:
        of_group = tuple(values)
        for kpi, measures in told_of(document, kpis):
            held = found.setdefault((kpi, slot, of_group), measures)
            if held is not measures:
                for measure, n in measures.items():
                    held[measure] = held.get(measure, 0) + n


SHORT: Final = 500
"""Characters of a document that is read faster than it is searched."""


def told_of(document: str, kpis: Sequence[str]) -> Iterator[tuple[str, dict[str, int]]]:
    """What a document of counts tells of some figures. Of a long one, that part alone is read."""
    # a document that a migration made has blanks behind its colons
    if len(document) < SHORT or document[document.index(":") + 1] != "{":
        counts = from_json(document)
        yield from ((kpi, counts[kpi]) for kpi in kpis if kpi in counts)
        return
    for kpi in kpis:
        begin = document.find(f'"{kpi}":{{')
        if begin >= 0:
            begin += len(kpi) + 3
            yield kpi, from_json(document[begin : document.index("}", begin) + 1])


def group_of(cut: Cut) -> str:
    """The group as an SQL expression over columns named like the dimensions."""
    return f"ARRAY[{', '.join(cut.by)}]::text[]"


def condition_of(cut: Cut, *, first_parameter: int) -> tuple[str, list[object]]:
    """What is left in, as an SQL condition and its parameters."""
    conditions = [f"{dimension} = ANY(${number}::text[])" for number, dimension in enumerate(cut.only, start=first_parameter)]
    return " AND ".join(conditions) or "true", [list(values) for values in cut.only.values()]
