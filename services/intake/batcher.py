"""Requests that arrive while a commit is running share the next one.

Each caller puts an item into a bounded queue and waits. A writer, under load two, takes what has gathered, commits it in one transaction
and then answers all of it: so batches grow with the load, and an answer is given only after COMMIT. Where callers come often but not in
crowds, a batch waits some milliseconds for company. Writers live as long as there is work. The queue is a wall: what does not fit, or
has waited too long, is refused at once and nothing was done for it.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, cast

from prometheus_client import Gauge, Histogram

from shared import clock, telemetry
from shared.database import Database, Transaction, is_transient
from shared.errors import ServiceError, Unavailable
from shared.health import Finding
from shared.idempotency import Overtaken

log = telemetry.logger()

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Transaction, Sequence[Item]], Awaitable[Sequence[Result]]]
"""What is done with a batch in its transaction: one result per item."""

_QUEUED: Final = Gauge("intake_queue_items", "Requests that wait for a writer")
_BATCH: Final = Histogram("intake_batch_items", "Requests of one transaction", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256))


class QueueFull(Unavailable):
    """More requests wait than can be written in time; send it again."""

    code = "queue_full"


class WaitedTooLong(Unavailable):
    """The request waited too long for a writer and was dropped; send it again."""

    code = "waited_too_long"


class NotWritten(Unavailable):
    """The database did not take it; send it again, with the same Idempotency-Key."""

    code = "not_written"


@dataclass(frozen=True)
class Bounds:
    """``items`` and ``size`` (bytes) bound what waits, ``patience`` (seconds) how long; ``batch`` items share a transaction.

    A further writer begins, and goes on, only while ``crowd`` items wait: fewer are cheaper in the next transaction of another one than in
    one of their own. For the same reason less than a crowd waits until ``pace`` seconds after the last batch of several began: a
    transaction costs what twenty requests cost. Whoever comes alone waits for nobody.
    """

    items: int = 2_000
    size: int = 16 * 1024 * 1024
    patience: float = 1.0
    batch: int = 256
    writers: int = 2
    crowd: int = 64
    pace: float = 0.02


@dataclass(slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    size: int
    deadline: float
    future: asyncio.Future[Result]


class Batcher(Generic[Item, Result]):
    """The queue and its writers; belongs to one event loop. ``committed`` is called after each COMMIT."""

    def __init__(
        self, database: Database, work: Work[Item, Result], *, committed: Callable[[], None], bounds: Bounds | None = None
    ) -> None:
        self._database = database
        self._work = work
        self._committed = committed
        self._bounds = bounds or Bounds()
        self._queue: deque[_Waiting[Item, Result]] = deque()
        _QUEUED.set_function(self._queue.__len__)
        self._size = 0
        self._writers: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._next_at = 0.0

    async def submit(self, item: Item, size: int) -> Result:
        """What became of the item; returns after COMMIT. ``size`` is what it occupies, in bytes.

        Raises:
            QueueFull, WaitedTooLong: nothing was done.
            NotWritten: the transaction failed; in the rare case that only its confirmation was lost, a key makes the repetition safe.
            ServiceError: whatever the work raised for this item alone.
        """
        if self._is_closed or len(self._queue) >= self._bounds.items or self._size + size > self._bounds.size:
            raise QueueFull("We are busy. Send the request again in a moment.", retry_after=_soon())
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Item, Result] = _Waiting(item, size, clock.monotonic() + self._bounds.patience, loop.create_future())
        self._queue.append(waiting)
        self._size += size
        self._call_writer(loop)
        if self._alarm is None:
            self._alarm = loop.call_later(self._bounds.patience, self._drop_late)
        return await waiting.future

    async def close(self) -> None:
        """Refuse what comes from now on, write what waits."""
        self._is_closed = True
        while self._writers:
            await asyncio.wait(self._writers)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def room(self) -> Finding:
        """For readiness: passes while the queue is less than four fifths full; observes how many wait."""
        fill = max(len(self._queue) / self._bounds.items, self._size / self._bounds.size)
        return Finding(fill < 0.8, len(self._queue), "requests")

    def _call_writer(self, loop: asyncio.AbstractEventLoop) -> None:
        if len(self._writers) < self._wanted():
            # a context of its own: a batch belongs to no single request's trace
            writer = loop.create_task(self._write(), name="intake writer", context=Context())
            self._writers.add(writer)

    def _wanted(self) -> int:
        """How many writers what waits is worth."""
        return self._bounds.writers if len(self._queue) >= self._bounds.crowd else 1

    def _drop_late(self) -> None:
        """Those whose patience is over stand at the head of the queue."""
        self._alarm = None
        now = clock.monotonic()
        while self._queue and self._queue[0].deadline <= now:
            late = self._pop()
            _refuse([late], WaitedTooLong("We are busy. Send the request again in a moment.", retry_after=_soon()))
        if self._queue:
            self._alarm = asyncio.get_running_loop().call_later(self._queue[0].deadline - now, self._drop_late)

    def _pop(self) -> _Waiting[Item, Result]:
        waiting = self._queue.popleft()
        self._size -= waiting.size
        return waiting

    async def _write(self) -> None:
        try:
            while self._queue and len(self._writers) <= self._wanted():
                await self._wait_for_company()
                batch = [self._pop() for _ in range(min(self._bounds.batch, len(self._queue)))]
                if batch:  # another writer may have taken all
                    self._next_at = clock.monotonic() + self._bounds.pace if len(batch) > 1 else 0.0
                # callers who hung up are not written for: nobody was told anything
                await self._answer([waiting for waiting in batch if not waiting.future.done()])
        finally:
            # in the same step as the last look at the queue: whoever submits after it must find that there is no writer
            self._writers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _wait_for_company(self) -> None:
        """Until the next batch may begin. A crowd does not wait: it is what another writer is called for."""
        wait = self._next_at - clock.monotonic()
        if wait > 0 and len(self._queue) < self._bounds.crowd:
            await asyncio.sleep(wait)

    async def _answer(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            if batch:
                await self._commit(batch)
        except Exception as error:
            await self._answer_failure(batch, error)
        except BaseException:
            _refuse(batch, NotWritten("We are shutting down. Send the request again.", retry_after=_soon()))
            raise

    async def _commit(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            results = await self._transact(batch)
        except Overtaken:
            # what is there by now will be found
            results = await self._transact(batch)
        self._committed()
        _BATCH.observe(len(batch))
        for waiting, result in zip(batch, results, strict=True):
            if not waiting.future.done():
                waiting.future.set_result(result)

    async def _transact(self, batch: Sequence[_Waiting[Item, Result]]) -> Sequence[Result]:
        async with self._database.transaction() as tx:
            return await self._work(tx, [waiting.item for waiting in batch])

    async def _answer_failure(self, batch: Sequence[_Waiting[Item, Result]], error: Exception) -> None:
        """Nothing was committed. When the world was busy all are refused; when something in the batch is at fault, each is tried alone."""
        if isinstance(error, Unavailable):
            _refuse(batch, error)
        elif is_transient(error):
            log.warning("batch_not_written", items=len(batch), exc_info=error)
            _refuse(batch, NotWritten("We cannot store it now, and nothing was done. Send it again in a moment.", retry_after=_soon()))
        elif len(batch) > 1:
            log.warning("batch_divided", items=len(batch), error=type(error).__name__)
            for waiting in batch:
                await self._answer([waiting])
        else:
            _refuse(batch, error)


def _refuse(batch: Sequence[_Waiting[Item, Result]], error: ServiceError | Exception) -> None:
    for waiting in batch:
        if not waiting.future.done():
            waiting.future.set_exception(error)


def _soon() -> int:
    """Seconds; spread, so that callers do not come back all at once."""
    return random.randint(1, 3)
