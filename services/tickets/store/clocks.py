"""The clocks of tickets between rows and values. Each target has one row: its newest clock; what came before stands in the history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import asyncpg

from services.tickets import sla
from services.tickets.sla import Clock, Pause, ServiceLevels, TargetName
from services.tickets.store.levels import service_levels
from services.tickets.workflow.ticket import Ticket
from shared.database import Transaction

Clocks = Mapping[TargetName, Clock]
ClockRow = tuple[str, TargetName, Clock]
Pauses = Mapping[tuple[str, str], tuple[Pause, ...]]


async def load(tx: Transaction, numbers: Sequence[str]) -> dict[str, Clocks]:
    """The clocks of each ticket."""
    if not numbers:
        return {}
    rows = await tx.fetch(_LOAD, numbers)
    # in this order: an edition that is read later knows every promise that was read before
    levels = await service_levels(tx)
    pauses = await _pauses(tx, sorted({row["number"] for row in rows if row["has_pauses"]}))
    found: dict[str, dict[TargetName, Clock]] = {}
    for row in rows:
        found.setdefault(row["number"], {})[TargetName(row["target"])] = _clock(row, levels, pauses)
    return {**found}


_LOAD: Final = """
SELECT number, target, started_at, budget_ms, policy, policy_row, calendar, calendar_row, policy_version, met_at, warned_at, breached_at,
       stopped_at, EXISTS (SELECT FROM sla_pause p WHERE p.number = c.number) AS has_pauses
  FROM sla_clock c WHERE number = ANY($1)
"""


async def _pauses(tx: Transaction, numbers: Sequence[str]) -> Pauses:
    if not numbers:
        return {}
    rows = await tx.fetch("SELECT number, target, started_at, ended_at FROM sla_pause WHERE number = ANY($1) ORDER BY ordinal", numbers)
    found: dict[tuple[str, str], tuple[Pause, ...]] = {}
    for row in rows:
        key = row["number"], row["target"]
        found[key] = (*found.get(key, ()), Pause(row["started_at"], row["ended_at"]))
    return found


def _clock(row: asyncpg.Record, levels: ServiceLevels, pauses: Pauses) -> Clock:
    return Clock(
        started_at=row["started_at"],
        budget=timedelta(milliseconds=row["budget_ms"]),
        promise=levels.given((row["policy"], row["policy_row"]), (row["calendar"], row["calendar_row"]), row["policy_version"]),
        pauses=pauses.get((row["number"], row["target"]), ()),
        met_at=row["met_at"],
        warned_at=row["warned_at"],
        breached_at=row["breached_at"],
        stopped_at=row["stopped_at"],
    )


# ------------------------------------------------------------------ saving


async def save_fresh(tx: Transaction, fresh: Sequence[Ticket]) -> None:
    """Write the clocks of tickets that are new."""
    rows = [(ticket.number, target, clock) for ticket in fresh for target, clock in ticket.clocks.items()]
    await tx.copy("sla_clock", _COLUMNS, [_row(*row) for row in rows])
    await _write_pauses(tx, [(number, target, 0, clock) for number, target, clock in rows if clock.pauses])


async def save_changed(tx: Transaction, changed: Sequence[tuple[Ticket, Ticket]]) -> None:
    """Write the clocks that are different now, of (before, after)."""
    rows = [
        (after.number, target, before.clocks.get(target), clock)
        for before, after in changed
        for target, clock in after.clocks.items()
        if before.clocks.get(target) != clock
    ]
    if not rows:
        return
    await _forget_pauses(tx, [(number, target) for number, target, old, clock in rows if old and old.started_at != clock.started_at])
    await _write(tx, [(number, target, clock) for number, target, _, clock in rows])
    await _write_pauses(tx, [(number, target, _first_changed_pause(old, clock), clock) for number, target, old, clock in rows])


def _first_changed_pause(old: Clock | None, clock: Clock) -> int:
    """The last pause that was there may have ended since; those before it are history."""
    return 0 if old is None or old.started_at != clock.started_at else max(0, len(old.pauses) - 1)


async def _write(tx: Transaction, rows: Sequence[ClockRow]) -> None:
    await tx.execute(_WRITE, *(list(values) for values in zip(*(_row(*row) for row in rows), strict=True)))


def _row(number: str, target: TargetName, clock: Clock) -> tuple[Any, ...]:
    policy, hours = clock.promise.policy, clock.promise.hours
    return (
        *(number, target, clock.started_at, sla.milliseconds(clock.budget)),
        *(policy.id, policy.version, hours.id, hours.version, clock.promise.edition),
        *(sla.due_at(clock, clock.started_at), sla.milliseconds(sla.paused_time(clock, clock.started_at))),
        *(clock.met_at, clock.warned_at, clock.breached_at, clock.stopped_at),
    )


_COLUMNS: Final = (
    "number", "target", "started_at", "budget_ms", "policy", "policy_row", "calendar", "calendar_row", "policy_version", "due_at",
    "paused_ms", "met_at", "warned_at", "breached_at", "stopped_at",
)  # fmt: skip

_WRITE: Final = f"""
INSERT INTO sla_clock ({", ".join(_COLUMNS)})
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::text[], $6::int[], $7::text[], $8::int[], $9::int[],
                     $10::timestamptz[], $11::bigint[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[])
    ON CONFLICT (number, target) DO UPDATE
   SET started_at = excluded.started_at, budget_ms = excluded.budget_ms, policy = excluded.policy, policy_row = excluded.policy_row,
       calendar = excluded.calendar, calendar_row = excluded.calendar_row, policy_version = excluded.policy_version,
       due_at = excluded.due_at, paused_ms = excluded.paused_ms, met_at = excluded.met_at, warned_at = excluded.warned_at,
       breached_at = excluded.breached_at, stopped_at = excluded.stopped_at
"""


async def _forget_pauses(tx: Transaction, clocks: Sequence[tuple[str, TargetName]]) -> None:
    """A clock that began anew has none of the pauses of the one before."""
    if clocks:
        await tx.execute(
            "DELETE FROM sla_pause p USING unnest($1::text[], $2::text[]) gone(number, target)"
            " WHERE (p.number, p.target) = (gone.number, gone.target)",
            [number for number, _ in clocks],
            [target for _, target in clocks],
        )


async def _write_pauses(tx: Transaction, rows: Iterable[tuple[str, TargetName, int, Clock]]) -> None:
    """Insert or end pauses, from the given ordinal on."""
    pauses: list[tuple[Any, ...]] = [
        (number, target, ordinal, pause.started_at, pause.ended_at)
        for number, target, start, clock in rows
        for ordinal, pause in enumerate(clock.pauses)
        if ordinal >= start
    ]
    if pauses:
        await tx.execute(
            """
            INSERT INTO sla_pause (number, target, ordinal, started_at, ended_at)
            SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[], $5::timestamptz[])
                ON CONFLICT (number, target, ordinal) DO UPDATE SET ended_at = excluded.ended_at
            """,
            *(list(values) for values in zip(*pauses, strict=True)),
        )
