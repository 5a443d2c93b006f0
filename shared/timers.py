"""Deadlines: rows with a due time, fired in batches by any instance, each exactly once.

A timer is armed, moved and cancelled in the transaction of the change that it belongs to. Firing deletes it in the transaction of its
effect, so two instances cannot both fire it. A consumer locks its subject first and the timer after it; firing must do the same or the two
would wait for each other: candidates are read without a lock, the subjects locked (those that somebody else holds are skipped), and only
then the timers deleted, if they are still due and of the generation that was read. Due is what the database's clock says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Final, NamedTuple

from shared import clock, telemetry
from shared.backoff import backoff, pause
from shared.database import Database, Transaction, is_transient

log = telemetry.logger()

BATCH: Final = 1_000
"""Fired in one transaction: half of them cost a tenth more each."""
PAGES: Final = 8
"""Batches that are looked at when others are firing the first ones."""
POLL: Final = 1.0
"""Seconds between two looks when nothing is due sooner."""
SET_ASIDE: Final = 60.0
"""Seconds for which a timer that failed is left alone, so that it does not hold up the others."""


class Timer(NamedTuple):
    """One deadline. ``gen`` is raised whenever it moves: whoever read it before does not fire it."""

    kind: str
    subject: str
    gen: int
    due_at: datetime


Key = tuple[str, str, int]


@dataclass(frozen=True)
class TimerSpec:
    """What a service does with its deadlines."""

    lock: Callable[[Transaction, Sequence[str]], Awaitable[Collection[str]]]
    """Locks the subjects in their order, skipping those that are locked; returns the ones it got."""
    fire: Callable[[Transaction, Sequence[Timer]], Awaitable[None]]
    """The change of state and its events, dated at `due_at`; must not commit."""


async def now(tx: Transaction) -> datetime:
    """Business time by the database's clock, by which timers are due. What else has passed is to be asked of the same clock: that of a
    process may be ahead or behind."""
    moment: datetime = await tx.fetchval(f"SELECT {clock.sql_now()}")
    return moment


async def arm(tx: Transaction, timers: Sequence[Timer]) -> None:
    """Set deadlines, or move those that are set."""
    if not timers:
        return
    latest = {(timer.kind, timer.subject): timer for timer in timers}
    ordered = [latest[key] for key in sorted(latest)]
    await tx.execute(
        """
        INSERT INTO timer (kind, subject, gen, due_at) SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[])
        ON CONFLICT (kind, subject) DO UPDATE SET gen = excluded.gen, due_at = excluded.due_at
        """,
        *map(list, zip(*ordered, strict=True)),
    )


async def arm_first(tx: Transaction, timers: Sequence[Timer]) -> None:
    """Set deadlines of subjects that are new: none of theirs can be set yet."""
    if timers:
        await tx.copy("timer", Timer._fields, timers)


async def cancel(tx: Transaction, kind_subjects: Sequence[tuple[str, str]]) -> None:
    """Remove deadlines; those that are not there are no error."""
    if not kind_subjects:
        return
    ordered = sorted(set(kind_subjects))
    await tx.execute(
        "DELETE FROM timer t USING unnest($1::text[], $2::text[]) gone(kind, subject)"
        " WHERE (t.kind, t.subject) = (gone.kind, gone.subject)",
        [kind for kind, _ in ordered],
        [subject for _, subject in ordered],
    )


async def due(tx: Transaction, limit: int, skip: int = 0) -> list[Timer]:
    """What is due, the longest waiting first. What is not due is not looked at, however much there is."""
    rows = await tx.fetch(
        f"SELECT kind, subject, gen, due_at FROM timer WHERE due_at <= {clock.sql_now()} ORDER BY due_at LIMIT $1 OFFSET $2", limit, skip
    )
    return [Timer(*row) for row in rows]


async def seconds_to_next(tx: Transaction) -> float | None:
    """Seconds of business time until the next one that is not due yet becomes so; None when there is none."""
    seconds: float | None = await tx.fetchval(
        f"SELECT extract(epoch FROM min(due_at) - {clock.sql_now()})::float8 FROM timer WHERE due_at > {clock.sql_now()}"
    )
    return seconds


class TimerLoop:
    """Fires what is due, until it is stopped. Any number of them may run."""

    def __init__(self, database: Database, spec: TimerSpec, *, batch: int = BATCH, poll: float = POLL) -> None:
        self._database = database
        self._spec = spec
        self._batch = batch
        self._poll = poll
        self._aside: dict[Key, float] = {}
        self._page = 0
        """Where something was free the last time."""
        self._rounds = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Fire batch after batch; a database that is away is waited out."""
        failures = 0
        while not stop.is_set():
            try:
                delay = 0.0 if await self.round() else await self._until_next()
                failures = 0
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("timers_wait", error=type(error).__name__)
                failures += 1
                delay = backoff(failures)
            await pause(stop, delay)

    async def round(self) -> int:
        """Fire one batch; the number of timers fired. What somebody else is firing now is passed over for what comes after it."""
        hint = self._page or None
        for page in dict.fromkeys((self._page, *range(PAGES))):
            candidates = await self._due(page * self._batch)
            fired = await self._fire_or_set_aside(candidates) if candidates else 0
            if fired:
                self._remember(page)
                return fired
            # the end of what is due; but before a page that was looked at first there are others
            if len(candidates) < self._batch and page != hint:
                break
        self._page = 0
        return 0

    def _remember(self, page: int) -> None:
        """Whoever fires beside others finds free timers behind theirs again; now and then he looks whether they are still there."""
        self._rounds += 1
        self._page = page if self._rounds % PAGES else 0

    async def _fire_or_set_aside(self, candidates: Sequence[Timer]) -> int:
        try:
            return await self._fire(candidates)
        except Exception as error:
            if is_transient(error):
                raise
        return await self._fire_each(candidates)

    async def _fire_each(self, candidates: Sequence[Timer]) -> int:
        """One transaction for each, so that one whose effect fails stops nobody else."""
        fired = 0
        for timer in candidates:
            try:
                fired += await self._fire([timer])
            except Exception as error:
                if is_transient(error):
                    raise
                log.exception("timer_failed", kind=timer.kind, subject=timer.subject)
                self._aside[_key(timer)] = clock.monotonic() + SET_ASIDE
        return fired

    async def _due(self, skip: int) -> list[Timer]:
        now = clock.monotonic()
        self._aside = {key: until for key, until in self._aside.items() if until > now}
        async with self._database.transaction() as tx:
            found = await due(tx, self._batch + len(self._aside), skip)
        return [timer for timer in found if _key(timer) not in self._aside] if self._aside else found

    async def _fire(self, candidates: Sequence[Timer]) -> int:
        async with self._database.transaction() as tx:
            locked = set(await self._spec.lock(tx, sorted({timer.subject for timer in candidates})))
            taken = await _take(tx, [timer for timer in candidates if timer.subject in locked])
            if taken:
                await self._spec.fire(tx, taken)
        return len(taken)

    async def _until_next(self) -> float:
        """Seconds to sleep: to the next due time, at most one poll. What is due but held by somebody else is looked at after a poll."""
        async with self._database.transaction() as tx:
            seconds = await seconds_to_next(tx)
        business = clock.business_clock()
        return self._poll if seconds is None else min(self._poll, max(0.01, seconds / (business.rate if business else 1.0)))


async def _take(tx: Transaction, timers: Sequence[Timer]) -> list[Timer]:
    """Delete those that are still as they were read, and still due."""
    rows = await tx.fetch(
        f"""
        DELETE FROM timer t USING unnest($1::text[], $2::text[], $3::int[]) due(kind, subject, gen)
         WHERE (t.kind, t.subject, t.gen) = (due.kind, due.subject, due.gen) AND t.due_at <= {clock.sql_now()}
        RETURNING t.kind, t.subject, t.gen, t.due_at
        """,
        *([timer.kind for timer in timers], [timer.subject for timer in timers], [timer.gen for timer in timers]),
    )
    return sorted([Timer(*row) for row in rows], key=_IN_ORDER)


_IN_ORDER: Final = attrgetter("due_at", "kind", "subject")


def _key(timer: Timer) -> Key:
    return timer.kind, timer.subject, timer.gen
