"""What the live stream tells, computed once per process for all who listen, and only while somebody does.

Once a second the board looks how far the database has got. When that is another place than before, or a minute has passed (backlogs grow
old), it reads all figures again and tells what is different. Any instance can be asked: each looks for itself.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.metrics import handlers, periods, schemas
from services.metrics.api import telling
from services.metrics.handlers import Question
from services.metrics.kpi import DEFINITIONS
from services.metrics.periods import Period
from services.metrics.schemas.live import RangeName
from services.metrics.store import log
from shared import clock, telemetry
from shared.database import Database, is_transient
from shared.health import Health

logger = telemetry.logger()

LOOK_EVERY: Final = 1.0
"""Seconds between two looks."""
AGAIN_AFTER: Final = 60.0
"""Seconds after which figures are read again though nothing happened."""
REST: Final = 4
"""So many times as long as the last reading took the board leaves the database alone."""
FIRST_WAIT: Final = 10.0
"""Seconds in which the first reading should have come."""
PATIENCE: Final = 16
"""Events that may wait for a listener before he is dropped."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the stream."""

    name: str
    id: str
    data: schemas.ChangeOut


class Listener:
    """One caller. What he hears ends when he is dropped, or when the process ends."""

    def __init__(self, last_id: str | None = None) -> None:
        self.last_id = last_id
        self._waiting: asyncio.Queue[Told | None] = asyncio.Queue(PATIENCE + 1)
        self._is_dropped = False

    def tell(self, told: Told) -> None:
        """Put an event behind the others; who lets too many wait is dropped."""
        if self._waiting.qsize() < PATIENCE:
            self._waiting.put_nowait(told)
        else:
            self.drop()

    def drop(self) -> None:
        """Nothing more comes, and what waits is forgotten."""
        self._is_dropped = True
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def heard(self, seconds: float) -> AsyncIterator[Told]:
        """What is told, for so long; the first event is waited for a little in any case."""
        ends_at = clock.monotonic() + seconds
        until = max(ends_at, clock.monotonic() + FIRST_WAIT)
        while not self._is_dropped:
            try:
                told = await asyncio.wait_for(self._waiting.get(), until - clock.monotonic())
            except TimeoutError:
                return
            if told is None:
                return
            yield told
            until = ends_at


class Board:
    """The figures as they stand, and who wants to hear of changes."""

    def __init__(self, database: Database, zone: str, health: Health) -> None:
        self._database = database
        self._zone = periods.zone_named(zone)
        self._health = health
        self._listeners: set[Listener] = set()
        self._watch: asyncio.Task[None] | None = None
        self._snapshot: Told | None = None

    @property
    def is_watching(self) -> bool:
        """Whether the board looks at the database."""
        return self._watch is not None

    @asynccontextmanager
    async def listen(self, last_id: str | None) -> AsyncIterator[Listener]:
        """Hear everything, then changes; nothing at first for whoever has seen the present state, which ``last_id`` names."""
        listener = Listener(last_id)
        self._listeners.add(listener)
        if self._snapshot is not None and self._snapshot.id != last_id:
            listener.tell(self._snapshot)
        if self._watch is None:
            self._watch = asyncio.create_task(self._look_for_ever(), name="live-board")
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                await self._rest()

    async def _rest(self) -> None:
        """Nobody listens any more."""
        watch, self._watch, self._snapshot = self._watch, None, None
        if watch is not None:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch

    async def _look_for_ever(self) -> None:
        seen: object = None
        read_at = rests_until = 0.0
        try:
            while not self._health.is_draining:
                started = clock.monotonic()
                with suppress_transient():
                    if started >= rests_until and ((place := await self._place()) != seen or started - read_at > AGAIN_AFTER):
                        self._publish(await self._read())
                        seen, read_at = place, started
                        rests_until = clock.monotonic() + REST * (clock.monotonic() - started)
                await asyncio.sleep(LOOK_EVERY)
        finally:
            for listener in self._listeners:
                listener.drop()

    async def _place(self) -> object:
        """How far the database has got, which generation is in use, which targets hold, which day it is."""
        async with self._database.transaction() as tx:
            known = await tx.fetchrow(
                """
                SELECT (SELECT sum(last_seq) FROM consumer_part) AS applied,
                       (SELECT version FROM projection WHERE status = 'active') AS active,
                       (SELECT count(*) FROM kpi_target) AS targets
                """
            )
        assert known is not None
        return (*known.values(), clock.now().astimezone(self._zone).date())

    def _publish(self, snapshot: schemas.SnapshotOut) -> None:
        told = Told("snapshot", _id_of(snapshot), snapshot)
        before, self._snapshot = self._snapshot, told
        if before is not None and before.id == told.id:
            return
        event = told
        if before is not None and isinstance(before.data, schemas.SnapshotOut) and before.data.ranges == snapshot.ranges:
            event = Told("change", told.id, _difference(before.data, snapshot))
        for listener in self._listeners:
            if before is not None or told.id != listener.last_id:
                listener.tell(event)

    async def _read(self) -> schemas.SnapshotOut:
        now = clock.now()
        ranges = self._ranges(now)
        items: list[schemas.LiveFigureOut] = []
        async with log.snapshot(self._database) as tx:
            for name, period in ranges.items():
                question = Question(list(DEFINITIONS.values()), period, [period.start], now)
                known, readings = await handlers.answer(tx, question)
                items += [schemas.LiveFigureOut(**telling.figure(reading), dimensions={}, range=name) for reading in readings]
        return schemas.SnapshotOut(
            as_of=telling.as_of(known),
            items=items,
            zone=self._zone.key,
            ranges={name: schemas.RangeOut(start=period.start, end=period.end) for name, period in ranges.items()},
        )

    def _ranges(self, now: datetime) -> Mapping[RangeName, Period]:
        today = now.astimezone(self._zone).date()
        end = periods.midnight(today + timedelta(days=1), self._zone)
        return {
            "today": Period(periods.midnight(today, self._zone), end, self._zone),
            "last_30_days": Period(periods.midnight(today - timedelta(days=29), self._zone), end, self._zone),
        }


@contextmanager
def suppress_transient() -> Iterator[None]:
    """The database is away: the listeners hear nothing until it is back."""
    try:
        yield
    except Exception as error:
        if not is_transient(error):
            raise
        logger.warning("live_board_waits", error=type(error).__name__)


def _difference(before: schemas.SnapshotOut, after: schemas.SnapshotOut) -> schemas.ChangeOut:
    known = {(item.range, item.kpi): _compared(item) for item in before.items}
    return schemas.ChangeOut(
        as_of=after.as_of, items=[item for item in after.items if known.get((item.range, item.kpi)) != _compared(item)]
    )


def _compared(item: schemas.LiveFigureOut) -> schemas.LiveFigureOut:
    """Without the instant of the reading, which is always another one."""
    return item.model_copy(update={"at": None})


def _id_of(snapshot: schemas.SnapshotOut) -> str:
    content = snapshot.model_copy(update={"items": [_compared(item) for item in snapshot.items]})
    return hashlib.blake2b(content.model_dump_json().encode(), digest_size=12).hexdigest()
