"""Counts as documents: added to by writers, summed for answers. Rollups by one dimension at most, cells by all of them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, NamedTuple

from services.metrics import projection
from services.metrics.kpi import DEFINITIONS, Kind
from services.metrics.projection import DAY, DIMENSIONS, HOUR, QUARTER, SHIFT, TOTAL, CellKey, Counts, RowKey
from shared import clock
from shared.database import Transaction, from_json, to_json
from shared.errors import Invalid

_CELL: Final = ", ".join(DIMENSIONS)
_OF_CELL: Final = ", ".join(f"c.{name}" for name in DIMENSIONS)
_OF_OTHER: Final = ", ".join(f"u.{name}" for name in DIMENSIONS)
_LOCK: Final = 0x6B706963
"""Advisory lock of whoever adds to the counts of a generation: a sum is read and written again, one writer after the other."""
FlatKey = tuple[Any, ...]
"""A cell's quarter hour and dimensions, side by side."""

PATIENCE: Final = 20.0
"""Seconds for an answer out of cells."""
LONG: Final = frozenset(definition.id for definition in DEFINITIONS.values() if definition.kind is Kind.DURATION)
"""Figures with hundreds of measures. Rollups hold them in a document of their own: whoever asks for the others need not read them."""


async def add(tx: Transaction, version: int, deltas: Mapping[RowKey, Counts]) -> None:
    """Add to each rollup row. Of the two documents of a row, those are read and written that change."""
    if not deltas:
        return
    await _lock(tx, version)
    told = {key: apart(counts) for key, counts in deltas.items()}
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
    await _write(tx, version, "kpi_rollup", ROLLUP, update, documents, before.keys())


ROLLUP: Final = (*RowKey._fields, "counts", "durations")


async def add_cells(tx: Transaction, version: int, deltas: Mapping[CellKey, Counts]) -> None:
    """Add to each cell."""
    if not deltas:
        return
    await _lock(tx, version)
    flat = {(bucket, *dimensions): counts for (bucket, dimensions), counts in deltas.items()}
    held = await tx.fetch(
        f"""
        SELECT bucket, {_CELL}, counts FROM kpi_cell JOIN unnest({_ARRAYS}) wanted(bucket, {_CELL}) USING (bucket, {_CELL})
         WHERE projection_version = $1
        """,
        version,
        *(list(values) for values in zip(*flat, strict=True)),
    )
    before = {row[:7]: row[7] for row in map(tuple, held)}
    await write_cells(tx, version, {key: _document(before.get(key), counts) for key, counts in flat.items()}, before.keys())


_ARRAYS: Final = "$2::integer[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]"
_UPDATE_CELLS: Final = f"""
    UPDATE kpi_cell c SET counts = u.counts FROM unnest({_ARRAYS}, $9::json[]) u(bucket, {_CELL}, counts)
     WHERE projection_version = $1 AND (c.bucket, {_OF_CELL}) = (u.bucket, {_OF_OTHER})
"""


async def write_cells(tx: Transaction, version: int, documents: Mapping[FlatKey, str | None], held: Collection[FlatKey]) -> None:
    """Put documents into cells, of which those ``held`` are there already. Nobody else may write them meanwhile."""
    told = {key: (document,) for key, document in documents.items()}
    await _write(tx, version, "kpi_cell", ("bucket", *DIMENSIONS, "counts"), _UPDATE_CELLS, told, held)


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


async def _lock(tx: Transaction, version: int) -> None:
    await tx.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCK, version)


async def keep_others_out(tx: Transaction, version: int) -> None:
    """Nobody adds to the counts of a generation before the transaction ends. Any number may hold this together: it is for those who write
    days of which each is in one hand."""
    await tx.execute("SELECT pg_advisory_xact_lock_shared($1, $2)", _LOCK, version)


def _document(held: str | None, more: Counts) -> str | None:
    """What a document holds, if there is one, and more; a measure that went back to 0 is gone. None: there is nothing to add."""
    if not more:
        return None
    if held is None:
        return to_json(more)
    total = from_json(held)
    projection.add(total, more)
    return to_json(projection.without_zeros(total))


def apart(counts: Counts) -> tuple[Counts, Counts]:
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
    def dimension(self) -> str | None:
        """The one that it is about, or `TOTAL`: then the rollups hold it. None where it is about several."""
        first, *others = {*self.by, *self.only} or {TOTAL}
        return None if others else first


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


def days_of(slots: Sequence[int], end: int) -> Iterator[list[Piece]]:
    """Quarter hours, a day of UTC after the other. A month of cells may be tens of megabytes: they are not to be in memory at once, nor to
    keep all other callers waiting while they are read."""
    parts = [
        Piece(slot, QUARTER, max(first, day * DAY), min(until, (day + 1) * DAY))
        for slot, (first, until) in _edges(slots, end)
        for day in range(first // DAY, -(-until // DAY))
    ]
    for _, pieces in groupby(parts, lambda piece: piece.first // DAY):
        yield list(pieces)


Found = dict[tuple[str, int, tuple[str, ...]], dict[str, int]]
"""Measures by figure, slot and group."""


async def sums(tx: Transaction, version: int, kpis: Sequence[str], cut: Cut, buckets: range, slots: Sequence[int]) -> Found:
    """Counts within the buckets, summed by slot; ``slots`` are the buckets at which slots begin, ascending, the first = 0th slot.

    Raises:
        Invalid: cells of so long a range take too long.
    """
    found: Found = {}
    if cut.dimension is None:
        deadline = clock.monotonic() + PATIENCE
        for pieces in days_of(slots, buckets.stop):
            await _of_cells(tx, found, version, kpis, cut, pieces)
            if clock.monotonic() > deadline:
                raise Invalid.field("?from", "range_too_long", "holds too much to be cut by several dimensions at once")
    elif cut.dimension == TOTAL:
        await _of_rollups(tx, found, version, kpis, cut, pieces_of(slots, buckets.stop, (SHIFT,)))
    else:
        # quarter hours by one dimension are read from the cells: seldom needed, and at the edges alone
        pieces = pieces_of(slots, buckets.stop)
        await _of_rollups(tx, found, version, kpis, cut, [piece for piece in pieces if piece.span > QUARTER])
        await _of_cells(tx, found, version, kpis, cut, [piece for piece in pieces if piece.span == QUARTER])
    return {key: told for key, measures in found.items() if (told := {measure: n for measure, n in measures.items() if n})}


def _edges(slots: Sequence[int], end: int) -> Iterable[tuple[int, tuple[int, int]]]:
    """Each slot with the bucket at which it begins and the one before which it ends."""
    return enumerate(zip(slots, [*slots[1:], end], strict=True))


async def _of_rollups(tx: Transaction, found: Found, version: int, kpis: Sequence[str], cut: Cut, pieces: Sequence[Piece]) -> None:
    place = "dimension = $6 AND span = p.span" + (" AND value = ANY($7::text[])" if cut.only else "")
    group = "ARRAY[value]" if cut.by else "ARRAY[]::text[]"
    asked = [cut.dimension, *(list(values) for values in cut.only.values())]
    for column, wanted, add_up in (("counts", LONG.isdisjoint, _add_up), ("durations", LONG.issuperset, _add_up_long)):
        of_column = [kpi for kpi in kpis if wanted((kpi,))]
        await add_up(tx, found, of_column, _Rows(version, "kpi_rollup", group, column, place, pieces, asked))


async def _of_cells(tx: Transaction, found: Found, version: int, kpis: Sequence[str], cut: Cut, pieces: Sequence[Piece]) -> None:
    condition, asked = condition_of(cut, first_parameter=6)
    await _add_up(tx, found, kpis, _Rows(version, "kpi_cell", group_of(cut), "counts", condition, pieces, asked))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Documents to add up: where they are, and which."""

    version: int
    table: str
    group: str
    column: str
    condition: str
    pieces: Sequence[Piece]
    asked: Sequence[object]

    async def fetch(self, tx: Transaction, selected: str, grouped: str = "") -> list[Any]:
        """Slot, group, and what is selected of each ``document``.

        Each piece is a range of the table's key. The planner would rather read all rows there are and throw away those of other times:
        OFFSET 0 leaves it no choice.
        """
        return await tx.fetch(
            f"""
            SELECT slot, values, {selected}
              FROM unnest($2::integer[], $3::smallint[], $4::integer[], $5::integer[]) p(slot, span, first, until)
             CROSS JOIN LATERAL (
                   SELECT {self.group} AS values, {self.column} AS document FROM {self.table}
                    WHERE projection_version = $1 AND bucket >= p.first AND bucket < p.until AND {self.condition} OFFSET 0) found
             {grouped}
            """,
            self.version,
            *(list(values) for values in zip(*self.pieces, strict=True)),
            *self.asked,
        )


async def _add_up(tx: Transaction, found: Found, kpis: Sequence[str], rows: _Rows) -> None:
    """Short documents come in one piece per group. They are read here and not by the database: that takes a fifth of the time."""
    if not rows.pieces or not kpis:
        return
    for slot, values, documents in await rows.fetch(tx, "'[' || string_agg(document::text, ',') || ']'", "GROUP BY 1, 2"):
        of_group, told = tuple(values), from_json(documents)
        for kpi in kpis:
            _add(found, (kpi, slot, of_group), [counts[kpi] for counts in told if kpi in counts])


async def _add_up_long(tx: Transaction, found: Found, kpis: Sequence[str], rows: _Rows) -> None:
    """Of long documents, those parts are read that are asked for."""
    if not rows.pieces or not kpis:
        return
    for slot, values, document in await rows.fetch(tx, "document"):
        for kpi, measures in told_of(document, kpis):
            _add(found, (kpi, slot, tuple(values)), [measures])


def _add(found: Found, key: tuple[str, int, tuple[str, ...]], told: Sequence[dict[str, int]]) -> None:
    for measures in told:
        held = found.setdefault(key, measures)
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
